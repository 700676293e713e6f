"""Which lines are sales of products, and a count of those that are not, by reason (law 4)."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pricetrail.data.contract import Parsed
from pricetrail.data.shop_rules import ShopRules
from pricetrail.data.text import Mask


@dataclass(frozen=True)
class Cleaned:
    """Sales of products, and what was dropped.

    Attributes:
        lines: of the contract, in order of time, then of their other columns.
        dropped: count of lines by reason; 0 for a reason that takes none.
        reason: of each parsed line, empty for one that is kept; shape (n,).
        repeats: how many lines of a source are dropped since another one, or itself, has them: by the names of both.
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
    prefix = rules.cancellation_prefix.upper()
    reasons: dict[str, Mask] = {
        "duplicate": repeated,
        "cancellation": lines["invoice"].str.upper().str.startswith(prefix).to_numpy(bool) & bool(prefix),
        "not_a_product": _no_products(lines["sku"], rules),
        "quantity_not_positive": (lines["quantity"] <= 0).to_numpy(),
        "price_not_positive": (lines["unit_price"] <= 0).to_numpy(),
    }
    if parsed.status is not None:  # told last, so that what a shop without it counts stays as it is
        reasons["cancelled_status"] = _cancelled(parsed.status, parsed, rules)
    reason = np.select([*reasons.values()], [*reasons], default="")
    order = ["invoiced_at", *lines.columns.drop("invoiced_at")]
    kept = lines[reason == ""].sort_values(order, kind="stable", ignore_index=True)
    dropped = {name: int((reason == name).sum()) for name in reasons}
    return Cleaned(kept, MappingProxyType(dropped), reason, repeats)


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


def _cancelled(status: pd.Series, parsed: Parsed, rules: ShopRules) -> Mask:
    """Lines whose status is a word for cancelled; a line without one has that of its invoice's first line.

    An order export, such as Shopify's, tells what holds for the order in the first of its rows only.
    """
    order = [parsed.source_file.astype("str"), parsed.lines["invoice"]]
    told = status.fillna(status.groupby(order).transform("first"))
    return told.str.lower().isin(rules.cancelled_status).to_numpy()


def _no_products(sku: pd.Series, rules: ShopRules) -> Mask:
    if isinstance(rules.not_products, str):
        pattern = re.compile(rules.not_products or "(?!)", re.IGNORECASE)  # an empty one would match each SKU
        listed = [code for code in sku.dropna().unique() if pattern.match(code)]
    else:
        listed = [code.strip().upper() for code in rules.not_products]
    return (sku.isin(listed) | sku.isna()).to_numpy()
