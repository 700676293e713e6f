"""One table of lines, written in every way that shops write theirs: what the readers are held against.

Nothing of pricetrail is used here but the names of settings: the truth is typed by hand, the writers are Python's csv
module, openpyxl and pyarrow.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import random
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

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


# How a value stands in a file.


def number_text(value: Decimal, dialect: Dialect) -> str:
    """A number with the dialect's marks, never rounded."""
    shown = f"{value:f}"
    if dialect.places != "as is":
        least = int(dialect.places)
        shown = f"{value:.{max(least, -int(value.as_tuple().exponent))}f}"
    whole, _, rest = shown.partition(".")
    whole = f"{int(whole):,}".replace(",", dialect.thousands)
    return f"{whole}{dialect.decimal}{rest}" if rest else whole


def serial(time: dt.datetime) -> Decimal:
    """Excel's number of a time: days since 1899-12-30, to a tenth of a microsecond of a day or so."""
    return Decimal(repr((time - EXCEL_DAY_0) / dt.timedelta(days=1)))


def time_text(time: dt.datetime, dialect: Dialect) -> str:
    """A time in the dialect's format."""
    if dialect.dates == "excel":
        return str(serial(time)).replace(".", dialect.decimal)
    if dialect.dates == "offset":
        return time.replace(tzinfo=LONDON).isoformat()
    if dialect.dates == "utc":
        return time.replace(tzinfo=LONDON).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return time.strftime("%Y-%m-%d %H:%M:%S" if dialect.dates == "ISO8601" else dialect.dates)


def text_row(line: Line, dialect: Dialect) -> list[str]:
    """A line's cells as text, in our order."""
    quantity = replace(dialect, places="as is") if dialect.numbers != "kg" else dialect
    return [
        line.invoice,
        line.sku,
        dialect.missing if line.description is None else line.description,
        number_text(line.quantity, quantity),
        time_text(line.invoiced_at, dialect),
        number_text(line.unit_price, dialect),
        dialect.missing if line.customer_id is None else line.customer_id,
        line.country,
    ]


def _typed_row(line: Line, dialect: Dialect) -> list[object]:
    """A line's cells as a spreadsheet holds them: codes of digits become numbers, but for those with leading zeros."""

    def code(text: str | None) -> object:
        return int(text) if text and text.isdigit() and str(int(text)) == text else text

    time = float(serial(line.invoiced_at)) if dialect.dates == "excel" else line.invoiced_at
    whole = line.quantity == line.quantity.to_integral()
    quantity = int(line.quantity) if whole else float(line.quantity)
    return [
        code(line.invoice), code(line.sku), line.description, quantity, time, float(line.unit_price),
        code(line.customer_id), line.country,
    ]  # fmt: skip


# The file.

_HEADERS: Final = {
    "shop": ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"),
    "german": ("Belegnr.", "Artikel", "Bezeichnung", "Menge", "Datum", "Einzelpreis", "Kunde", "Land"),
}
_SHUFFLED: Final = (5, 7, 0, 3, 2, 6, 4, 1)


def header(dialect: Dialect) -> tuple[str, ...]:
    """Its names of our columns, in our order."""
    return _HEADERS["german" if dialect.header == "german" else "shop"]


def cells(lines: Sequence[Line], dialect: Dialect) -> list[list[object]]:
    """Header and lines as they stand in the file, with the columns that nobody asked for; no titles or blank rows."""
    made = _typed_row if dialect.is_typed else text_row
    rows: list[list[object]] = [list(header(dialect)), *(list(made(line, dialect)) for line in lines)]
    if dialect.header == "shuffled":
        rows = [[row[i] for i in _SHUFFLED] for row in rows]
        return [[*row, "Channel" if i == 0 else "web", "Total" if i == 0 else 9] for i, row in enumerate(rows)]
    return rows


