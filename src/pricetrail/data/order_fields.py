"""Layouts that do not have one column a field on each line: order fields once an order, day and time apart, totals."""

from collections.abc import Sequence
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pricetrail.base.errors import SourceError
from pricetrail.base.params_data import FileFormat
from pricetrail.data.contract import SOURCE_FILE, SOURCE_ROW

INVOICE, CURRENCY = "invoice", "currency"
_MIDNIGHT: Final = r"[ T]00:00:00(\.0+)?$"  # what Excel puts behind a day


def join(parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """One column of several, with blanks between; a row that lacks a part is missing."""
    if len(parts) == 1:
        return parts[0]
    texts = [pc.utf8_trim_whitespace(part.cast(pa.string())) for part in parts]
    texts = [pc.replace_substring_regex(text, _MIDNIGHT, "") for text in texts[:-1]] + texts[-1:]
    texts = [pc.if_else(pc.equal(text, ""), None, text) for text in texts]
    return pc.binary_join_element_wise(*texts, " ", null_handling="emit_null")


def fill_down(file: str, table: pa.Table, written: FileFormat) -> pa.Table:
    """Give the lines of an order what stands on one of them only (``data.fill_down``).

    By the number of the invoice, not by the line above: a sorted file reads alike, and a guest gets nothing of the
    order before. Only an invoice's own number can come from the line above.

    Raises:
        SourceError: a blank could be two things, as its invoice has two values in that column.
    """
    nothing = {"", *(word.strip().lower() for word in written.missing)}
    for name in sorted(written.fill_down, key=lambda name: name != INVOICE):
        values = table.column(name).to_pandas()
        text = values.astype("str").str.strip().str.lower()
        blank = values.isna() | text.isin(nothing)
        values = values.mask(blank)
        if name == INVOICE:
            filled = values.ffill()
        else:
            groups = values.groupby(table.column(INVOICE).to_pandas())
            open_ones = blank & (groups.transform("nunique") > 1)
            if open_ones.any():
                at = int(open_ones.to_numpy().argmax())
                invoice = str(table.column(INVOICE)[at])
                rule = f"{name} must have one value an invoice where data.fill_down fills blanks, invoice {invoice} has"
                two = groups.get_group(table.column(INVOICE)[at].as_py()).dropna().unique()[:2]
                raise SourceError(f"{file}: row {table.column(SOURCE_ROW)[at]}", rule, " and ".join(map(str, two)))
            filled = values.where(~blank, groups.transform("first"))
        column = pa.array(filled, table.schema.field(name).type, from_pandas=True)
        table = table.set_column(table.column_names.index(name), name, column)
    return table


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
