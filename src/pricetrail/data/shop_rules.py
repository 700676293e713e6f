"""What a sale is in this shop: a preset, and what ``params.yaml`` says otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, Final

from pricetrail.base.errors import ParamsError
from pricetrail.base.params import Params

DEMO: Final = "demo/lines"  # written by the stage `simulate`, in the image of the UCI's shop
_ALL_BUT_DESCRIPTION: Final = ("invoice", "sku", "quantity", "invoiced_at", "unit_price", "customer_id", "country")


@dataclass(frozen=True)
class ShopRules:
    """Rules by which lines are sales; those of the preset ``generic``, where none is given.

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
    currency: str = "XXX"
    unit: str = "units"
    whole_units: bool = True
    not_products: str | tuple[str, ...] = ()
    cancellation_prefix: str = ""
    cancelled_status: tuple[str, ...] = ()
    same_line: tuple[str, ...] = _ALL_BUT_DESCRIPTION
    repeats_in_file: bool = False
    sku_required: bool = False
    sku_width: int = 0
    max_dropped_share: float = 0.1


PRESETS: Final[Mapping[str, ShopRules]] = MappingProxyType(
    {
        "generic": ShopRules("generic"),
        "uci": ShopRules(
            "uci",
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
    auto = "uci" if PurePosixPath(params.data.path) == PurePosixPath(DEMO) else "generic"
    own: dict[str, Any] = params.shop.model_dump(exclude={"preset"}, exclude_none=True)
    own["cancelled_status"] = tuple(word.strip().lower() for word in params.shop.cancelled_status)
    if params.data.max_dropped_share is not None:
        own["max_dropped_share"] = params.data.max_dropped_share
    return replace(PRESETS[auto if params.shop.preset == "auto" else params.shop.preset], **own)
