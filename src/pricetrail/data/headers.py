"""The row with the column names: which it is, where our columns stand in it, and what to say where it is not there."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pricetrail.base.errors import SourceError
from pricetrail.base.params_data import FileFormat

HEADER_ROWS: Final = 20  # among which the column names are looked for
REQUIRED: Final = ("invoice", "sku", "quantity", "invoiced_at", "unit_price")
_NUMBER: Final = re.compile(r"\W*\w{0,3}\W*\d[\d.,'\s]*\W*\w{0,3}\W*")  # with a sign, a currency, a unit
LIKE_LINES: Final = {"quantity": _NUMBER, "unit_price": _NUMBER, "invoiced_at": re.compile(r".*\d.*\d.*")}
LONG: Final = 40  # characters that are no number or date


@dataclass(frozen=True)
class Header:
    """The column names of a table.

    Attributes:
        row: its number as a person counts it.
        width: of it, in columns.
        named: columns up to the last that has a name.
        positions: of our columns, from 0.
        names: in the file, of the same columns.
    """

    row: int
    width: int
    named: int
    positions: Mapping[str, int]
    names: Mapping[str, str]

    def is_line(self, cells: Sequence[str]) -> bool:
        """Whether cells read as a line: numbers and a date stand where the columns say, or all so far to the right."""
        return any(
            all(
                (at := self.positions[ours] + shift) < len(cells)
                and len(cells[at]) < LONG
                and rule.fullmatch(cells[at])
                for ours, rule in LIKE_LINES.items()
            )
            for shift in range(max(1, len(cells) - self.width + 1))
        )


class NoHeaderError(SourceError):
    """No row has all of the columns; ``found`` counts those of the required ones that the best row has."""

    def __init__(self, place: str, rule: str, value: object = None, found: int = 0) -> None:
        super().__init__(place, rule, value)
        self.found = found


def find_header(place: str, rows: Sequence[Sequence[str]], written: FileFormat) -> Header:
    """The row with all wanted columns: row ``data.header_row``, or the first among the first 20.

    Args:
        place: for messages.
        rows: the first of the table, at least ``header_rows``.
        written: how it is written.

    Raises:
        NoHeaderError: no row has all of them.
        SourceError: a column stands twice, or a line stands above the header.
    """
    wanted = written.columns.named()
    names = [[plain_name(cell) for cell in row] for row in rows[: header_rows(written)]]
    if written.header_row:
        names = [row if i == written.header_row - 1 else [] for i, row in enumerate(names)]
    if not any(map(any, names)):
        where = f" in row {written.header_row} (data.header_row)" if written.header_row else " and lines"
        raise NoHeaderError(place, f"must have a header{where}, and has none")
    best = max(range(len(names)), key=lambda i: (len({*wanted.values()} & {*names[i]}), sum(map(bool, names[i])), -i))
    header = names[best]
    if missing := {ours: theirs for ours, theirs in wanted.items() if theirs not in header}:
        raise _missing(f"{place}: row {best + 1}" if written.header_row else place, missing, header)
    for theirs in wanted.values():
        if header.count(theirs) > 1:
            raise SourceError(place, f"must have column {theirs!r} once, it stands {header.count(theirs)} times")
    named = max(i for i, name in enumerate(header, start=1) if name)
    positions = {ours: header.index(theirs) for ours, theirs in wanted.items()}
    found = Header(best + 1, len(header), named, positions, wanted)
    for number, row in enumerate(rows[:best], start=1):
        if found.is_line(row):
            raise SourceError(f"{place}: row {number}", f"must not hold a line above the header in row {best + 1}", row)
    return found


def header_rows(written: FileFormat) -> int:
    """How many rows must be looked at to find the header."""
    return max(HEADER_ROWS, written.header_row)


def plain_name(cell: str) -> str:
    """A column name without spaces, byte-order marks and what has no width around it."""
    return cell.strip("\ufeff\u200b\u2060 \t\r\n\f\v\xa0\x00").strip()


def _missing(place: str, missing: Mapping[str, str], header: Sequence[str]) -> NoHeaderError:
    """All columns that are not there, what may be meant by each, and what the table has."""
    told = []
    near = {_loose(name): name for name in header if name and name not in missing.values()}
    for ours, theirs in missing.items():
        like = difflib.get_close_matches(_loose(theirs), near, n=1, cutoff=0.6)
        what = f"params.yaml: data.columns.{ours}" + (f"; {near[like[0]]!r} is like it" if like else "")
        if ours not in REQUIRED:
            what += f"; or set data.columns.{ours}: null where the shop has none"
        told.append(f"column {theirs!r} ({what})")
    rule, found = "must have " + ", and ".join(told), len({*REQUIRED} - {*missing})
    return NoHeaderError(place, rule, ", ".join(filter(None, header))[:500], found)


def _loose(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()
