"""Which lines are sales of products, and a count of those that are not, by reason (law 4)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pricetrail.data.contract import LINE_COLUMNS, Parsed
from pricetrail.data.shop_rules import ShopRules
from pricetrail.data.text import Mask, first_that_holds


@dataclass(frozen=True)
class Cleaned:
    """Sales of products, and what was dropped.

    Attributes:
        lines: in an order of their own.
        dropped: count by reason.
        reason: of each parsed line, empty for one that is kept; shape (n,).
        repeats: how many lines of a source are dropped because another source, or itself, has them.
    """

    lines: pd.DataFrame
    dropped: Mapping[str, int]
    reason: NDArray[np.str_]
    repeats: Mapping[tuple[str, str], int]


def clean(parsed: Parsed, rules: ShopRules) -> Cleaned:
    """Keep the sales of products, in an order that depends on the lines alone, not on how files hold them.

    A row counts under the first reason that holds. Later cancellations do not remove the line they cancel: on the
    line's own day nobody knew of them (law 2).

    Args:
        parsed: lines, shape (n, 8), and where each came from.
        rules: of the shop.
    """
    lines = parsed.lines
    repeated, repeats = _repeats(parsed, rules)
    invoice = lines["invoice"].str.upper()
    reasons: dict[str, Mask] = {
        "duplicate": repeated,
        "cancellation": _starts_with(invoice, rules.cancellation_prefix.upper()),
        "not_a_product": _no_products(lines["sku"], rules),
        "quantity_not_positive": (lines["quantity"] <= 0).to_numpy(),
        "price_not_positive": (lines["unit_price"] <= 0).to_numpy(),
    }
    if parsed.status is not None:  # told last, so that what a shop without it counts stays as it is
        reasons["cancelled_status"] = _cancelled(parsed.status, parsed, rules)
    reason = first_that_holds(reasons)
    kept = lines[reason == ""].sort_values(["invoiced_at", *_REST], kind="stable").reset_index(drop=True)
    dropped = {name: int((reason == name).sum()) for name in reasons}
    return Cleaned(kept, MappingProxyType(dropped), reason, repeats)


_REST: Final = [name for name in LINE_COLUMNS if name != "invoiced_at"]


def _repeats(parsed: Parsed, rules: ShopRules) -> tuple[Mask, Mapping[tuple[str, str], int]]:
    """Lines that another source holds as well; where the shop says so, also equal lines of one source.

    Sources are multisets: a line counts as often as in the one source that holds it most often. So a till that writes
    a row a unit keeps all of them, and an export that comes again adds nothing.
    """
    key = list(rules.same_line)
    often = parsed.lines.duplicated(key, keep=False)  # most lines are like no other: the rest is cheap
    found = pd.DataFrame({"source": parsed.source_file[often].astype("str")})
    found["line"] = parsed.lines.loc[often, key].groupby(key, dropna=False, sort=False).ngroup()
    same = ["line"]
    if not rules.repeats_in_file:
        found["nth"] = found.groupby(["line", "source"], sort=False).cumcount()
        same = ["line", "nth"]
    again = found.duplicated(same)
    first = found.groupby(same, sort=False)["source"].transform("first")
    pairs = Counter(zip(found.loc[again, "source"], first[again], strict=True))
    repeated = np.zeros(len(parsed.lines), dtype=bool)
    repeated[found.index[again]] = True
    return repeated, MappingProxyType(pairs)


def _starts_with(invoice: pd.Series, prefix: str) -> Mask:
    return (invoice.str.startswith(prefix) & bool(prefix)).to_numpy().astype(bool)


def _cancelled(status: pd.Series, parsed: Parsed, rules: ShopRules) -> Mask:
    """Lines whose status is a word for cancelled; a line without one has that of its invoice's first line.

    An order export, such as Shopify's, tells what holds for the order in the first of its rows only.
    """
    order = [parsed.source_file.astype("str"), parsed.lines["invoice"]]
    told = status.fillna(status.groupby(order).transform("first"))
    return told.str.lower().isin(rules.cancelled_status).to_numpy()


def _no_products(sku: pd.Series, rules: ShopRules) -> Mask:
    if isinstance(rules.not_products, str):
        pattern = rules.not_products or "(?!)"  # an empty one would match each SKU
        listed = sku.str.match(pattern, case=False).fillna(False)
    else:
        listed = sku.isin([code.strip().upper() for code in rules.not_products])
    return (listed | sku.isna()).to_numpy().astype(bool)
