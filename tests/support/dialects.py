"""One table of lines, written in every way that shops write theirs: what the readers are held against.

Nothing of pricetrail is used here but the names of settings: the truth is typed by hand, the writers are Python's csv
module, openpyxl and pyarrow.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

OURS: Final = (
    "invoice", "sku", "description", "quantity", "invoiced_at", "unit_price", "customer_id", "country",
)  # fmt: skip
LONDON: Final = ZoneInfo("Europe/London")
EXCEL_DAY_0: Final = dt.datetime(1899, 12, 30)


@dataclass(frozen=True)
class Line:
    """An invoice line as it truly is; the time is the shop's own, whole minutes."""

    invoice: str
    sku: str
    description: str | None
    quantity: Decimal
    invoiced_at: dt.datetime
    unit_price: Decimal
    customer_id: str | None
    country: str


@dataclass(frozen=True)
class Dialect:
    """How a shop writes its lines, and which lines; every field is a dimension."""

    kind: Literal[
        "csv", "tsv", "csv.gz", "csv.zip", "xlsx typed", "xlsx text", "parquet typed", "parquet text"
    ] = "csv"  # fmt: skip
    delimiter: Literal[",", ";", "\t", "|"] = ","
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    places: Literal["as is", "2", "3"] = "as is"
    dates: Literal[
        "ISO8601", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M", "%d-%m-%Y %H:%M:%S",
        "%Y/%m/%d %H:%M", "%Y-%d-%m %H:%M", "%d/%m/%y %H:%M", "%d %b %Y %H:%M", "%m/%d/%Y %I:%M %p", "%Y%m%d%H%M",
        "offset", "utc", "excel",
    ] = "ISO8601"  # fmt: skip
    encoding: Literal[
        "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "latin-1", "cp1251", "iso8859-15", "mac-roman", "cp850"
    ] = "utf-8"  # fmt: skip
    quoting: Literal["minimal", "all", "nonnumeric", "single", "backslash"] = "minimal"
    line_end: Literal["\n", "\r\n", "\r"] = "\n"
    blank_rows: Literal[0, 1, 50] = 0
    title_rows: Literal[0, 1, 3] = 0
    sep_line: bool = False
    missing: Literal["", "NULL", "N/A", "none", "-", "#N/A", "\\N"] = ""
    header: Literal["shop", "german", "shuffled"] = "shop"
    days: Literal["late", "early", "spring"] = "late"
    numbers: Literal["plain", "whole", "three", "kg"] = "plain"
    people: Literal["some", "none"] = "some"
    codes: Literal["nasty", "digits"] = "nasty"

    @property
    def is_text(self) -> bool:
        """Whether it is a delimited text file."""
        return self.kind in ("csv", "tsv", "csv.gz", "csv.zip")

    @property
    def is_typed(self) -> bool:
        """Whether the file itself knows numbers from text."""
        return self.kind.endswith("typed")

    @property
    def is_supported(self) -> bool:
        """Whether settings exist that read it; what has none must be refused, or come out right all the same."""
        return self.quoting != "backslash"

    def __str__(self) -> str:
        """What differs from the default."""
        default = Dialect()
        changed = {it.name: getattr(self, it.name) for it in fields(self)}
        return ", ".join(f"{name}={value!r}" for name, value in changed.items() if value != getattr(default, name))


DIMENSIONS: Final[Mapping[str, tuple[object, ...]]] = {
    it.name: (False, True) if it.type == "bool" else get_args(eval(str(it.type), {"Literal": Literal}))
    for it in fields(Dialect)
}


