"""Files that people report trouble with, made by hand after public reports; each must be read right, or be refused.

A trouble writes its files into a folder and returns what is true: the settings beside the shipped ones, the lines, and
whether only a refusal (``refuse``), only the lines (``read``) or either is right.
"""

from __future__ import annotations

import datetime as dt
import gzip
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from support.dialects import Dialect, Line, Settings, cells, csv_bytes, header, text_row, truth, write_rows

CSV: Final = Dialect(codes="digits")
XLSX: Final = Dialect(kind="xlsx typed", codes="digits")
GERMAN: Final = replace(CSV, delimiter=";", decimal=",")
Must = Literal["read", "refuse", "either"]


@dataclass(frozen=True)
class Truth:
    """What is true of a trouble's files."""

    lines: Sequence[Line]
    must: Must = "either"
    settings: Settings = field(default_factory=dict)


Make = Callable[[Path], Truth]
TROUBLES: Final[dict[str, Make]] = {}


def lines_of(base: Dialect = CSV, count: int = 24) -> list[Line]:
    """Lines without line breaks in them."""
    return [replace(line, description=(line.description or "X").replace("\n", " ")) for line in truth(base, count)]


LINES: Final = lines_of()


def text(lines: Sequence[Line] = LINES, base: Dialect = CSV) -> str:
    """The CSV text of lines."""
    return csv_bytes(cells(lines, base), base).decode(base.encoding)


def edited(must: Must, edit: Callable[[str], str | bytes], **settings: object) -> Make:
    """A trouble that is an edit of the plain file's text, its lines as they were."""

    def make(folder: Path) -> Truth:
        made = edit(text())
        (folder / "a.csv").write_bytes(made.encode() if isinstance(made, str) else made)
        return Truth(LINES, must, {key.replace("__", "."): value for key, value in settings.items()})

    return make


def each_line(edit: Callable[[int, str], str]) -> Callable[[str], str]:
    """An edit of each line of text by its number, the header's 0."""
    return lambda whole: "".join(edit(i, line) + "\n" for i, line in enumerate(whole.splitlines()))


def column(index: int, edit: Callable[[int, str], str]) -> Callable[[str], str]:
    """An edit of one column's cells, unquoted, by the number of their line from 0."""

    def of_text(_: str) -> str:
        rows = cells(LINES, CSV)
        for i, row in enumerate(rows[1:]):
            row[index] = edit(i, str(row[index]))
        return csv_bytes(rows, CSV).decode()

    return of_text


def _at(line: int, change: Callable[[str], str]) -> Callable[[str], str]:
    return each_line(lambda i, row: change(row) if i == line else row)


SWAPPED: Final = ",".join((header(CSV)[1], header(CSV)[0], *header(CSV)[2:]))
QUANTITY, TIME, PRICE, CUSTOMER = 3, 4, 5, 6

