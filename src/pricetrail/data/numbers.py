"""Numbers as lands and systems write them."""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from babel import Locale
from babel.core import UnknownLocaleError, get_global
from babel.numbers import get_currency_symbol
from numpy.typing import NDArray

from pricetrail.base.params_data import FileFormat
from pricetrail.data.shop_rules import ShopRules
from pricetrail.data.text import NUMBER, Cells, Mask

# Marks that lands write, as data.decimal and data.thousands.
_NOTATIONS: Final = ((".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"))
_NUMBER: Final = re.compile(r"(\D*?)([.,]?\d(?:[\d.,' ]*\d)?(?:[eE][+-]?\d+)?)(\D*)", re.ASCII)
_DOUBTFUL: Final = re.compile(r"(?!0\.)\d{1,3}\.\d{3}")  # 1.000 is one, or a thousand
_POINT: Final = re.compile(r"0?\.\d+|\d+\.(\d{1,2}|\d{4,})|\d{4,}\.\d+")  # a point that can only mark decimals
_INDIAN: Final = re.compile(r"\d{1,2}(,\d{2})+,\d{3}(\.\d+)?")
_ALIKE: Final = str.maketrans("−‐‑‒–－’\u202f\u2009٫٬．，（）", "------'  .,.,()")


@dataclass(frozen=True)
class _Number:
    """Digits and marks, what stands around them, and 1 or -1."""

    core: str
    affixes: tuple[str, ...]
    sign: int


def parse_numbers(cells: Cells, written: FileFormat, rules: ShopRules) -> NDArray[np.float64]:
    """Numbers of the rows, NaN where a text is a number in no land.

    Raises:
        ContractError: at the first row that is a number in another notation, currency or unit than the parameters
            say, or in one that can be read in two ways.
    """
    numbers = {text: number for text in cells.texts if (number := _split(text))}
    unit = rules.unit if cells.name == "quantity" else rules.currency
    signs = {rules.unit.casefold()} if cells.name == "quantity" else _signs(rules.currency)

    def rows(holds: Callable[[_Number], object]) -> Mask:
        return cells.rows(cells.flags(lambda text: text in numbers and holds(numbers[text])))

    strange = rows(lambda number: not {affix.strip(" .").casefold() for affix in number.affixes} <= signs)
    setting = "shop.unit" if cells.name == "quantity" else "shop.currency"
    cells.refuse(strange, lambda row: f"must be in {unit}, not {numbers[cells.text(row)].affixes[0]}: set {setting}")

    # Under auto a column of a file whose points can only mark decimals is read by them.
    auto = written.decimal == "auto" and written.thousands in {"", "."}
    point = cells.in_file(rows(lambda number: _POINT.fullmatch(number.core))) & auto
    doubtful = rows(lambda number: _DOUBTFUL.fullmatch(number.core)) & (point if written.thousands else ~point) & auto
    cells.refuse(doubtful, lambda row: _two_ways(numbers[cells.text(row)].core))
    point |= cells.rows(cells.kinds == NUMBER)
    mark = "." if written.decimal == "auto" else written.decimal
    own = ("," if written.thousands == "." else mark, written.thousands)
    read = np.where(point, _values(cells, numbers, (".", "")), _values(cells, numbers, own))
    cells.refuse(rows(lambda _: True) & np.isnan(read), lambda row: _other_marks(cells, row, numbers, written))
    return read


def _values(cells: Cells, numbers: Mapping[str, _Number], marks: tuple[str, str]) -> NDArray[np.float64]:
    """Of each row its number in a notation; NaN where it is none."""
    found = (numbers.get(text) for text in cells.texts)
    read = [number.sign * _value(number.core, *marks) if number else np.nan for number in found]
    values: NDArray[np.float64] = np.array([*read, np.nan])[cells.index]
    return values


def _two_ways(core: str) -> str:
    told = f'data.decimal: "." ({float(core):g}) or data.thousands: "." ({core.replace(".", "")})'
    return f"could be two numbers, and no other value of the file tells which: set {told}"


