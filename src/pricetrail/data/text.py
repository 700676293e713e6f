"""Cells of a column: what stands in them, what is missing, and codes, which are text whatever they look like."""

import datetime as dt
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pricetrail.base.errors import ContractError

Mask = NDArray[np.bool_]

SOURCE_FILE: Final = "source_file"
SOURCE_ROW: Final = "source_row"  # the header is row 1, so the first line is row 2
CELL_TYPES: Final = "cell_types"  # of a workbook's row: t text, n number, d date, b boolean, e error, - empty
TEXT, NUMBER, DATE, TRUTH = "tndb"
_KINDS: Final = frozenset("ndbe")

_UNSEEN: Final = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff\u00ad]")  # zero-width, marks of direction
_TRICK: Final = re.compile(r"""="(.*)"|'(?=\d)([^']*)""")  # a spreadsheet's ways to keep a code text
_SHORTENED: Final = re.compile(r"\d([.,]\d+)?[eE]\+\d{2,}")  # what a spreadsheet makes of 5012345678900
_AS_TEXT: Final = "format the column as text and export it again"
_FLOAT, _WHOLE, _DECIMAL = re.compile(r"\d+\.0"), re.compile(r"\d+"), re.compile(r"\d+\.\d*[1-9]\d*")


@dataclass(frozen=True)
class Cells:
    """A column of files that are written alike, by its distinct values.

    Attributes:
        name: ours, of the column.
        texts: the distinct values, trimmed.
        kinds: of each, a letter of ``CELL_TYPES``; text where nothing tells.
        index: of each row its value, shape (n,); -1 for nothing.
        file: of each row its file, shape (n,).
        place: ``source_file`` and ``source_row`` of each row.
    """

    name: str
    texts: Sequence[str]
    kinds: NDArray[np.str_]
    index: NDArray[np.intp]
    file: NDArray[np.intp]
    place: pd.DataFrame

    def flags(self, holds: Callable[[str], object]) -> Mask:
        """Whether a text holds, for each distinct value that is text."""
        held: Mask = np.fromiter((bool(holds(text)) for text in self.texts), bool, len(self.texts))
        held[self.kinds != TEXT] = False
        return held

    def rows(self, flags: Mask) -> Mask:
        """Rows with a value for which the flag of the distinct values is set."""
        return np.append(flags, False)[self.index]

    def in_file(self, rows: Mask) -> Mask:
        """Rows of a file that holds one of these rows."""
        counts: Mask = np.bincount(self.file[rows], minlength=int(self.file.max(initial=-1)) + 1) > 0
        return counts[self.file]

    def of_file(self, row: int) -> Mask:
        """Distinct values that stand in the file of a row."""
        stand = self.index[(self.file == self.file[row]) & (self.index >= 0)]
        return np.bincount(stand, minlength=len(self.texts)) > 0

    def text(self, row: int) -> str:
        """The value of a row."""
        return str(self.texts[self.index[row]])

    def where(self, row: int) -> str:
        """Where a row stands, as a person counts."""
        return f"{self.place[SOURCE_FILE].iloc[row]}: row {self.place[SOURCE_ROW].iloc[row]}"

    def refuse(self, rows: Mask, rule: str | Callable[[int], str]) -> None:
        """Stop at the first of these rows, where there is one.

        Raises:
            ContractError: naming the row, the column, the rule (or what tells it from the row) and the value.
        """
        if rows.any():
            row = int(rows.argmax())
            told = rule if isinstance(rule, str) else rule(row)
            raise ContractError(self.where(row), f"{self.name} {told}", self.text(row))

    def strings(self) -> pd.Series:
        """Strings of the rows; missing ones are missing."""
        column = pd.Series([*self.texts, None], dtype="str")
        return column.take(self.index).set_axis(self.place.index)