EDITS: Final[Mapping[str, Make]] = {
    # structure of CSV
    "unpaired quote swallows lines": edited(
        "refuse", each_line(lambda i, row: row.replace(",WHITE HEART,", ',"WHITE HEART,') if i in (1, 10) else row)
    ),
    "unpaired quote to the end": edited("refuse", _at(24, lambda row: row.replace(",TWO", ',"TWO'))),
    "inch mark inside a field": edited("read", lambda it: it.replace('"SIZE 12"" LAMP"', 'SIZE 12" LAMP')),
    "one delimiter too many": edited("refuse", _at(7, lambda row: row.replace(",", ",X,", 1))),
    "trailing delimiter everywhere": edited("read", each_line(lambda _, row: row + ",")),
    "trailing delimiter below the header": edited("either", each_line(lambda i, row: row + "," if i else row)),
    "empty columns take unquoted decimal commas": edited(
        "refuse",
        each_line(lambda i, row: row + ",," if i == 0 else ",".join(
            [*text_row(LINES[i - 1], CSV)[:2], "X", *text_row(LINES[i - 1], CSV)[3:5], "2,5",
             *text_row(LINES[i - 1], CSV)[6:], ""])),
    ),
    "comment above": edited("either", lambda it: "# exported 2012-01-01\n" + it),
    "comment in the middle": edited("either", _at(9, lambda row: row + "\n# page 2")),
    "header again": edited("either", _at(9, lambda row: row + "\n" + ",".join(header(CSV)))),
    "second table with its columns in another order": edited("refuse", _at(9, lambda row: row + "\n\n" + SWAPPED)),
    "second header without a blank row": edited("refuse", _at(9, lambda row: row + "\n" + SWAPPED)),
    "files put together without a line end": edited("refuse", lambda it: it.rstrip("\n") + it),
    "byte-order mark in the middle": edited("either", _at(9, lambda row: row + "\n\ufeff" + ",".join(header(CSV)))),
    "zeros at the end": edited("either", lambda it: it.encode() + bytes(512)),
    "control-Z at the end": edited("either", lambda it: it + "\x1a"),
    "line ends of two kinds": edited("read", each_line(lambda i, row: row + "\r" * (i % 2))),
    "padded cells": edited("either", each_line(lambda i, row: " ,".join(row.split(",")) if '"' not in row else row)),
    "space before a quote": edited("either", lambda it: it.replace(',"', ', "')),
    "blank rows between": edited("read", each_line(lambda _, row: row + "\n")),
    "rows of delimiters between": edited("read", each_line(lambda i, row: row + "\n,,,,,,," if i % 5 == 0 else row)),
    "rows of blanks between": edited("either", each_line(lambda i, row: row + "\n , ,,,,,," if i % 5 == 0 else row)),
    "total row": edited("either", lambda it: it + "Total,,,12345,,999.5,,\n"),
    "total row with a date": edited("either", lambda it: it + ",,Total,12345,2011-12-19 23:59:59,999.5,,\n"),
    "names in another case": edited("refuse", _at(0, str.lower)),
    "name with a no-break space": edited("either", _at(0, lambda row: row.replace("UnitPrice", "\u00a0UnitPrice"))),
    "name with a line break": edited("either", _at(0, lambda row: row.replace("UnitPrice", '"Unit\nPrice"'))),
    "two price columns of one name": edited("refuse", each_line(lambda i, row: row + (",UnitPrice" if i == 0 else ",9"))),
    "utf-16 without a mark": edited("either", lambda it: it.encode("utf-16-le")),
    "utf-32": edited("either", lambda it: it.encode("utf-32")),
    "letters in two encodings": edited("refuse", lambda it: it.encode().replace("Ö".encode(), "Ö".encode("cp1252"), 1)),
    # numbers
    "thousands with a point in some rows": edited("refuse", column(QUANTITY, lambda i, it: "1.000" if it == "1000" else it)),
    "quantities of thousands with a comma": edited("refuse", column(QUANTITY, lambda _, it: f"{int(it):,}")),
    "prices all ambiguous": edited("refuse", column(PRICE, lambda i, it: f"{i % 9 + 1}.{i % 7 + 1}00")),
    "both decimal marks": edited("refuse", column(PRICE, lambda i, it: it.replace(".", ",") if i % 2 else it)),
    "own currency before": edited("read", column(PRICE, lambda _, it: f"£{it}")),
    "own currency behind": edited("read", column(PRICE, lambda _, it: f"{it} £")),
    "own currency's code": edited("either", column(PRICE, lambda _, it: f"GBP {it}")),
    "another currency": edited("refuse", column(PRICE, lambda _, it: f"€{it}")),
    "two currencies": edited("refuse", column(PRICE, lambda i, it: f"{'£$'[i % 2]}{it}")),
    "prices in pence": edited("refuse", column(PRICE, lambda _, it: f"{it}p")),
    "percent": edited("refuse", column(PRICE, lambda _, it: f"{it}%")),
    "quantities with zeros behind": edited("read", column(QUANTITY, lambda _, it: f"{it}.00")),
    "quantities with three zeros behind": edited("either", column(QUANTITY, lambda _, it: f"{it}.000")),
    "quantities with a plus": edited("either", column(QUANTITY, lambda _, it: f"+{it}")),
    "quantities as powers": edited("either", column(QUANTITY, lambda _, it: f"{float(it):.4E}")),
    "quantities with a word": edited("refuse", column(QUANTITY, lambda _, it: f"{it} pcs")),
    "quantities times": edited("refuse", column(QUANTITY, lambda _, it: f"x{it}")),
    "Indian groups": edited("refuse", column(QUANTITY, lambda _, it: f"1,{it:0>2.2},456"), data__thousands=","),
    "groups of four": edited("refuse", column(QUANTITY, lambda _, it: "1,2345"), data__thousands=","),
    "Arabic digits": edited("either", column(QUANTITY, lambda _, it: it.translate({48 + i: 0x660 + i for i in range(10)}))),
    "wide digits": edited("either", column(QUANTITY, lambda _, it: it.translate({48 + i: 0xFF10 + i for i in range(10)}))),
    "underscores": edited("either", column(QUANTITY, lambda _, it: f"{int(it):_}")),
    "thin spaces": edited("either", column(QUANTITY, lambda _, it: f"{int(it):,}".replace(",", "\u202f")), data__thousands=" "),
    "no-break spaces": edited("read", column(QUANTITY, lambda _, it: f"{int(it):,}".replace(",", "\u00a0")), data__thousands=" "),
    "Swiss apostrophes": edited("either", column(QUANTITY, lambda _, it: f"{int(it):,}".replace(",", "\u2019")), data__thousands="'"),
    "thousands mark is wrong": edited("refuse", column(QUANTITY, lambda _, it: f"{int(it):,}"), data__thousands="'"),
    # dates
    "half of the dates converted": edited(
        "refuse", column(TIME, lambda i, _: _half(LINES[i].invoiced_at)), data__datetime_format="%d/%m/%Y %H:%M"
    ),
    "half converted, ISO set": edited("refuse", column(TIME, lambda i, _: _half(LINES[i].invoiced_at))),
    "serial numbers": edited("refuse", column(TIME, lambda i, _: f"{40885 + i / 2 + 0.25}")),
    "whole serial numbers": edited("refuse", column(TIME, lambda i, _: f"{40885 + i // 2}")),
    "epoch seconds": edited("refuse", column(TIME, lambda i, _: f"{1323331200 + 43200 * i}")),
    "epoch seconds, excel set": edited(
        "refuse", column(TIME, lambda i, _: f"{1323331200 + 43200 * i}"), data__datetime_format="excel"
    ),
    "epoch milliseconds": edited("refuse", column(TIME, lambda i, _: f"{1323331200000 + 43200000 * i}")),
    "years alone": edited("refuse", column(TIME, lambda i, _: f"{2008 + i // 6}")),
    "months alone": edited("refuse", column(TIME, lambda i, _: f"2011-{1 + i // 3:02}")),
    "days of the year": edited("refuse", column(TIME, lambda i, _: f"2011-{100 + i}")),
    "times alone": edited("refuse", column(TIME, lambda i, _: f"{8 + i % 9:02}:30")),
    "zone names behind": edited("either", column(TIME, lambda _, it: f"{it} GMT")),
    "a zone in some rows": edited("refuse", column(TIME, lambda i, it: it + "-05:00" * (i % 2))),
    "zones far apart": edited("refuse", column(TIME, lambda i, it: it + ("+09:00" if i % 2 else "-05:00"))),
    "parts of a second": edited("read", column(TIME, lambda i, it: it + ".000" * (i % 2))),
    "T between in some rows": edited("either", column(TIME, lambda i, it: it.replace(" ", "T") if i % 2 else it)),
    "hours of one digit": edited("either", column(TIME, lambda _, it: it.replace(" 0", " "))),
    "day and month of one digit": edited("either", column(TIME, lambda i, it: f"{LINES[i].invoiced_at:%Y-%-m-%-d %H:%M}")),
    "weekday before": edited("either", column(TIME, lambda i, it: f"{LINES[i].invoiced_at:%a} {it}")),
    "year of two digits, order wrong": edited(
        "refuse", column(TIME, lambda i, _: f"{_early(i):%d/%m/%y %H:%M}"), data__datetime_format="%y/%m/%d %H:%M"
    ),
    "day and month swapped, all early": edited(
        "refuse", column(TIME, lambda i, _: f"{_early(i):%d/%m/%Y %H:%M}"), data__datetime_format="%m/%d/%Y %H:%M"
    ),
    "month by name, year or day first": edited(
        "refuse", column(TIME, lambda i, _: f"{_early(i):%d-%b-%y %H:%M}"), data__datetime_format="%y-%b-%d %H:%M"
    ),
    # codes and words for nothing
    "codes shortened to powers": edited("refuse", column(1, lambda i, _: f"5.01E+{12 + i % 2}")),
    "codes as floats": edited("read", column(1, lambda _, it: f"{it}.0")),
    "some codes as floats": edited("either", column(1, lambda i, it: it + ".0" * (i % 2))),
    "customers as floats": edited("read", column(CUSTOMER, lambda _, it: f"{it}.0" if it else it)),
    "codes as formulas": edited("either", column(1, lambda _, it: f'="{it}"')),
    "codes with apostrophes": edited("either", column(1, lambda _, it: f"'{it}")),
    "codes with no-break spaces": edited("either", column(1, lambda i, it: it + "\u00a0" * (i % 2))),
    "codes with zero-width spaces": edited("either", column(1, lambda i, it: it + "\u200b" * (i % 2))),
    "zeros lost from some codes": edited("refuse", column(1, lambda i, _: "02003" if i % 2 else "2003")),
}  # fmt: skip


