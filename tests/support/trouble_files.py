"""Troubles of whole files, of sheets, and of columns that have types; see ``troubles``."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Final

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl.chart import BarChart, Reference
from openpyxl.worksheet.worksheet import Worksheet

from support.dialect_files import cells, write_rows
from support.dialects import Dialect, Line, header
from support.troubles import CSV, EDITS, GERMAN, LINES, PRICE, QUANTITY, TIME, Make, Must, Truth, text

TSV: Final = replace(CSV, delimiter="\t")
XLSX: Final = Dialect(kind="xlsx typed", codes="digits")


def files(
    must: Must, *parts: tuple[str, Sequence[Line], Dialect], lines: Sequence[Line] = LINES, **own: object
) -> Make:
    """A trouble of several files, each with some lines in a dialect."""

    def make(folder: Path) -> Truth:
        for name, some, base in parts:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            made = write_rows(folder, cells(some, base), base, "made")
            made.rename(folder / name)
        return Truth(lines, must, {key.replace("__", "."): value for key, value in own.items()})

    return make


def book(must: Must, edit: Callable[[openpyxl.Workbook], object], **own: object) -> Make:
    """A trouble that is an edit of a workbook, its lines as they were."""

    def make(folder: Path) -> Truth:
        made = openpyxl.Workbook()
        assert made.active is not None
        for row in cells(LINES, XLSX):
            made.active.append(row)
        edit(made)
        made.save(folder / "a.xlsx")
        return Truth(LINES, must, {key.replace("__", "."): value for key, value in own.items()})

    return make


def parquet(must: Must, **columns: Callable[[list[Line]], pa.Array]) -> Make:
    """A trouble with columns of other Arrow types, by our names."""

    def make(folder: Path) -> Truth:
        rows = cells(LINES, replace(XLSX, kind="parquet typed"))
        ours = dict(zip(Line.__dataclass_fields__, range(8), strict=True))
        arrays = {name: pa.array([row[i] for row in rows[1:]]) for i, name in enumerate(header(CSV))}
        for name, build in columns.items():
            arrays[header(CSV)[ours[name]]] = build(list(LINES))
        pq.write_table(pa.table(arrays), folder / "a.parquet")
        return Truth(LINES, must)

    return make


def _raw(must: Must, name: str, content: Callable[[str], bytes]) -> Make:
    def make(folder: Path) -> Truth:
        (folder / name).write_bytes(content(text()))
        return Truth(LINES, must)

    return make


def _zip(*members: tuple[str, str | bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as packed:
        for name, content in members:
            packed.writestr(name, content)
    return sink.getvalue()


def _locked(content: bytes) -> bytes:
    """A zip whose members say that they are encrypted."""
    made = bytearray(content)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        made[made.index(mark) + at] |= 1
    return bytes(made)


def _beside(must: Must, *parts: str | bytes) -> Make:
    """The plain file beside others, named and then given."""

    def make(folder: Path) -> Truth:
        (folder / "a.csv").write_text(text(), encoding="utf-8")
        for name, content in zip(parts[::2], parts[1::2], strict=True):
            (folder / str(name)).write_bytes(content if isinstance(content, bytes) else content.encode())
        return Truth(LINES, must)

    return make


def _cell(row: int, index: int, value: object) -> Callable[[openpyxl.Workbook], object]:
    def edit(made: openpyxl.Workbook) -> None:
        assert made.active is not None
        cell = made.active.cell(row, index + 1)  # type: ignore[union-attr]
        cell.value = value  # type: ignore[assignment]
        if isinstance(value, int | float):
            cell.number_format = "General"  # it may have been a date

    return edit


def _each_cell(index: int, value: Callable[[Line], object]) -> Callable[[openpyxl.Workbook], object]:
    def edit(made: openpyxl.Workbook) -> None:
        for i, line in enumerate(LINES):
            _cell(i + 2, index, value(line))(made)

    return edit


def _on_sheet(edit: Callable[[Worksheet], object]) -> Callable[[openpyxl.Workbook], object]:
    return lambda made: edit(made.worksheets[0])


def _chart(made: openpyxl.Workbook) -> None:
    chart = BarChart()
    chart.add_data(Reference(made.worksheets[0], min_col=4, min_row=1, max_row=9))
    made.create_chartsheet("Chart").add_chart(chart)


def _sheet(name: str, rows: Sequence[Sequence[object]], at: int = 1) -> Callable[[openpyxl.Workbook], object]:
    def edit(made: openpyxl.Workbook) -> None:
        sheet = made.create_sheet(name, at)
        for row in rows:
            sheet.append(list(row))

    return edit


def _renamed(name: str) -> list[list[object]]:
    """Other lines below a header of which one name differs."""
    rows = cells([replace(line, invoice=f"9{line.invoice}") for line in LINES], XLSX)
    rows[0][PRICE] = name
    return rows


FIRST, LAST, UNITS = LINES[:14], LINES[10:], [line for line in LINES[:12] for _ in range(3)]
TROUBLES: Final[Mapping[str, Make]] = {
    **EDITS,
    "hidden folder": files("read", ("a.csv", LINES, CSV), (".ipynb_checkpoints/a-checkpoint.csv", FIRST, CSV)),
    "lock and dot files": files("read", ("a.csv", LINES, CSV), ("~$a.csv", FIRST, CSV), (".a.csv", FIRST, CSV)),
    "backup beside": files("either", ("a.csv", LINES, CSV), ("a.csv.bak", FIRST, CSV)),
    "exports that overlap": files("either", ("w1.csv", FIRST, CSV), ("w2.csv", LAST, CSV)),
    "the same twice": files("either", ("w1.csv", LINES, CSV), ("w2.csv", LINES[::-1], CSV)),
    "the same as CSV and as workbook": files("either", ("w1.csv", LINES, CSV), ("w2.xlsx", LINES, XLSX)),
    "suffix in capitals": files("read", ("A.CSV", LINES[:12], CSV), ("B.XLSX", LINES[12:], XLSX)),
    "workbook named csv": files("refuse", ("a.csv", LINES, XLSX)),
    "text named xlsx": files("refuse", ("a.xlsx", LINES, CSV)),
    "text named gz": files("refuse", ("a.csv.gz", LINES, CSV)),
    "zip named gz": files("refuse", ("a.csv.gz", LINES, replace(CSV, kind="csv.zip"))),
    "Parquet named csv": files("refuse", ("a.csv", LINES, replace(CSV, kind="parquet typed"))),
    "web page named xls": _raw("refuse", "a.xls", lambda it: f"<html><table>{it}</table></html>".encode()),
    "web page named csv": _raw("refuse", "a.csv", lambda it: f"<html><table>{it}</table></html>".encode()),
    "JSON lines": _raw("refuse", "a.json", lambda it: it.encode()),
    "no suffix": _raw("refuse", "lines", lambda it: it.encode()),
    "txt": _raw("either", "a.txt", lambda it: it.encode()),
    "two gzip members": _raw(
        "read", "a.csv.gz", lambda it: gzip.compress(it[:99].encode()) + gzip.compress(it[99:].encode())
    ),
    "two files in a zip": _raw(
        "read", "a.zip", lambda it: _zip(("1.csv", text(LINES[:12])), ("2.csv", text(LINES[12:])))
    ),
    "a zip with a stranger": _raw("either", "a.zip", lambda it: _zip(("1.csv", it), ("logo.png", b"\x89PNG"))),
    "a Mac's zip": _raw(
        "read", "a.zip", lambda it: _zip(("1.csv", it), ("__MACOSX/._1.csv", b"\0\5\x16\7"), ("b/", ""))
    ),
    "a zip in a zip": _raw("either", "a.zip", lambda it: _zip(("1.zip", _zip(("1.csv", it))))),
    "an empty zip": _raw("refuse", "a.zip", lambda it: _zip()),
    "two marks of a date in two files": files(
        "refuse",
        ("uk.csv", LINES, replace(CSV, dates="%d/%m/%Y %H:%M")),
        (
            "us.csv",
            [
                replace(it, invoice=f"9{it.invoice}", invoiced_at=it.invoiced_at.replace(day=1 + i % 12))
                for i, it in enumerate(LINES)
            ],
            replace(CSV, dates="%m/%d/%Y %H:%M"),
        ),
        data__datetime_format="%d/%m/%Y %H:%M",
    ),
    "two dialects by glob": files(
        "read",
        ("old/a.csv", LINES[:12], GERMAN),
        ("new/b.csv", LINES[12:], CSV),
        data__files={"old/*.csv": {"delimiter": ";", "decimal": ","}},
    ),
    "two dialects without": files("refuse", ("old/a.csv", LINES[:12], GERMAN), ("new/b.csv", LINES[12:], CSV)),
    "columns in another order": files(
        "read", ("a.csv", LINES[:12], CSV), ("b.csv", LINES[12:], replace(CSV, header="shuffled"))
    ),
    "zeros lost in the workbook": files(
        "refuse",
        ("a.csv", [replace(it, sku="02003") for it in LINES[:12]], CSV),
        ("b.xlsx", [replace(it, sku="2003") for it in LINES[12:]], XLSX),
    ),
    "zeros put back": files(
        "read",
        ("a.csv", [replace(it, sku="02003") for it in LINES[:12]], CSV),
        ("b.xlsx", [replace(it, sku="2003") for it in LINES[12:]], XLSX),
        shop__sku_width=5,
        lines=[replace(it, sku="02003") for it in LINES],
    ),
    "two members of one name": _raw(
        "either", "a.zip", lambda it: _zip(("1.csv", text(LINES[:12])), ("1.csv", text(LINES[12:])))
    ),
    "members of one name in two folders": _raw(
        "read", "a.zip", lambda it: _zip(("x/1.csv", text(LINES[:12])), ("y/1.csv", text(LINES[12:])))
    ),
    "a zip with a password": _raw("refuse", "a.zip", lambda it: _locked(_zip(("1.csv", it)))),
    "a workbook with a password": _raw("refuse", "a.xlsx", lambda it: bytes.fromhex("D0CF11E0A1B11AE1") + bytes(4096)),
    "tabs in gzip": _raw("either", "a.tsv.gz", lambda _: gzip.compress(text(LINES, TSV).encode())),
    "names with brackets": files("read", ("a [1].csv", LINES[:12], CSV), ("a [2]*.csv", LINES[12:], CSV)),
    "names of other alphabets": files("read", ("Größe 1.csv", LINES[:12], CSV), ("чай 2.csv", LINES[12:], CSV)),
    "a till that writes a row a unit": files("read", ("a.csv", UNITS, CSV), lines=UNITS),
    "a till's row a unit, exported twice": files("either", ("a.csv", UNITS, CSV), ("b.csv", UNITS, CSV), lines=UNITS),
    "a header alone beside": files("read", ("a.csv", LINES, CSV), ("b.csv", [], CSV)),
    "an empty file beside": _beside("either", "b.csv", b""),
    "what systems leave beside": _beside("read", "Thumbs.db", b"x", "desktop.ini", b"x", ".DS_Store", b"x"),
    "one column missing in a second file": _beside("refuse", "b.csv", b"InvoiceNo,StockCode\n1,2\n"),
    # workbooks
    "a copy of the sheet": book("either", lambda made: made.copy_worksheet(made.worksheets[0])),
    "a cover sheet": book("read", _sheet("Read me", [["Our sales"], ["made by", "me"]], 0)),
    "a sheet with one name changed": book("refuse", _sheet("2012", _renamed("Price"))),
    "a pivot sheet": book("either", _sheet("Pivot", [["StockCode", "Quantity"], ["22423", 99]])),
    "table not in the corner": book(
        "read", lambda made: (made.worksheets[0].insert_rows(1, 3), made.worksheets[0].insert_cols(1, 2))
    ),
    "1904 dates": book("either", lambda made: setattr(made, "epoch", dt.datetime(1904, 1, 1))),
    "1904 serials": book(
        "either",
        lambda made: (
            setattr(made, "epoch", dt.datetime(1904, 1, 1)),
            _each_cell(TIME, lambda line: (line.invoiced_at - dt.datetime(1904, 1, 1)) / dt.timedelta(days=1))(made),
        ),
        data__datetime_format="excel",
    ),
    "dates as numbers": book(
        "refuse", _each_cell(TIME, lambda line: (line.invoiced_at - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1))
    ),
    "half of the dates text": book(
        "refuse",
        lambda made: [
            _cell(i + 2, TIME, f"{it.invoiced_at:%d/%m/%Y %H:%M}")(made) for i, it in enumerate(LINES) if i % 2
        ],
        data__datetime_format="%d/%m/%Y %H:%M",
    ),
    "a date for a code": book(
        "refuse", lambda made: [_cell(i, 1, dt.datetime(2011, 3, 1))(made) for i in range(2, 20)]
    ),
    "numbers as text": book("read", _each_cell(PRICE, lambda line: str(line.unit_price))),
    "formulas never calculated": book("refuse", _each_cell(PRICE, lambda line: f"={line.unit_price}*1")),
    "error cells": book("refuse", lambda made: [_cell(i, PRICE, "#REF!")(made) for i in range(2, 12)]),
    "invoice only in its first row": book("refuse", lambda made: [_cell(i, 0, None)(made) for i in range(3, 26, 2)]),
    "styled rows below": book("read", lambda made: [_cell(i, 0, " ")(made) for i in range(40, 400)]),
    "a hidden sheet": book(
        "read", lambda made: (_sheet("old", [["x"]])(made), setattr(made.worksheets[1], "sheet_state", "hidden"))
    ),
    "percent for quantity": book("refuse", _each_cell(QUANTITY, lambda line: True)),
    "a sheet of a chart": book("read", _chart),
    "merged invoice cells": book(
        "refuse", lambda made: [made.worksheets[0].merge_cells(f"A{i}:A{i + 1}") for i in range(2, 25, 2)]
    ),
    "rows that a filter hides": book(
        "read", lambda made: [setattr(made.worksheets[0].row_dimensions[i], "hidden", True) for i in range(3, 9)]
    ),
    "a total below": book(
        "either", lambda made: [_cell(27, i, value)(made) for i, value in ((2, "Total"), (QUANTITY, 99), (PRICE, 9.5))]
    ),
    "codes as large floats": book("refuse", _each_cell(0, lambda line: 8.93901010235848e18)),
    "times of day for dates": book("refuse", _each_cell(TIME, lambda line: line.invoiced_at.time())),
    "prices in percent": book(
        "either", lambda made: [setattr(made.worksheets[0].cell(i, 6), "number_format", "0%") for i in range(2, 26)]
    ),
    "notes beside the table": book("either", lambda made: [_cell(i, 10, "checked")(made) for i in range(2, 9)]),
    "a second table beside": book("either", lambda made: [_cell(i, 12, i)(made) for i in range(1, 40)]),
    # columns with types
    "categories": parquet("read", sku=lambda it: pa.array([x.sku for x in it]).dictionary_encode()),
    "large strings": parquet("read", sku=lambda it: pa.array([x.sku for x in it], pa.large_string())),
    "string views": parquet("read", sku=lambda it: pa.array([x.sku for x in it], pa.string_view())),
    "decimals": parquet("read", unit_price=lambda it: pa.array([x.unit_price for x in it], pa.decimal128(12, 4))),
    "decimals of whole units": parquet(
        "read", quantity=lambda it: pa.array([x.quantity for x in it], pa.decimal128(12, 3))
    ),
    "short floats": parquet("read", unit_price=lambda it: pa.array([float(x.unit_price) for x in it], pa.float32())),
    "unsigned": parquet("read", quantity=lambda it: pa.array([int(x.quantity) for x in it], pa.uint64())),
    "codes of decimals": parquet("either", sku=lambda it: pa.array([Decimal(x.sku) for x in it], pa.decimal128(9, 2))),
    "nanoseconds": parquet("read", invoiced_at=lambda it: pa.array([x.invoiced_at for x in it], pa.timestamp("ns"))),
    "seconds": parquet("read", invoiced_at=lambda it: pa.array([x.invoiced_at for x in it], pa.timestamp("s"))),
    "times as text": parquet("read", invoiced_at=lambda it: pa.array([str(x.invoiced_at) for x in it])),
    "times as numbers": parquet(
        "refuse", invoiced_at=lambda it: pa.array([int(x.invoiced_at.timestamp()) for x in it])
    ),
    "times as serials": parquet("refuse", invoiced_at=lambda it: pa.array([40885.5 + i / 2 for i, _ in enumerate(it)])),
    "bytes for text": parquet("read", country=lambda it: pa.array([x.country.encode() for x in it])),
    "bytes that are no text": parquet("refuse", country=lambda it: pa.array([b"\xff\xfe" for _ in it])),
    "quantities true or false": parquet("refuse", quantity=lambda it: pa.array([True for _ in it])),
    "lists": parquet("refuse", quantity=lambda it: pa.array([[1] for _ in it])),
    "prices as text with commas": parquet(
        "refuse", unit_price=lambda it: pa.array([str(x.unit_price).replace(".", ",") for x in it])
    ),
    "words for nothing in text": parquet(
        "either", customer_id=lambda it: pa.array([x.customer_id or "nan" for x in it])
    ),
}
