"""What was read: tables of lines, and where each came from."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from pricetrail.base.params_data import FileFormat
from pricetrail.data.headers import Header


@dataclass(frozen=True)
class Source:
    """A table of lines: a file, or a sheet or member of one.

    Attributes:
        name: the file, with the sheet or member in it: ``a.xlsx [2011]``.
        file: path.
        written: how.
        rows: below the header, blank ones left out.
        notes: what a person should know of how it was read.
    """

    name: str
    file: str
    written: FileFormat
    rows: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RawTable:
    """A table as its file holds it.

    Attributes:
        source: what it is of; all of its rows counted.
        header: which of its columns are ours.
        table: its rows below the header; columns by position, ``"0"`` the first; some may be left out.
        rows: number of each row, as a person counts.
        types: of the cells of a workbook, ``text.CELL_TYPES``; None where all are text, or of a column's type.
    """

    source: Source
    header: Header
    table: pa.Table
    rows: pa.Array
    types: pa.Array | None = None


@dataclass(frozen=True)
class RawLines:
    """One row an invoice line, in our column names plus ``source_file`` (categorical) and ``source_row``.

    Where a cell is no text, column ``cell_types`` tells what each is, see ``text.CELL_TYPES``.
    """

    table: pd.DataFrame
    sources: tuple[Source, ...]
