"""Laws of workbooks: every sheet of lines is read, or named; a cell is what its type says."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import pytest

from pricetrail.base.errors import SourceError
from pricetrail.data import source_files
from pricetrail.data.contract import LINE_COLUMNS
from pricetrail.data.source import RawLines
from pricetrail.data.text import CELL_TYPES
from support.tables import HEADER, SHOP, data_settings

Cells = Sequence[Sequence[object]]
OTHER = (*HEADER[:5], "Price", *HEADER[6:])


def read(folder: Path, sheets: dict[str, Cells], **dials: object) -> RawLines:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(list(row))
        sheet.sheet_state = "hidden" if title == "hidden" else "visible"
    book.save(folder / "a.xlsx")
    return source_files.read_lines(data_settings(folder / "a.xlsx", **dials))


def test_every_sheet_with_the_columns_is_read(tmp_path: Path) -> None:
    cover, titled = [["Our shop"], ["made by"]], [["2011"], [], HEADER, *SHOP[2:3]]
    sheets = {"Cover": cover, "2010": [HEADER, *SHOP[:2]], "Sheet9": [], "2011": titled, "hidden": [HEADER, SHOP[3]]}
    raw = read(tmp_path, sheets)
    told = {source.name.removeprefix(f"{tmp_path}/a.xlsx "): (source.rows, source.notes) for source in raw.sources}
    unread = ("sheets that are not read: Cover, Sheet9",)
    assert told == {
        "[2010]": (2, unread),
        "[2011]": (1, ("its header is row 3",)),
        "[hidden]": (1, ("the sheet is hidden",)),
    }
    assert raw.table["source_row"].tolist() == [2, 3, 4, 2]


@pytest.mark.parametrize(
    ("sheets", "dials", "rule"),
    [
        (
            {"2010": [HEADER, *SHOP], "2011": [OTHER, *SHOP]},
            {},
            r"\[2011\]: must have column 'UnitPrice' \(.*; 'Price' is like it\); or set data.sheet",
        ),
        ({"A": [["Our shop"]], "B": [["x", "y"]]}, {}, r": must have a sheet with .*, got 'A: Our shop; B: x, y'"),
        ({"A": [HEADER, *SHOP]}, {"sheet": "B*"}, r"\[A\]: must be named by data.sheet, got 'A'"),
        ({"A": [HEADER, *SHOP], "B": [["x"]]}, {"sheet": "B"}, r"\[B\]: must have column 'InvoiceNo'"),
        ({"A": [HEADER, [*SHOP[0][:3], "=1+1", *SHOP[0][4:]]]}, {}, r"\[A\]: cell D2: must hold the value of its form"),
    ],
    ids=["renamed", "none", "not named", "named, no lines", "formula"],
)
def test_a_sheet_is_not_left_out_in_silence(
    tmp_path: Path, sheets: dict[str, Cells], dials: dict[str, str], rule: str
) -> None:
    with pytest.raises(SourceError) as caught:
        read(tmp_path, sheets, **dials)
    assert re.search(rf"a\.xlsx ?{rule}", str(caught.value)), caught.value


def test_a_sheet_is_picked_by_name_or_glob(tmp_path: Path) -> None:
    sheets = {"2010": [HEADER, *SHOP[:2]], "2011": [OTHER, *SHOP[2:]], "2011 b": [HEADER, *SHOP[2:3]]}
    assert len(read(tmp_path, sheets, sheet="2010").table) == 2
    assert len(read(tmp_path, sheets, sheet="2011 b").table) == 1
    by_sheet = {"a.xlsx/2011": {"columns": {"unit_price": "Price"}}}
    assert len(read(tmp_path, sheets, files=by_sheet).table) == 5


def test_cells_keep_their_types(tmp_path: Path) -> None:
    day = dt.datetime(2010, 12, 1, 8, 26)
    rows: Cells = [
        (536365, 22423.0, "X", 2.5, day, 1e-7, None, True),
        ("536366", "02003", "#N/A", "1.000", day.date(), 12, " ", "#REF!"),
    ]
    raw = read(tmp_path, {"A": [HEADER, *rows]}).table
    table = raw[list(LINE_COLUMNS)].astype(object)
    assert table.where(table.notna(), None).to_numpy().tolist() == [
        ["536365", "22423", "X", "2.5", "2010-12-01 08:26:00", "1e-07", None, "True"],
        ["536366", "02003", "#N/A", "1.000", "2010-12-01 00:00:00", "12", " ", "#REF!"],
    ]
    assert raw[CELL_TYPES].tolist() == ["nntndn-b", "ttetdnte"]


def test_what_a_sheet_says_of_its_size_is_not_believed(tmp_path: Path) -> None:
    read(tmp_path, {"A": [HEADER, *SHOP]})
    with zipfile.ZipFile(tmp_path / "a.xlsx") as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    for size in (b"A1", b"A1:XFD1048576"):
        with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as packed:
            for name, part in parts.items():
                packed.writestr(name, re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="%b"' % size, part))
        assert len(source_files.read_lines(data_settings(tmp_path)).table) == len(SHOP)


def test_empty_cells_with_a_format_cost_nothing(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (HEADER, *SHOP):
        book.worksheets[0].append(list(row))
    for row in range(1, 40):
        book.worksheets[0].cell(row, 5000).number_format = "0.00"
    book.save(tmp_path / "a.xlsx")
    (source,) = source_files.read_lines(data_settings(tmp_path)).sources
    assert source.rows == len(SHOP)


def test_serial_numbers_from_1904_are_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    for row in (HEADER, *SHOP):
        book.worksheets[0].append(list(row))
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(SourceError, match="must count days from 1900"):
        source_files.read_lines(data_settings(tmp_path, datetime_format="excel"))