def _other_marks(cells: Cells, row: int, numbers: Mapping[str, _Number], written: FileFormat) -> str:
    """The rule for a number in other marks, and what reads it and, where there is such, all of its column."""
    in_file = [text for text, stands in zip(cells.texts, cells.of_file(row), strict=True) if stands]
    cores = {numbers[text].core for text in in_file if text in numbers}
    readings = _readings(numbers[cells.text(row)].core)
    fitting = {marks: value for marks, value in readings.items() if all(marks in _readings(core) for core in cores)}
    by_value = {value: marks for marks, value in reversed((fitting or readings).items())}
    by_value |= {value: marks for marks, value in fitting.items() if marks[0] == written.decimal}
    told = " or ".join(f"{_settings(marks, written)} ({value:.15g})" for value, marks in sorted(by_value.items()))
    mixed = "" if fitting else "; no notation reads all numbers of this column of the file"
    rule = f"must be written as data.decimal {written.decimal!r} and data.thousands {written.thousands!r} say"
    return f"{rule}: set {told}{mixed}"


def _split(text: str) -> _Number | None:
    """A text as a number in some land's notation; None where it is none."""
    if not text.isascii():
        text = "".join(str(int(c)) if c.isdecimal() else c for c in text.translate(_ALIKE))
    found = _NUMBER.fullmatch(text)
    if not found:
        return None
    before, core, after = found[1], found[2], found[3].strip()
    if core[0] in ".," and before[-1:].isalpha():  # Rs.5
        before, core = before + core[0], core[1:]
    if after in {".", ","}:  # 5.
        core, after = core + after, ""
    before, signs = before.strip(), ""
    if before[:1] == "(" and after[-1:] == ")":
        before, after, signs = before[1:], after[:-1], "-"
    for sign in "+-":  # at either end of what stands before, or at the end; 5.- is five in Zürich
        if before[:1] == sign or before[-1:] == sign:
            before, signs = before.removeprefix(sign) if before[:1] == sign else before[:-1], signs + sign
        if after[-1:] == sign and after[:1] not in {".", ","}:
            after, signs = after[:-1], signs + sign
    affixes = tuple(part.strip() for part in (before, after) if part.strip())
    if len(signs) > 1 or not all(map(_is_sign, affixes)) or not _readings(core):
        return None
    return _Number(core, affixes, -1 if signs == "-" else 1)


def _is_sign(affix: str) -> bool:
    """Whether a text can be a currency or unit; PACK OF 12 is no number."""
    return len(affix) <= 10 and not set(affix) <= {"+", "-"} and not any(c.isspace() or c in "()" for c in affix)


@functools.cache
def _notation(decimal: str, thousands: str) -> re.Pattern[str]:
    point, mark = re.escape(decimal), re.escape(thousands)
    whole = rf"(?:\d{{1,3}}(?:{mark}\d{{3}})+|\d+)" if thousands else r"\d+"
    return re.compile(rf"(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?")


def _value(core: str, decimal: str, thousands: str) -> float:
    """Digits and marks by a notation; NaN where they are no number by it: groups of thousands have three digits."""
    if not _notation(decimal, thousands).fullmatch(core):
        return float("nan")
    return float((core.replace(thousands, "") if thousands else core).replace(decimal, "."))


def _readings(core: str) -> dict[tuple[str, str], float]:
    """What a number is by each notation that reads it."""
    read = {marks: _value(core, *marks) for marks in _NOTATIONS}
    if _INDIAN.fullmatch(core):
        read["", ""] = float(core.replace(",", ""))
    return {marks: value for marks, value in read.items() if not np.isnan(value)}


def _settings(marks: tuple[str, str], written: FileFormat) -> str:
    """What to set, for numbers in this notation."""
    if not marks[0]:
        return "nothing, but write lakhs without marks"
    if marks == (".", "") and written.decimal == ",":
        return "data.decimal: auto"  # which reads columns of points beside those of commas
    return 'data.decimal: "{}" and data.thousands: "{}"'.format(*marks)


@functools.cache
def _signs(currency: str) -> frozenset[str]:
    """How a currency is written: its code, its sign in English, and in the lands that pay with it."""
    signs = {currency, get_currency_symbol(currency, "en")}
    lands = [land for land, paid in get_global("territory_currencies").items() for name, *_ in paid if name == currency]
    for land in lands:
        try:
            signs.add(Locale.parse(f"und_{land}").currency_symbols.get(currency, currency))
        except (UnknownLocaleError, ValueError):
            continue
    signs |= {"$" for sign in signs if sign.endswith("$") and len(sign) > 1 and currency[-1] == "D"}
    return frozenset(sign.strip(" .\u200f\u00a0").casefold() for sign in signs)
