"""Layouts that do not have one column a field on each line: order fields once an order, day and time apart, totals."""

from collections.abc import Mapping
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pricetrail.base.errors import SourceError
from pricetrail.base.params_data import FileFormat
from pricetrail.data.contract import LINE_COLUMNS
from pricetrail.data.text import CELL_TYPES, SOURCE_FILE, SOURCE_ROW

INVOICE, TIME, CURRENCY = "invoice", "invoiced_at", "currency"
_CLOCK: Final = r"[ t]+\d{1,2}:.*$"
_MIDNIGHT: Final = r"[ T]00:00:00(\.0+)?$"  # what Excel puts behind a day


def join(columns: Mapping[str, pa.ChunkedArray]) -> dict[str, pa.ChunkedArray]:
    """Columns whose second part has a name of its own (``invoiced_at 2``) as one, with blanks between.

    A row that lacks a part is missing.
    """
    joined = dict[str, pa.ChunkedArray]()
    for name, column in columns.items():
        ours = name.split(" ")[0]
        if ours in joined:
            texts = [pc.utf8_trim_whitespace(part.cast(pa.string())) for part in (joined[ours], column)]
            texts[0] = pc.replace_substring_regex(texts[0], _MIDNIGHT, "")
            texts = [pc.if_else(pc.equal(text, ""), None, text) for text in texts]
            column = pc.binary_join_element_wise(*texts, " ", null_handling="emit_null")
        joined[ours] = column
    return joined


def fill_down(place: str, table: pa.Table, written: FileFormat) -> pa.Table:
    """Give the lines of an order what stands on one of them only (``data.fill_down``).

    By the number of the invoice, not by the line above: a sorted file reads alike, and a guest gets nothing of the
    order before. Only an invoice's own number can come from the line above.

    Raises:
        SourceError: a blank could be two things, as its invoice has two values in that column, or lines of two days.
    """
    if not written.fill_down:
        return table
    texts = pd.DataFrame({name: _texts(table, name, written) for name in {*written.fill_down, INVOICE, TIME}})
    rows = pd.DataFrame(dict.fromkeys(written.fill_down, texts.index))
    givers = rows.where(texts[[*written.fill_down]].notna())  # the rows that the values are taken from
    numbered = [INVOICE] if INVOICE in written.fill_down else []
    invoice = texts[INVOICE].ffill() if numbered else texts[INVOICE]
    if invoice.isna().all():  # no line, or none that can be told to be of an order
        return table
    firsts = givers.groupby(invoice).transform("first")
    firsts[numbered] = givers[numbered].ffill()
    givers = givers.fillna(firsts)
    filled = texts[givers.columns].isna() & givers.notna()
    days = texts[TIME].str.replace(_CLOCK, "", regex=True).rename(TIME)
    for told in (*(texts[name] for name in givers if name != INVOICE), days):
        blank = (filled if told is days else filled[[told.name, *numbered]]).any(axis=1)
        unsure = blank & (told.groupby(invoice).transform("nunique") > 1)
        if unsure.any():
            at = int(unsure.to_numpy().argmax())
            rule = f"{told.name} must have one value for an invoice whose blanks data.fill_down fills"
            two = " and ".join(told[invoice == invoice[at]].dropna().unique()[:2])
            raise SourceError(f"{place}: row {table.column(SOURCE_ROW)[at]}", f"{rule}; invoice {invoice[at]} has", two)
    for name in written.fill_down:
        rows_of = pa.array(givers[name], pa.int64(), from_pandas=True)
        table = _set(table, name, table.column(name).take(rows_of))
        if name in LINE_COLUMNS and table.column(CELL_TYPES).null_count == 0:
            at, types = LINE_COLUMNS.index(name), table.column(CELL_TYPES).cast(pa.string())
            letter = pc.fill_null(pc.utf8_slice_codeunits(types, at, at + 1).take(rows_of), "-")
            ends = pc.utf8_slice_codeunits(types, 0, at), pc.utf8_slice_codeunits(types, at + 1)
            types = pc.binary_join_element_wise(ends[0], letter, ends[1], "")
            table = _set(table, CELL_TYPES, types.dictionary_encode())
    return table


def require_whole_order(before: pa.Table, place: str, table: pa.Table, written: FileFormat) -> None:
    """Refuse an order that a file ends with and the next one goes on with: nothing is filled down across files.

    Raises:
        SourceError: the first line lacks what the last one of the table before it, of the same invoice, has.
    """
    shared = [name for name in (INVOICE, *written.fill_down) if name in before.column_names]
    ends = before.slice(max(0, before.num_rows - 1)), table.slice(0, 1)
    last, first = ({name: _texts(end, name, written).get(0) for name in shared} for end in ends)
    lacking = [name for name in shared if pd.notna(last[name]) and pd.isna(first[name])]
    if lacking and last[INVOICE] == first[INVOICE]:
        rule = (
            f"must have {lacking[0]} on its first line: the file before ends within the same order, put them together"
        )
        raise SourceError(f"{place}: row {table.column(SOURCE_ROW)[0]}", rule, first[INVOICE])


def _texts(table: pa.Table, name: str, written: FileFormat) -> pd.Series:
    """A column as trimmed text in small letters; missing where it says nothing."""
    told: pd.Series = pc.utf8_lower(pc.utf8_trim_whitespace(table.column(name).cast(pa.string()))).to_pandas()
    return told.mask(told.isin({"", *(word.strip().lower() for word in written.missing)}))


def _set(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def require_currency(raw: pd.DataFrame, currency: str) -> None:
    """Stop where a line tells that it is in another currency: prices of two currencies are no prices.

    Raises:
        SourceError: naming the first such row.
    """
    if CURRENCY not in raw:
        return
    told = raw[CURRENCY].astype("str").str.strip().str.upper()
    other = raw[CURRENCY].notna() & (told != "") & (told != currency)
    if other.any():
        first = raw[other].iloc[0]
        rule = f"currency must be shop.currency {currency}, and {int(other.sum())} of {len(raw)} rows are in others"
        rule += ": give each currency a shop of its own, or set data.columns.currency: null where prices are converted"
        raise SourceError(f"{first[SOURCE_FILE]}: row {first[SOURCE_ROW]}", rule, first[CURRENCY])