def read_cells(raw: pd.DataFrame, names: Sequence[str], missing: Sequence[str]) -> dict[str, Cells]:
    """Columns of a raw table, in the order of letters in ``cell_types``; the words ``missing`` stand for nothing."""
    place, file = raw[[SOURCE_FILE, SOURCE_ROW]], pd.factorize(raw[SOURCE_FILE])[0]
    nothing = {"", *(word.strip().casefold() for word in missing)}
    read = dict[str, Cells]()
    for position, name in enumerate(names):
        index, distinct = pd.factorize(raw[name])
        values = distinct.tolist()
        texts, kinds = [_trimmed(value, name) for value in values], [_kind(value) for value in values]
        if CELL_TYPES in raw:
            types, patterns = pd.factorize(raw[CELL_TYPES])
            letters = [*(pattern[position] for pattern in patterns), TEXT]
            pairs = index * len(letters) + np.where(types < 0, len(letters) - 1, types)
            seen = np.unique(pairs[index >= 0])
            told = [divmod(int(pair), len(letters)) for pair in seen]
            kinds = [letters[k] if letters[k] in _KINDS else kinds[i] for i, k in told]
            texts = [texts[i] for i, _ in told]
            index = np.where(index < 0, -1, np.searchsorted(seen, pairs))
        cells = Cells(name, texts, np.array(kinds, dtype="U1"), index.astype(np.intp), file, place)
        gone = np.fromiter((text.casefold() in nothing for text in texts), bool, len(texts))
        gone_rows = cells.rows(gone)
        if name == "country" and gone_rows.any():
            gone_rows &= ~_is_namibia(cells, gone)
        read[name] = replace(cells, index=np.where(gone_rows, -1, cells.index))
    return read


def _kind(value: object) -> str:
    """The letter of a typed value; text is told by ``cell_types``, where a workbook has some."""
    if isinstance(value, bool):
        return TRUTH
    return NUMBER if isinstance(value, float | Decimal) else DATE if isinstance(value, dt.date) else TEXT


def _trimmed(value: object, name: str) -> str:
    """A value as text without what no person sees: space at its ends, zero-width characters, Excel's ``="…"``."""
    if isinstance(value, float | Decimal) and math.isfinite(value) and value % 1 == 0:
        value = int(value)
    text = str(value).strip()
    if not text.isascii():
        text = _UNSEEN.sub("", text).replace("\u00a0", " ").strip()
    trick = _TRICK.fullmatch(text) if name != "description" else None
    return text if not trick else (trick[1] if trick[1] is not None else trick[2]).strip()


def _is_namibia(cells: Cells, gone: Mask) -> Mask:
    """Rows whose NA is a country: where most other countries of their file are codes of two letters."""
    codes = cells.flags(lambda text: re.fullmatch("[A-Z]{2}", text)) & ~gone
    weight = np.where(np.append(codes, False), 1, np.where(np.append(gone, True), 0, -1))[cells.index]
    return cells.rows(cells.flags(lambda text: text == "NA")) & (np.bincount(cells.file, weight) > 0)[cells.file]


def plain_code(cells: Cells) -> pd.Series:
    """Codes as strings: 17850.0 is the code 17850 where its file holds no other kind of number among the codes.

    Raises:
        ContractError: a spreadsheet shortened a code, or a file holds some codes with .0 and some without.
    """
    shortened = np.array([bool(_SHORTENED.fullmatch(text)) for text in cells.texts], dtype=bool)
    rounded = np.array([len(text) > 15 for text in cells.texts], dtype=bool) & (cells.kinds == NUMBER)
    changed = cells.rows(shortened | rounded | (cells.kinds == DATE))
    cells.refuse(changed, f"must be a code, and a spreadsheet changed it: {_AS_TEXT}")
    floats, wholes, decimals = (cells.rows(cells.flags(form.fullmatch)) for form in (_FLOAT, _WHOLE, _DECIMAL))
    floats &= ~cells.in_file(decimals)  # 1.0 beside 1.5 is a code of its own
    cells.refuse(floats & cells.in_file(wholes), f"must have no .0, as other codes of the file: {_AS_TEXT}")
    codes = cells.strings()
    return codes.mask(floats, codes.str.removesuffix(".0")) if floats.any() else codes


def require_one_width(codes: pd.Series, places: pd.DataFrame, fix: str) -> None:
    """Stop where two codes differ in their leading zeros only: a spreadsheet takes them away.

    Raises:
        ContractError: naming both codes and where they stand.
    """
    distinct = codes.drop_duplicates().dropna()
    bare = distinct[distinct.str.fullmatch(r"\d+")].str.lstrip("0")
    if bare.is_unique:
        return
    first, second = bare.index[bare == bare[bare.duplicated()].iloc[0]][:2]
    one, other = ("{}: row {}".format(*places.loc[i, [SOURCE_FILE, SOURCE_ROW]]) for i in (first, second))
    rule = f"{codes.name} must not differ from {codes[first]!r} ({one}) in leading zeros only: {fix}"
    raise ContractError(other, rule, codes[second])
