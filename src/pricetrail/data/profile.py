"""What was read, as a person can check it: sources, figures, some lines as understood, and what looks odd."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pandas as pd

from pricetrail.base.json_type import Json
from pricetrail.base.money import money
from pricetrail.data.contract import LINE_COLUMNS, REASON
from pricetrail.data.reading import Reading
from pricetrail.data.source import Source
from pricetrail.data.text import SOURCE_FILE, SOURCE_ROW
from pricetrail.data.unseen.shop import FEE

_EXAMPLES, _BAD = 5, 3
_BUSY_DAY, _GAP_DAYS, _FAR = 20, 14, 100  # times the usual lines; days; times the 99th percentile
_BIG_CUSTOMER, _MIN_LINES = 0.2, 50
_GUESTS: Final = (
    r"(?i)guests?|unknown|anonym\w*|cash|walk.?in|none|no customer|n\.?a\.?|\?+|x+|0+|9{3,}|gast|bar|divers\w*|invitado"
)
_MOJIBAKE: Final = r"Ã[\u0080-\u00bf€ƒ„…†‡ˆ‰Š‹Œ\u017d‘’“”•–—˜™š›œ\u017eŸ¡-¿]|â€|Â[£§°·\u00a0]|\ufffd"


@dataclass(frozen=True)
class Profile:
    """Rows of tables for a person.

    Attributes:
        sources: a file each.
        figures: of all sales, by name.
        examples: sales as understood.
        quarantined: rows that were not.
        warnings: what may be read wrongly, or may be wrong in the files.
    """

    sources: list[dict[str, Json]]
    figures: dict[str, str]
    examples: list[dict[str, Json]]
    quarantined: list[dict[str, Json]]
    warnings: list[str]


def profile(reading: Reading) -> Profile:
    """Tell what the files of a shop say."""
    lines, bad = reading.cleaned.lines, reading.parsed.quarantine
    days = lines["invoiced_at"].dt.normalize()
    sources: list[dict[str, Json]] = [
        {
            "file": file,
            "rows": each.rows,
            "lost": sum(each.dropped.values()) + each.quarantined,
            "days": f"{each.first_day} to {each.last_day}",
            "parts": " | ".join(_part(source) for source in reading.sources if source.file == file),
            "repeats": ", ".join(f"{count:,} of {other}" for other, count in each.repeats.items()),
        }
        for file, each in reading.by_file().items()
    ]
    first, who, countries = days.min(), lines["customer_id"], lines["country"].value_counts(normalize=True)
    figures = {
        "rows": f"{reading.rows:,}",
        "sales": f"{len(lines):,}",
        **{name.replace("_", " "): f"{rows:,} dropped" for name, rows in reading.cleaned.dropped.items() if rows},
        **({"quarantined": f"{len(bad):,}"} if len(bad) else {}),
        "days": f"{days.nunique():,} of {(days.max() - first).days + 1:,}, {first:%Y-%m-%d} to {days.max():%Y-%m-%d}",
        "SKUs": f"{lines['sku'].nunique():,}",
        "customers": f"{who.nunique():,}; {who.isna().mean():.0%} of the lines are guests'",
        "countries": ", ".join(f"{name} {share:.0%}" for name, share in countries.head(4).items()),
        f"quantity, {reading.rules.unit}": _quantiles(lines["quantity"]),
        "unit price": _quantiles(lines["unit_price"], lambda price: money(price, reading.rules.currency)),
    }
    places = {SOURCE_FILE: reading.parsed.source_file, SOURCE_ROW: reading.parsed.source_row}
    parsed = reading.parsed.lines.assign(**places)
    some = parsed.iloc[sorted({round(n * (len(parsed) - 1) / (_EXAMPLES - 1)) for n in range(_EXAMPLES)})]
    return Profile(sources, figures, _rows(some), _rows(bad.head(_BAD)), _warnings(lines))


def _part(source: Source) -> str:
    name = source.name.removeprefix(source.file).strip() or source.written.encoding
    return ", ".join([f"{name}: {source.rows:,}", *source.notes])


def _quantiles(values: pd.Series, shown: Callable[[float], str] = "{:,.6g}".format) -> str:
    least, low, middle, high, most = map(shown, values.quantile([0, 0.05, 0.5, 0.95, 1]))
    return f"{middle} (median), {low} to {high} (90% of lines), {least} to {most} (all)"


def _rows(table: pd.DataFrame) -> list[dict[str, Json]]:
    """A row each: where it stands, and what it says, by our names."""
    names = [name for name in (REASON, *LINE_COLUMNS) if name in table]
    return [
        {
            "row": f"{row[SOURCE_FILE]}: {row[SOURCE_ROW]}",
            "says": "; ".join(f"{name} {row[name]}" for name in names if not pd.isna(row[name])),
        }
        for row in table.to_dict("records")
    ]


def _warnings(lines: pd.DataFrame) -> list[str]:
    """What a person should look at, with what to set where it is wrong."""
    found, days = list[str](), lines["invoiced_at"].dt.normalize()
    by_day, gaps = days.value_counts(), days.drop_duplicates().sort_values().diff()
    if by_day.max() > _BUSY_DAY * by_day.median():
        found.append(f"{by_day.idxmax():%Y-%m-%d} has {by_day.max():,} lines, the usual day {by_day.median():g}")
    if gaps.max() > pd.Timedelta(days=_GAP_DAYS):
        found.append(f"no sale in the {gaps.max().days - 1} days before {days[gaps.idxmax()]:%Y-%m-%d}")
    for name in ("quantity", "unit_price"):
        high = lines[name].quantile(0.99)
        if len(far := lines[lines[name] > _FAR * high]):
            usual = f"{_FAR} times what 99% of the lines have ({high:,.6g})"
            found.append(f"{name} {far[name].max():,.6g} is more than {usual}")
    shares = lines["customer_id"].value_counts(normalize=True)
    guests = [str(who) for who in shares.index if re.fullmatch(_GUESTS, str(who))]
    if len(lines) >= _MIN_LINES and len(shares) > 2 and shares.iloc[0] > max(_BIG_CUSTOMER, 5 * shares.iloc[1]):
        guests = list(dict.fromkeys([*guests, str(shares.index[0])]))
    if guests:
        found.append(f"customers {', '.join(guests[:3])} may be words for guests: data.missing")
    if fees := sorted({sku for sku in lines["sku"].unique() if FEE.fullmatch(sku)}):
        found.append(f"SKUs {', '.join(fees[:5])} may be fees: shop.not_products")
    skus = pd.Series(lines["sku"].unique())
    spelt = skus.groupby([re.sub(r"[\W_]", "", sku) for sku in skus]).agg(list)
    if len(twice := spelt[spelt.map(len) > 1]):
        found.append(f"{len(twice)} SKUs are spelt in two ways, such as {' and '.join(twice.iloc[0][:2])}")
    for name in ("description", "country"):
        texts = pd.Series(lines[name].dropna().unique(), dtype="str")
        if len(broken := texts[[bool(re.search(_MOJIBAKE, text)) for text in texts]]):
            found.append(f"{name} {broken.iloc[0]!r} was written in one encoding and read in another: data.encoding")
    return found