def _early(i: int) -> dt.datetime:
    """One of five December days, all below 13."""
    return dt.datetime(2011, 12, 5 + i // 5, 8 + i % 5, 15)


def _half(time: dt.datetime) -> str:
    """A d/m/Y time as a spreadsheet that expects m/d/Y leaves it: early days are turned, the others stay text."""
    return f"{time:%Y-%d-%m %H:%M:%S}" if time.day <= 12 else f"{time:%d/%m/%Y %H:%M}"


# whole files, sheets and columns with types


def files(must: Must, *parts: tuple[str, Sequence[Line], Dialect], lines: Sequence[Line] = LINES, **own: object) -> Make:
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


FIRST, LAST = LINES[:14], LINES[10:]
TROUBLES.update(EDITS)
TROUBLES.update(
    {
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
        "two gzip members": _raw("read", "a.csv.gz", lambda it: gzip.compress(it[:99].encode()) + gzip.compress(it[99:].encode())),
        "two files in a zip": _raw("read", "a.zip", lambda it: _zip(("1.csv", text(LINES[:12])), ("2.csv", text(LINES[12:])))),
        "a zip with a stranger": _raw("either", "a.zip", lambda it: _zip(("1.csv", it), ("logo.png", b"\x89PNG"))),
        "a Mac's zip": _raw("read", "a.zip", lambda it: _zip(("1.csv", it), ("__MACOSX/._1.csv", b"\0\5\x16\7"), ("b/", ""))),
        "a zip in a zip": _raw("either", "a.zip", lambda it: _zip(("1.zip", _zip(("1.csv", it))))),
        "an empty zip": _raw("refuse", "a.zip", lambda it: _zip()),
        "two marks of a date in two files": files(
            "refuse", ("uk.csv", LINES, replace(CSV, dates="%d/%m/%Y %H:%M")),
            ("us.csv", [replace(it, invoice=f"9{it.invoice}", invoiced_at=it.invoiced_at.replace(day=1 + i % 12)) for i, it in enumerate(LINES)],
             replace(CSV, dates="%m/%d/%Y %H:%M")), data__datetime_format="%d/%m/%Y %H:%M",
        ),
        "two dialects by glob": files(
            "read", ("old/a.csv", LINES[:12], GERMAN), ("new/b.csv", LINES[12:], CSV),
            data__files={"old/*.csv": {"delimiter": ";", "decimal": ","}},
        ),
        "two dialects without": files("refuse", ("old/a.csv", LINES[:12], GERMAN), ("new/b.csv", LINES[12:], CSV)),
        "columns in another order": files("read", ("a.csv", LINES[:12], CSV), ("b.csv", LINES[12:], replace(CSV, header="shuffled"))),
        "zeros lost in the workbook": files(
            "refuse", ("a.csv", [replace(it, sku="02003") for it in LINES[:12]], CSV),
            ("b.xlsx", [replace(it, sku="2003") for it in LINES[12:]], XLSX),
        ),
        "zeros put back": files(
            "read", ("a.csv", [replace(it, sku="02003") for it in LINES[:12]], CSV),
            ("b.xlsx", [replace(it, sku="2003") for it in LINES[12:]], XLSX), shop__sku_width=5,
            lines=[replace(it, sku="02003") for it in LINES],
        ),
        # workbooks
        "a copy of the sheet": book("either", lambda made: made.copy_worksheet(made.worksheets[0])),
        "a cover sheet": book("read", _sheet("Read me", [["Our sales"], ["made by", "me"]], 0)),
        "a sheet with one name changed": book("refuse", _sheet("2012", _renamed("Price"))),
        "a pivot sheet": book("either", _sheet("Pivot", [["StockCode", "Quantity"], ["22423", 99]])),
        "table not in the corner": book("read", lambda made: (made.worksheets[0].insert_rows(1, 3), made.worksheets[0].insert_cols(1, 2))),
        "1904 dates": book("either", lambda made: setattr(made, "epoch", dt.datetime(1904, 1, 1))),
        "1904 serials": book("either", lambda made: (setattr(made, "epoch", dt.datetime(1904, 1, 1)), _each_cell(
            TIME, lambda line: (line.invoiced_at - dt.datetime(1904, 1, 1)) / dt.timedelta(days=1))(made)), data__datetime_format="excel"),
        "dates as numbers": book("refuse", _each_cell(TIME, lambda line: (line.invoiced_at - dt.datetime(1899, 12, 30)) / dt.timedelta(days=1))),
        "half of the dates text": book("refuse", lambda made: [_cell(i + 2, TIME, f"{it.invoiced_at:%d/%m/%Y %H:%M}")(made) for i, it in
                                       enumerate(LINES) if i % 2], data__datetime_format="%d/%m/%Y %H:%M"),
        "a date for a code": book("refuse", lambda made: [_cell(i, 1, dt.datetime(2011, 3, 1))(made) for i in range(2, 20)]),
        "numbers as text": book("read", _each_cell(PRICE, lambda line: str(line.unit_price))),
        "formulas never calculated": book("refuse", _each_cell(PRICE, lambda line: f"={line.unit_price}*1")),
        "error cells": book("refuse", lambda made: [_cell(i, PRICE, "#REF!")(made) for i in range(2, 12)]),
        "invoice only in its first row": book("refuse", lambda made: [_cell(i, 0, None)(made) for i in range(3, 26, 2)]),
        "styled rows below": book("read", lambda made: [_cell(i, 0, " ")(made) for i in range(40, 400)]),
        "a hidden sheet": book("read", lambda made: (_sheet("old", [["x"]])(made), setattr(made.worksheets[1], "sheet_state", "hidden"))),
        "percent for quantity": book("refuse", _each_cell(QUANTITY, lambda line: True)),
        # columns with types
        "categories": parquet("read", sku=lambda it: pa.array([x.sku for x in it]).dictionary_encode()),
        "large strings": parquet("read", sku=lambda it: pa.array([x.sku for x in it], pa.large_string())),
        "string views": parquet("read", sku=lambda it: pa.array([x.sku for x in it], pa.string_view())),
        "decimals": parquet("read", unit_price=lambda it: pa.array([x.unit_price for x in it], pa.decimal128(12, 4))),
        "decimals of whole units": parquet("read", quantity=lambda it: pa.array([x.quantity for x in it], pa.decimal128(12, 3))),
        "short floats": parquet("read", unit_price=lambda it: pa.array([float(x.unit_price) for x in it], pa.float32())),
        "unsigned": parquet("read", quantity=lambda it: pa.array([int(x.quantity) for x in it], pa.uint64())),
        "codes of decimals": parquet("either", sku=lambda it: pa.array([Decimal(x.sku) for x in it], pa.decimal128(9, 2))),
        "nanoseconds": parquet("read", invoiced_at=lambda it: pa.array([x.invoiced_at for x in it], pa.timestamp("ns"))),
        "seconds": parquet("read", invoiced_at=lambda it: pa.array([x.invoiced_at for x in it], pa.timestamp("s"))),
        "times as text": parquet("read", invoiced_at=lambda it: pa.array([str(x.invoiced_at) for x in it])),
        "times as numbers": parquet("refuse", invoiced_at=lambda it: pa.array([int(x.invoiced_at.timestamp()) for x in it])),
        "times as serials": parquet("refuse", invoiced_at=lambda it: pa.array([40885.5 + i / 2 for i, _ in enumerate(it)])),
        "bytes for text": parquet("read", country=lambda it: pa.array([x.country.encode() for x in it])),
        "bytes that are no text": parquet("refuse", country=lambda it: pa.array([b"\xff\xfe" for _ in it])),
        "quantities true or false": parquet("refuse", quantity=lambda it: pa.array([True for _ in it])),
        "lists": parquet("refuse", quantity=lambda it: pa.array([[1] for _ in it])),
        "prices as text with commas": parquet("refuse", unit_price=lambda it: pa.array([str(x.unit_price).replace(".", ",") for x in it])),
        "words for nothing in text": parquet("either", customer_id=lambda it: pa.array([x.customer_id or "nan" for x in it])),
    }
)  # fmt: skip