def framed(rows: Sequence[Sequence[object]], dialect: Dialect) -> list[list[object]]:
    """Rows with titles above and blank rows below."""
    titles = [["Report of sales"], [], ["Shop:", "Main Street"]][: dialect.title_rows]
    return [*titles, *map(list, rows), *[[""] * len(rows[0]) for _ in range(dialect.blank_rows)]]


def csv_bytes(rows: Sequence[Sequence[object]], dialect: Dialect) -> bytes:
    """Rows as delimited text in the dialect's encoding."""
    sink = io.StringIO(newline="")
    if dialect.sep_line:
        sink.write(f"sep={dialect.delimiter}{dialect.line_end}")
    how = {"all": csv.QUOTE_ALL, "nonnumeric": csv.QUOTE_NONNUMERIC}.get(dialect.quoting, csv.QUOTE_MINIMAL)
    is_escaped = dialect.quoting == "backslash"
    writer = csv.writer(
        sink,
        delimiter=dialect.delimiter,
        quotechar="'" if dialect.quoting == "single" else '"',
        quoting=how,
        doublequote=not is_escaped,
        escapechar="\\" if is_escaped else None,
        lineterminator=dialect.line_end,
    )
    writer.writerows(rows)
    return sink.getvalue().encode(dialect.encoding)


def _parquet(path: Path, rows: Sequence[Sequence[object]], dialect: Dialect) -> None:
    names = [str(name) for name in rows[0]]
    columns = []
    for i, _ in enumerate(names):
        column = [row[i] for row in rows[1:]]
        if any(isinstance(value, str) for value in column):
            columns.append(pa.array([None if value in (None, "") else str(value) for value in column], pa.string()))
        elif all(isinstance(value, dt.datetime) for value in column) and dialect.dates == "utc":
            there = [value.replace(tzinfo=LONDON) for value in column if isinstance(value, dt.datetime)]
            columns.append(pa.array(there, pa.timestamp("us", "UTC")))
        elif any(value is None for value in column):  # as pandas leaves numbers beside nothing
            columns.append(pa.array([None if value is None else float(str(value)) for value in column], pa.float64()))
        else:
            columns.append(pa.array(column))
    pq.write_table(pa.table(columns, names=names), path)


def write_rows(folder: Path, rows: Sequence[Sequence[object]], dialect: Dialect, name: str = "lines") -> Path:
    """Write header and lines as a file of the dialect's kind."""
    rows = framed(rows, dialect)
    path = folder / f"{name}.{dialect.kind.split()[0]}"
    if dialect.kind.startswith("parquet"):
        _parquet(path, rows, dialect)
    elif dialect.kind.startswith("xlsx"):
        book = openpyxl.Workbook()
        sheet = book.active
        assert sheet is not None
        for row in rows:
            sheet.append(["" if value is None and not dialect.is_typed else value for value in row])
        book.save(path)
    elif dialect.kind == "csv.gz":
        path.write_bytes(gzip.compress(csv_bytes(rows, dialect), mtime=0))
    elif dialect.kind == "csv.zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(f"{name}.csv", csv_bytes(rows, dialect))
    else:
        path.write_bytes(csv_bytes(rows, dialect))
    return path


def write(folder: Path, dialect: Dialect) -> Path:
    """Write the dialect's truth."""
    return write_rows(folder, cells(truth(dialect), dialect), dialect)


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
        "shop.preset": "generic",
        "shop.whole_units": dialect.numbers != "kg",
    }
    return found


def wrong_settings(dialect: Dialect) -> Iterator[Settings]:
    """The right ones with one of them off, in every way that people get it wrong."""
    right = right_settings(dialect)
    for key, values in _WRONG.items():
        for value in values:
            if right[key] != value:
                yield {**right, key: value}


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
    "shop.whole_units": (True,),
}  # fmt: skip


def shipped_settings(dialect: Dialect) -> Settings:
    """What a user has who named the columns and touched nothing else."""
    return {key: value for key, value in right_settings(dialect).items() if key in ("data.columns", "shop.preset")}
