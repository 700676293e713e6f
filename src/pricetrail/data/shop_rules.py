"""What a sale is in this shop: a preset, and what ``params.yaml`` says otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from pricetrail.base.errors import ParamsError
from pricetrail.base.params import Params

DEMO: Final = "demo/lines"  # written by the stage `simulate`, in the image of the UCI's shop
_ALL_BUT_DESCRIPTION: Final = ("invoice", "sku", "quantity", "invoiced_at", "unit_price", "customer_id", "country")


@dataclass(frozen=True)
class ShopRules:
    """Rules by which lines are sales.

    Attributes:
        name: of the preset.
        currency: ISO 4217.
        unit: what quantities count.
        whole_units: whether a quantity must be a whole number.
        not_products: a regular expression that SKUs match which are no products, or a list of them.
        cancellation_prefix: of the invoice number of a cancellation; empty where none tells it.
        cancelled_status: lower-case words of the status column that cancel a line.
        same_line: columns that tell a line.
        repeats_in_file: whether equal lines of one file are one.
        sku_required: whether a row without SKU is unparseable; else it is no product, as a tip or a custom amount.
        sku_width: digits that numeric SKUs are padded to; 0 for none.
        max_dropped_share: of all lines, for each reason and in all.
    """

    name: str
    currency: str
    unit: str
    whole_units: bool
    not_products: str | tuple[str, ...]
    cancellation_prefix: str
    cancelled_status: tuple[str, ...]
    same_line: tuple[str, ...]
    repeats_in_file: bool
    sku_required: bool
    sku_width: int
    max_dropped_share: float


_GENERIC: Final = ShopRules(
    name="generic",
    currency="XXX",
    unit="units",
    whole_units=True,
    not_products=(),
    cancellation_prefix="",
    cancelled_status=(),
    same_line=_ALL_BUT_DESCRIPTION,
    repeats_in_file=False,
    sku_required=False,
    sku_width=0,
    max_dropped_share=0.1,
)
PRESETS: Final[Mapping[str, ShopRules]] = MappingProxyType(
    {
        "generic": _GENERIC,
        "uci": replace(
            _GENERIC,
            name="uci",
            not_products=r"(?![0-9]{5})",
            sku_required=True,
            cancellation_prefix="C",
            same_line=("description", *_ALL_BUT_DESCRIPTION),
            repeats_in_file=True,
        ),
    }
)


def shop_rules(params: Params) -> ShopRules:
    """The preset's rules, changed by section ``shop`` and ``data.max_dropped_share``.

    Raises:
        ParamsError: there are words of a status and no column of it, or the other way round.
    """
    named = [params.data.columns.status, *(written.columns.status for written in params.data.files.values())]
    if any(named) != bool(params.shop.cancelled_status):
        rule = "data.columns.status and shop.cancelled_status must both be set, or neither: words tell what it cancels"
        raise ParamsError("params.yaml", rule)
    own, preset = params.shop.model_dump(exclude={"preset"}), params.shop.preset
    if preset == "auto":
        preset = "uci" if params.data.path.strip("./") == DEMO else "generic"
    own |= {
        "max_dropped_share": params.data.max_dropped_share,
        "cancelled_status": tuple(word.strip().lower() for word in params.shop.cancelled_status),
    }
    said: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
    return replace(PRESETS[preset], **said)