def tidy(dialect: Dialect) -> Dialect:
    """The dialect without what cannot be in one file: a sheet has no encoding, and one mark is not for two things."""
    if not dialect.is_text:
        dialect = replace(dialect, delimiter=",", encoding="utf-8", quoting="minimal", line_end="\n", sep_line=False)
    if dialect.is_typed:
        dates = dialect.dates if dialect.dates in ("ISO8601", "utc", "excel") else "ISO8601"
        dialect = replace(dialect, decimal=".", thousands="", places="as is", dates=dates, missing="")
        if dialect.kind == "xlsx typed" and dialect.dates == "utc":  # a cell has no zone
            dialect = replace(dialect, dates="ISO8601")
    if dialect.kind.startswith("parquet"):
        dialect = replace(dialect, title_rows=0)
    if dialect.kind == "tsv":
        dialect = replace(dialect, delimiter="\t")
    if dialect.decimal == dialect.thousands:
        dialect = replace(dialect, thousands="")
    if dialect.sep_line and dialect.title_rows:
        dialect = replace(dialect, title_rows=0)
    if dialect.dates == "%Y-%d-%m %H:%M" and dialect.days == "early":
        dialect = replace(dialect, days="late")  # after the year comes the month, everywhere but here: nothing tells
    if dialect.encoding in ("utf-16", "utf-16-le") and dialect.line_end == "\r":
        dialect = replace(dialect, line_end="\r\n")
    return dialect


def sample(count: int, seed: int) -> list[Dialect]:
    """So many different dialects; the first ones differ from the default in one dimension, the next in any."""
    singles = [tidy(replace(Dialect(), **{name: value})) for name, values in DIMENSIONS.items() for value in values]
    rng, found = random.Random(seed), dict.fromkeys(singles)
    while len(found) < count:
        found[tidy(Dialect(**{name: rng.choice(values) for name, values in DIMENSIONS.items()}))] = None
    return list(found)[:count]


# The truth.

_DESCRIPTIONS: Final = {
    "plain": ("WHITE HEART", 'SIZE 12" LAMP', "SALT, PEPPER; OIL|VINEGAR", None, "'TIS THE SEASON", "TWO\nLINES"),
    "west": ("GRÖSSE ÄÖÜ", "CAFÉ À LA CARTE", "PIÑATA"),
    "east": ("ЧАЙ ЧЁРНЫЙ", "Молоко 2,5%"),
    "all": ("GRÖSSE ÄÖÜ", "ЧАЙ ЧЁРНЫЙ", "緑茶 🍵"),
}
_SCRIPT: Final = {
    "utf-8": "all", "utf-8-sig": "all", "utf-16": "all", "utf-16-le": "all", "cp1251": "east",
}  # fmt: skip
_QUANTITIES: Final = {
    "plain": ("1", "12", "1000", "1234", "12345", "2"),
    "whole": ("1", "2", "1000", "3000", "6", "12"),
    "three": ("1", "100", "250", "999", "1", "2"),
    "kg": ("0.75", "1.5", "12.345", "1", "2", "1.25"),
}
_PRICES: Final = {
    "plain": ("0.5", "2", "2.5", "1.25", "1234.5", "1000", "12.345"),
    "whole": ("1", "2", "1000", "25", "3"),
    "three": ("1.234", "12.345", "100.125", "2.555"),
    "kg": ("0.5", "2.5", "1.25", "17"),
}
_SKUS: Final = {
    "nasty": ("02003", "85123A", "FUR-1000", "1E5", "5E10", "00012", "A/B 7"),
    "digits": ("22423", "85123", "10002", "22720"),
}
_COUNTRIES: Final = ("GB", "NA", "DE", "FR", "NO")  # NA is Namibia, and NO is Norway
_FIRST_DAY: Final = {"late": dt.date(2011, 12, 8), "early": dt.date(2011, 12, 1), "spring": dt.date(2011, 3, 24)}


