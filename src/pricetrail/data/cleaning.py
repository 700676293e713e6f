"""Which lines are sales of products, and a count of those that are not, by reason (law 4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import pandas as pd

from pricetrail.data.contract import LINE_COLUMNS, Parsed
from pricetrail.data.shop_rules import ShopRules
from pricetrail.data.text import Mask, first_that_holds


@dataclass(frozen=True)
class Cleaned:
    """Sales of products, and the count of what was dropped by reason."""

    lines: pd.DataFrame
    dropped: Mapping[str, int]


def clean(parsed: Parsed, rules: ShopRules) -> Cleaned:
    """Keep the sales of products, in an order that depends on the lines alone, not on how files hold them.

    A row counts under the first reason that holds. Later cancellations do not remove the line they cancel: on the
    line's own day nobody knew of them (law 2).

    Args:
        parsed: lines, shape (n, 8), and where each came from.
        rules: of the shop.
    """
    lines = parsed.lines
    reasons: dict[str, Mask] = {
        "duplicate": _repeats(parsed, rules),
        "cancellation": _cancelled(parsed, rules),
        "not_a_product": _no_products(lines["sku"], rules),
        "quantity_not_positive": (lines["quantity"] <= 0).to_numpy(),
        "price_not_positive": (lines["unit_price"] <= 0).to_numpy(),
    }
    reason = first_that_holds(reasons)
    kept = lines[reason == ""].sort_values(["invoiced_at", *_REST], kind="stable").reset_index(drop=True)
    return Cleaned(kept, MappingProxyType({name: int((reason == name).sum()) for name in reasons}))


_REST: Final = [name for name in LINE_COLUMNS if name != "invoiced_at"]


def _repeats(parsed: Parsed, rules: ShopRules) -> Mask:
    """Lines that another file holds as well; where the shop says so, also equal lines of one file."""
    key = list(rules.same_line)
    if rules.repeats_in_file:
        return parsed.lines.duplicated(key, keep="first").to_numpy()
    # Files as multisets: a line counts as often as in the one file that holds it most often.
    keyed = parsed.lines[key].assign(file=parsed.source_file)
    nth = keyed.groupby([*key, "file"], dropna=False, observed=True).cumcount()
    return keyed[key].assign(nth=nth).duplicated(keep="first").to_numpy()


def _cancelled(parsed: Parsed, rules: ShopRules) -> Mask:
    cancelled = pd.Series(False, index=parsed.lines.index)
    if rules.cancellation_prefix:
        cancelled |= parsed.lines["invoice"].str.upper().str.startswith(rules.cancellation_prefix.upper()).astype(bool)
    if parsed.status is not None and rules.cancelled_status:
        cancelled |= parsed.status.str.lower().isin(rules.cancelled_status)
    return cancelled.to_numpy()


def _no_products(sku: pd.Series, rules: ShopRules) -> Mask:
    if isinstance(rules.not_products, str):
        return sku.str.match(rules.not_products).to_numpy().astype(bool)
    return sku.isin([code.strip().upper() for code in rules.not_products]).to_numpy()
