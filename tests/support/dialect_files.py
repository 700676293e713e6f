"""Lines written in a dialect, by Python's csv module, openpyxl and pyarrow."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from support.dialects import Dialect, Line, header, truth

LONDON: Final = ZoneInfo("Europe/London")
EXCEL_DAY_0: Final = dt.datetime(1899, 12, 30)
_SHUFFLED: Final = (5, 7, 0, 3, 2, 6, 4, 1)


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
            here = [value.replace(tzinfo=LONDON) for value in column if isinstance(value, dt.datetime)]
            utc = [value.astimezone(dt.UTC).replace(tzinfo=None) for value in here]  # pyarrow loses summer time
            columns.append(pa.array(utc, pa.timestamp("us", "UTC")))
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
