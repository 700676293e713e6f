"""Workbooks (xlsx, xlsm) to raw tables: every sheet with the columns, and of what type each of its cells is."""

import datetime as dt
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final

import openpyxl  # type: ignore[import-untyped]
import pyarrow as pa
from openpyxl.cell.cell import ERROR_CODES  # type: ignore[import-untyped]
from openpyxl.utils.cell import column_index_from_string, coordinate_from_string  # type: ignore[import-untyped]
from openpyxl.utils.datetime import WINDOWS_EPOCH  # type: ignore[import-untyped]

from pricetrail.base.errors import SourceError
from pricetrail.base.params_data import FileFormat
from pricetrail.data.contract import LINE_COLUMNS
from pricetrail.data.headers import Header, NoHeaderError, find_header, header_rows
from pricetrail.data.source import RawTable, Source
from pricetrail.data.source_limits import BATCH_ROWS, Allowance, counted_rows

_NO_VALUE: Final = re.compile(  # a cell with a formula and no value: its attributes, its formula
    rb"<(?:\w+:)?c\b([^<>]*)>\s*<(?:\w+:)?f\b(?:[^<>]*/>|[^<>]*>([^<>]*)</(?:\w+:)?f>)"
    rb"\s*(?:<(?:\w+:)?v\b[^<>]*(?:/>|></(?:\w+:)?v>)\s*)?</(?:\w+:)?c>"
)
SOME: Final = 2  # required columns that make a sheet without the others one of lines whose columns were renamed

Row = tuple[Any, ...]


def read_workbook(source: Path | IO[bytes], allowance: Allowance) -> list[RawTable]:
    """Every sheet whose name is ``data.sheet`` and that has the columns.

    Raises:
        SourceError: a sheet has some of the columns, or none has all, or a formula has no value.
    """
    tables, passed = list[RawTable](), dict[str, SourceError]()
    with warnings.catch_warnings():  # of parts that hold no cells
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(source, read_only=True, data_only=True, keep_links=False)
        try:
            for sheet in book.worksheets:
                written = allowance.written(sheet.title)
                try:
                    tables.append(_read_sheet(sheet, written, allowance))
                except NoHeaderError as error:
                    if error.found >= SOME or (written.sheet and _is_named(sheet.title, written)):
                        rule = f"{error.rule}; or set data.sheet to the sheets that are lines"
                        raise SourceError(error.place, rule, error.value) from None
                    passed[sheet.title] = error
        finally:
            book.close()
    if not tables:
        found = "; ".join(f"{title}: {error.value or error.rule}" for title, error in passed.items())
        rule = "must have a sheet with the columns of data.columns (and the name of data.sheet)"
        raise next(iter(passed.values())) if len(passed) == 1 else SourceError(allowance.place, rule, found[:1000])
    if passed:
        note = f"sheets that are not read: {', '.join(passed)}"
        first = tables[0].source
        tables[0] = replace(tables[0], source=replace(first, notes=(*first.notes, note)))
    return tables


def _is_named(title: str, written: FileFormat) -> bool:
    return written.sheet in ("", title) or fnmatchcase(title, written.sheet)


def _read_sheet(sheet: Any, written: FileFormat, allowance: Allowance) -> RawTable:  # noqa: ANN401
    place = f"{allowance.place} [{sheet.title}]"
    if not _is_named(sheet.title, written):
        raise NoHeaderError(place, "must be named by data.sheet", sheet.title)
    rows = counted_rows(sheet, allowance)
    head = list(islice(rows, header_rows(written)))
    if not any(cell is not None for row in head for cell in row):
        raise NoHeaderError(place, "must have a header and lines, the sheet is empty")
    header = find_header(place, [["" if cell is None else str(cell) for cell in row] for row in head], written)
    if sheet.parent.epoch != WINDOWS_EPOCH and written.datetime_format == "excel":
        raise SourceError(place, "must count days from 1900, and counts them from 1904: make the times date cells")
    columns, numbers, types = _cells(chain(head[header.row :], rows), header)
    _require_values(sheet, header, place)
    names = [str(header.positions[ours]) for ours in header.positions]
    notes = [f"its header is row {header.row}"] if header.row > 1 else []
    if sheet.sheet_state != "visible":
        notes.append("the sheet is hidden")
    table = pa.Table.from_arrays(columns, names=names)
    source = Source(place, str(allowance.file), written, table.num_rows, tuple(notes))
    return RawTable(source, header, table, numbers, types)


def _cells(rows: Iterator[Row], header: Header) -> tuple[list[pa.ChunkedArray], pa.Array, pa.ChunkedArray]:
    """Our columns of the rows below the header as text, the number of each row, and the types of its cells."""
    at = [header.positions[ours] for ours in header.positions]
    order = [list(header.positions).index(ours) if ours in header.positions else -1 for ours in LINE_COLUMNS]
    parts = [list[pa.Array]() for _ in at]
    kinds, numbers = list[pa.Array](), list[int]()
    numbered = ((number, row) for number, row in enumerate(rows, start=header.row + 1) if _is_filled(row))
    while batch := list(islice(numbered, BATCH_ROWS)):
        numbers += [number for number, _ in batch]
        told = [[_told_cell(row[i]) if i < len(row) else (None, "-") for i in at] for _, row in batch]
        for i, part in enumerate(parts):
            part.append(pa.array([cells[i][0] for cells in told], pa.string()))
        letters = ["".join("-" if i < 0 else cells[i][1] for i in order) for cells in told]
        kinds.append(pa.array(letters, pa.string()))
    columns = [pa.chunked_array(part, pa.string()) for part in parts]
    return columns, pa.array(numbers, pa.int64()), pa.chunked_array(kinds, pa.string())


def _is_filled(row: Row) -> bool:
    return any(cell is not None and (not isinstance(cell, str) or cell.strip()) for cell in row)


def _told_cell(value: object) -> tuple[str | None, str]:
    """A cell as text, and the letter of its type; a whole number has no point."""
    if value is None or value == "":
        return None, "-"
    if isinstance(value, str):
        return value, "e" if value in ERROR_CODES else "t"
    if isinstance(value, bool):
        return str(value), "b"
    if isinstance(value, float):
        return repr(int(value) if value.is_integer() else value), "n"
    return str(value), "d" if isinstance(value, dt.date | dt.time | dt.timedelta) else "n"


def _require_values(sheet: Any, header: Header, place: str) -> None:  # noqa: ANN401
    """Refuse formulas whose value the file does not hold: programs write them, and Excel adds it when it saves."""
    with sheet._get_source() as xml:
        cells = _NO_VALUE.finditer(xml.read())
    for cell in cells:
        address, kind = (re.search(rb"\b%b=[\"']([^\"']*)" % name, cell[1]) for name in (b"r", b"t"))
        column, row = coordinate_from_string(address[1].decode()) if address else ("", 0)
        at = column_index_from_string(column) - 1 if column else -1
        is_text = kind is not None and kind[1] == b"str"  # its value is an empty text
        if not address or (row > header.row and at in header.positions.values() and not is_text):
            rule = "must hold the value of its formula: open the file in Excel, save it, and try again"
            raise SourceError(f"{place}: cell {column}{row or ''}", rule, f"={(cell[2] or b'').decode()}")
