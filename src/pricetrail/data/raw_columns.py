"""Raw tables to our columns under our names: what is no row is left out, and types are made alike."""

from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pricetrail.base.errors import SourceError
from pricetrail.base.params_data import FileFormat
from pricetrail.data.contract import LINE_COLUMNS
from pricetrail.data.headers import find_header, plain_name
from pricetrail.data.order_fields import fill_down, join
from pricetrail.data.source import RawTable, Source
from pricetrail.data.source_limits import Allowance
from pricetrail.data.text import CELL_TYPES, SOURCE_FILE, SOURCE_ROW

_LETTERS: Final = {"string": "t", "large_string": "t", "null": "t", "timestamp": "d", "bool": "b"}  # other types: n
_YEARS: Final = (-62135596800, 253402300799)  # 1 to 9999, as seconds from 1970


def parquet_columns(table: pa.Table, allowance: Allowance) -> RawTable:
    """A Parquet file; its first line is row 2, as below a header."""
    place, written = allowance.place, allowance.written()
    header = find_header(place, [table.column_names], written.model_copy(update={"header_row": 0}))
    columns = list(table.columns)
    for ours, at in header.positions.items():
        columns[at] = _plain(place, ours, columns[at], written)
    table = pa.Table.from_arrays(columns, names=[str(i) for i in range(len(columns))])
    source = Source(place, str(allowance.file), written, table.num_rows)
    return RawTable(source, header, table, pa.array(range(2, table.num_rows + 2), pa.int64()))


def named_columns(raw: RawTable) -> tuple[Source, pa.Table]:
    """Our columns under our names, with where each row came from; blank rows and headers are left out, and noted."""
    nothing = pa.nulls(raw.table.num_rows, pa.string())
    found = join({ours: raw.table.column(str(at)) for ours, at in raw.header.positions.items()})
    columns = dict.fromkeys(LINE_COLUMNS, nothing) | found
    name = _repeated(raw.source.name, raw.table.num_rows)
    types = (nothing if raw.types is None else raw.types).dictionary_encode()
    table = pa.table({**columns, SOURCE_FILE: name, SOURCE_ROW: raw.rows, CELL_TYPES: types})
    blank, again = _blank_rows(raw.table), _header_rows(table, raw)
    told = (("blank rows left out", blank), ("rows left out that repeat the header", again))
    notes = [f"{what}: {mask.sum()}" for what, mask in told if mask.any()]
    if notes:
        table = table.filter(pa.array(~(blank | again)))
    source = replace(raw.source, rows=table.num_rows, notes=(*raw.source.notes, *notes))
    return source, fill_down(source.name, table, source.written)


def _blank_rows(table: pa.Table) -> NDArray[np.bool_]:
    """Which rows hold nothing but spaces."""
    blank = np.ones(table.num_rows, dtype=bool)
    for column in table.columns:
        if not blank.any():
            break
        if pa.types.is_string(column.type):
            column = pc.if_else(pc.equal(pc.utf8_trim_whitespace(column), ""), None, column)
        blank &= column.is_null().to_numpy()
    return blank


def _header_rows(table: pa.Table, raw: RawTable) -> NDArray[np.bool_]:
    """Which rows are the header once more, as where exports were put together.

    Raises:
        SourceError: one has the names in another order, so the rows below it are written in another way.
    """
    again = np.zeros(table.num_rows, dtype=bool)
    names, ours = pa.array(raw.header.names.values()), list(raw.header.names)
    for column in (table.column("quantity"), table.column("invoiced_at")):
        if pa.types.is_string(column.type):
            again |= pc.is_in(column, names).to_numpy()
    for at in np.flatnonzero(again):
        row = table.select(ours).slice(at, 1).to_pylist()[0]
        told = {name: plain_name(str(cell or "")) for name, cell in row.items()}
        again[at] = told == raw.header.names
        if not again[at] and len({*told.values()} & {*raw.header.names.values()}) > len(told) / 2:
            rule = f"must not have the column names of row {raw.header.row} in another order: make it two files"
            raise SourceError(f"{raw.source.name}: row {table.column(SOURCE_ROW)[at]}", rule, ", ".join(told.values()))
    return again


def _plain(place: str, ours: str, column: pa.ChunkedArray, written: FileFormat) -> pa.ChunkedArray:
    """A column of numbers, text or local shop times: what a Parquet file may hold beyond them is brought back to it.

    Raises:
        SourceError: lists or structs, or bytes that are no text, or times that no calendar has.
    """
    name = written.columns.named()[ours]
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("s"))
        if pa.types.is_timestamp(column.type):
            if column.type.tz:
                column = pc.local_timestamp(
                    column.cast(pa.timestamp(column.type.unit, written.timezone or column.type.tz))
                )
            span = pc.min_max(column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())).as_py()
            if span["min"] is not None and not _YEARS[0] <= span["min"] <= span["max"] <= _YEARS[1]:
                raise SourceError(place, f"column {name!r} must hold times of the years 1 to 9999")
        if pa.types.is_decimal(column.type) or pa.types.is_float32(column.type):  # as short as it is written
            text = column.cast(pa.string())
            if ours in ("quantity", "unit_price"):
                return text.cast(pa.float64())
            return pc.replace_substring_regex(text, r"\.0+$", "")
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            return column.cast(pa.large_string())
    except pa.ArrowException as error:
        raise SourceError(place, f"column {name!r} must be readable: {error}") from None
    if pa.types.is_nested(column.type):
        raise SourceError(place, f"column {name!r} must hold plain values", str(column.type))
    return column


def alike(tables: list[pa.Table]) -> list[pa.Table]:
    """Tables with one schema: a column whose type differs between files becomes text in all of them."""
    types = {name: {table.schema.field(name).type for table in tables} for name in LINE_COLUMNS}
    mixed = [name for name, found in types.items() if len(found) > 1]
    return [_as_text(table, mixed) for table in tables]


def _as_text(table: pa.Table, names: list[str]) -> pa.Table:
    """Columns as text; where numbers, times or booleans become it, ``cell_types`` tells that they were."""
    letters = dict.fromkeys(LINE_COLUMNS, "t")
    for name in names:
        kind = str(table.schema.field(name).type)
        letters[name] = _LETTERS.get(kind.split("[")[0], "n")
        table = table.set_column(table.column_names.index(name), name, table.column(name).cast(pa.string()))
    if {*letters.values()} != {"t"}:
        types = _repeated("".join(letters.values()), table.num_rows)
        table = table.set_column(table.column_names.index(CELL_TYPES), CELL_TYPES, types)
    return table


def _repeated(text: str, rows: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), [text])