def truth(dialect: Dialect, count: int = 24) -> list[Line]:
    """Lines of twelve days in a row, no two alike; what the dialect's encoding can say."""
    texts = _DESCRIPTIONS["plain"] + _DESCRIPTIONS[_SCRIPT.get(dialect.encoding, "west")]
    if dialect.line_end == "\r":  # between lines that end so a line feed is written without quotes
        texts = tuple(text and text.replace("\n", " ") for text in texts)

    def turn(values: Sequence[str], i: int) -> str:
        return values[i % len(values)]

    return [
        Line(
            invoice=f"{536001 + i}",
            sku=turn(_SKUS[dialect.codes], i),
            description=texts[i % len(texts)],
            quantity=Decimal(turn(_QUANTITIES[dialect.numbers], i)),
            invoiced_at=dt.datetime.combine(
                _FIRST_DAY[dialect.days] + dt.timedelta(days=i * 12 // count), dt.time(8 + i % 2 * 5, (7 * i) % 60)
            ),
            unit_price=Decimal(turn(_PRICES[dialect.numbers], i)),
            customer_id=None if dialect.people == "none" or i % 3 == 1 else f"{17850 + i % 4}",
            country=turn(_COUNTRIES, i),
        )
        for i in range(count)
    ]


_HEADERS: Final = {
    "shop": ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"),
    "german": ("Belegnr.", "Artikel", "Bezeichnung", "Menge", "Datum", "Einzelpreis", "Kunde", "Land"),
}


def header(dialect: Dialect) -> tuple[str, ...]:
    """Its names of our columns, in our order."""
    return _HEADERS["german" if dialect.header == "german" else "shop"]


# The settings.

Settings = dict[str, object]


def right_settings(dialect: Dialect) -> Settings:
    """Keys of ``data`` and ``shop`` that read the dialect, such as ``data.decimal``; the rest is as shipped."""
    found: Settings = {
        "data.columns": {**dict(zip(OURS, header(dialect), strict=True)), "status": None},
        "data.datetime_format": {"offset": "ISO8601", "utc": "ISO8601", "%Y-%m-%dT%H:%M:%S": "ISO8601"}.get(
            dialect.dates, dialect.dates
        ),
        "data.prove_date_order": dialect.days != "early",
        "data.timezone": "Europe/London" if dialect.dates in ("offset", "utc") else "",
        "data.delimiter": dialect.delimiter,
        "data.quote": "'" if dialect.quoting == "single" else '"',
        "data.encoding": dialect.encoding,
        "data.decimal": dialect.decimal,
        "data.thousands": dialect.thousands,
        "data.header_row": 0,
        "shop.preset": "generic",
        "shop.whole_units": dialect.numbers != "kg",
    }
    return found


def wrong_settings(dialect: Dialect) -> Iterator[Settings]:
    """The right ones with one of them off, in every way that people get it wrong."""
    right = right_settings(dialect)
    for key, values in _WRONG.items():
        for value in values:
            if (dialect.encoding, value) == ("cp1251", "latin-1"):
                continue  # every byte is a letter in both, and only a reader of Russian can tell
            if right[key] != value:  # who is wrong about the format is not sure of it
                yield {
                    **right,
                    key: value,
                    **({"data.prove_date_order": True} if key == "data.datetime_format" else {}),
                }


_WRONG: Final[Mapping[str, tuple[object, ...]]] = {
    "data.datetime_format": (
        "ISO8601", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%m.%d.%Y %H:%M", "%m-%d-%Y %H:%M:%S", "%Y/%d/%m %H:%M",
        "%y/%m/%d %H:%M", "%m/%d/%y %H:%M", "%d/%m/%Y %I:%M %p", "%Y%d%m%H%M", "%Y-%m-%d %H:%M", "%Y-%d-%m %H:%M:%S",
        "excel",
    ),
    "data.delimiter": (",", ";", "\t", "|"),
    "data.quote": ('"', "'"),
    "data.encoding": ("auto", "utf-8", "latin-1", "utf-16"),
    "data.decimal": ("auto", ".", ","),
    "data.thousands": ("", ",", ".", " "),
    "data.header_row": (1, 2, 5),
    "shop.whole_units": (True,),
}  # fmt: skip


def shipped_settings(dialect: Dialect) -> Settings:
    """What a user has who named the columns and touched nothing else."""
    return {key: value for key, value in right_settings(dialect).items() if key in ("data.columns", "shop.preset")}
