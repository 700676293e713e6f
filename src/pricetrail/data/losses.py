"""What may be lost of a shop's lines: how much is dropped, and that what cannot be parsed is no kind of its own."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd

from pricetrail.base.errors import ContractError
from pricetrail.data.cleaning import Cleaned
from pricetrail.data.contract import REASON, Parsed
from pricetrail.data.etl_result import REASONS, dropped_words
from pricetrail.data.shop_rules import PRESETS, ShopRules
from pricetrail.data.text import SOURCE_FILE, Mask

_ONE_SOURCE: Final = 0.5  # of a file's own lines: days differ, a file that loses most of them is read by wrong rules
_FEW_LINES, _FEW_ROWS = 20, 5
_SURE: Final = 0.0001  # probability below which nothing is chance: some twenty questions are asked of a shop
_FAR_DAY: Final = "invoiced_at must not be far"  # rows in quarantine for their very day


def require_few_dropped(parsed: Parsed, cleaned: Cleaned, rules: ShopRules, place: str) -> None:
    """Stop where rules drop more than ``rules.max_dropped_share`` of all lines, or half of one source's, or all.

    Raises:
        ContractError: with counts by reason, the rule that takes most, three examples, and what to set.
    """
    for source, rule, rows in _too_much(parsed, cleaned, rules.max_dropped_share, place):
        raise ContractError(source, f"{rule}: {_taken(parsed, cleaned, rules, rows, place)}")


def _too_much(parsed: Parsed, cleaned: Cleaned, limit: float, place: str) -> Iterator[tuple[str, str, Mask]]:
    """Limits that are broken: where, the rule, and the lines that are lost there, shape (n,)."""
    total, dropped = len(parsed.lines), cleaned.reason != ""
    if total and dropped.all():
        yield place, "must hold at least one sale of a product, got 0", dropped
    if dropped.sum() > limit * total:
        again = "".join(f"{clause}; " for clause in repeating(parsed, cleaned)[:3]).replace(f"{place}/", "")
        rule = f"{again}must drop no more than data.max_dropped_share {limit:g} of its lines, and drops "
        yield place, f"{rule}{dropped.sum():,} of {total:,}", dropped
    lost, limit = dropped & (cleaned.reason != "duplicate"), max(_ONE_SOURCE, limit)
    for name, own in pd.Series(lost).groupby(parsed.source_file.astype("str")):
        if own.mean() > limit and len(own) >= _FEW_LINES:
            rule = f"must drop no more than {limit:g} of its own lines, and drops {own.sum():,} of {len(own):,}"
            yield str(name), rule, lost & (parsed.source_file == name).to_numpy()


def _taken(parsed: Parsed, cleaned: Cleaned, rules: ShopRules, rows: Mask, place: str) -> str:
    """What was lost of these rows: counts, the rule that takes most with three examples, and what to set."""
    counts = pd.Series(cleaned.reason[rows]).value_counts()
    worst = str(counts.index[0])
    _, column, setting = REASONS[worst]
    if worst == "duplicate" and rules.repeats_in_file:
        setting = "repeats_in_file"
    values = parsed.status if column == "status" and parsed.status is not None else parsed.lines[column]
    taken = values[rows & (cleaned.reason == worst)]
    examples = "; ".join(
        f"{str(parsed.source_file[row]).removeprefix(f'{place}/')}: row {parsed.source_row[row]}: {column} {taken[row]}"
        for row in taken.drop_duplicates().index[:3]
    )
    told = dropped_words({str(name): int(n) for name, n in counts.items()})
    # Not the share that would do: where it is a wrong rule that takes them, it is no remedy.
    remedy = f"{f'set shop.{setting}' if setting else 'mend the files'} where that is wrong, and "
    return (
        f"{told}; {_rule(column, setting, rules)} takes {counts.iloc[0]:,} ({examples}); {remedy}"
        "data.max_dropped_share where it is right"
    )


def _rule(column: str, setting: str, rules: ShopRules) -> str:
    if not setting:
        return f"the rule that {column} must be above 0"
    value = getattr(rules, setting)
    preset = getattr(PRESETS[rules.name], setting) == value
    shown = ", ".join(value) if isinstance(value, tuple) else repr(value)
    return f"shop.{setting} {shown} of {f'the preset {rules.name}' if preset else 'params.yaml'}"


def repeating(parsed: Parsed, cleaned: Cleaned) -> list[str]:
    """Which sources repeat lines of others, as clauses; those that bring nothing of their own first."""
    size = parsed.source_file.astype("str").value_counts()
    whole, part = dict[str, str](), list[str]()
    pairs = {pair: rows for pair, rows in cleaned.repeats.items() if pair[0] != pair[1]}
    for name in sorted({name for name, _ in pairs}):
        others = sorted(other for one, other in pairs if one == name)
        if sum(pairs[name, other] for other in others) == size[name]:
            more = f" and {len(others) - 3} others" if len(others) > 3 else ""
            whole[name] = f"{name} repeats all its {size[name]:,} lines of {', '.join(others[:3])}{more}"
    for (name, other), rows in sorted(pairs.items(), key=lambda item: -item[1]):
        if name not in whole and rows == size[other]:  # the name of the smaller one sorts first
            whole[other] = f"{other} repeats all its {rows:,} lines of {name}"
        elif name not in whole:
            part.append(f"{name} repeats {rows:,} lines of {other}")
    return [f"{clause}: take it out, or narrow data.pattern" for clause in whole.values()] + part


def require_dirt(raw: pd.DataFrame, parsed: Parsed) -> None:
    """Stop where the rows that cannot be parsed differ from the rest in size of sale or in day: bias, no dirt.

    Of a row that cannot be parsed the size is told by the digits of its quantity and price, the day by its date or,
    where that is what cannot be read, by the rows beside it.

    Raises:
        ContractError: naming the first such row, how they differ and what to set.
    """
    rows = parsed.rows
    bad = (rows[REASON] != "") & ~rows[REASON].str.startswith(_FAR_DAY)
    if bad.sum() < _FEW_ROWS or bad.all():
        return
    beside = rows.groupby(SOURCE_FILE, observed=True)["day"]
    days = rows["day"].fillna(beside.ffill()).fillna(beside.bfill())
    told = (
        _ranked(_digits(raw["quantity"]), bad, ("largest", "smallest"), "quantity")
        or _ranked(_digits(raw["unit_price"]), bad, ("dearest", "cheapest"), "unit_price")
        or _of_one_day(days[bad], days[~bad])
        or _ranked(days.astype("int64").where(days.notna()), bad, ("newest", "oldest"), "invoiced_at")
    )
    if told:
        file, row, reason, _ = rows[bad].iloc[0]
        rule = (
            f"{reason}, and what cannot be parsed must be spread as the other rows are: {told}; that is bias, no dirt: "
            "set how they are written (data.decimal, data.thousands, data.datetime_format, data.files) or mend them"
        )
        raise ContractError(f"{file}: row {row}", rule, raw[bad].iloc[0][reason.split(" ", 1)[0]])


def _digits(values: pd.Series) -> pd.Series:
    """The digits of each text as one number, whatever stands between them; NaN where there are none."""
    digits = values.astype(str).str.replace("[^0-9]", "", regex=True)
    return pd.to_numeric(digits, errors="coerce").astype("float64")


def _ranked(values: pd.Series, bad: pd.Series, ends: tuple[str, str], column: str) -> str:
    """At which end of the others the bad rows stand, where chance does not bring so many there; else empty."""
    few, many = values[bad].dropna().to_numpy(), np.sort(values[~bad].dropna().to_numpy())
    if len(few) < _FEW_ROWS or not len(many):
        return ""
    # Shares of the others that are as high, or as low: equal values never make a row look rarer than it is.
    from_ends = 1 - np.searchsorted(many, few, "left") / len(many), np.searchsorted(many, few, "right") / len(many)
    for share in (0.05, 0.1, 0.25, 0.5):
        for end, from_end in zip(ends, from_ends, strict=True):
            among = int((from_end <= share).sum())
            if among > len(few) / 2 and _chance(among, len(few), share) < _SURE:
                return f"{among} of {len(few)} unparseable rows are among the {share:.0%} {end} by {column}"
    return ""


def _of_one_day(few: pd.Series, many: pd.Series) -> str:
    """The day of which most of the bad rows are, where chance does not bring so many together; else empty."""
    day = few.mode().min()
    among, share = int((few == day).sum()), max(float((many == day).mean()), 1 / len(many))
    if among < max(_FEW_ROWS, len(few) / 2) or _chance(among, len(few), share) * many.nunique() >= _SURE:
        return ""
    return f"{among} of {len(few)} unparseable rows are of {day:%Y-%m-%d}, a day of {share:.1%} of the other rows"


def _chance(among: int, rows: int, share: float) -> float:
    """A bound (Chernoff's) of the probability that so many of some rows are by chance of a share of all."""
    part = among / rows
    if part <= share:
        return 1.0
    rest = (1 - part) * math.log((1 - part) / (1 - share)) if part < 1 else 0.0
    return math.exp(-rows * (part * math.log(part / share) + rest))
