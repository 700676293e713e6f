"""What was read: tables of lines, and where each came from."""

from dataclasses import dataclass

import pandas as pd

from pricetrail.base.params_data import FileFormat


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
class RawLines:
    """One row an invoice line, in our column names plus ``source_file`` (categorical) and ``source_row``."""

    table: pd.DataFrame
    sources: tuple[Source, ...]
