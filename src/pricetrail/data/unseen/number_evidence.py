"""Which marks a column of numbers is written with, what proves it, and what could be read in two ways."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_NUMBER: Final = re.compile(r"\(?([^\d.,()+\-−]*)[+\-−]?([^\d.,()+\-−]*)(\d[\d.,'’ ]*?|[.,]\d+) ?([^\d.,() ]*)\)?")
_FEW_LETTERS = 3  # of a currency or a unit


@dataclass
class NumberEvidence:
    """The notation of a column.

    Attributes:
        share: of the values that are numbers in some notation.
        decimals, thousands: marks, each with a text that proves it.
        open: marks that could be either, with a text.
        signs: what stands before or behind the numbers, with a count.
    """

    share: float = 0.0
    decimals: dict[str, str] = field(default_factory=dict)
    thousands: dict[str, str] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    signs: Counter[str] = field(default_factory=Counter)


def number_evidence(values: Iterable[object]) -> NumberEvidence:
    """Look at every value that is not missing; typed numbers (Excel, Parquet) are in no notation."""
    found, counts, good = NumberEvidence(), Counter(values), 0
    for value, times in counts.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            good += times
        elif match := _NUMBER.fullmatch(_plain(value)):
            signs = {match[1].strip(), match[2].strip(), match[4]} - {""}
            if max(map(len, signs), default=0) <= _FEW_LETTERS:
                good += times
                found.signs.update(dict.fromkeys(signs, times))
                _look(match[3].replace("’", "'"), str(value), found)
    found.share = good / max(1, counts.total())
    found.open = {mark: text for mark, text in found.open.items() if mark not in found.decimals | found.thousands}
    return found


def _plain(value: object) -> str:
    return re.sub(r"\s", " ", str(value)).strip()


def _look(core: str, text: str, found: NumberEvidence) -> None:
    marks = re.findall(r"[.,' ]", core)
    if not marks:
        return
    head, tail = core.rsplit(marks[-1], 1)
    if len(set(marks)) > 1:
        found.decimals.setdefault(marks[-1], text)
        found.thousands.setdefault(marks[0], text)
    elif len(marks) > 1 or marks[0] in "' ":
        found.thousands.setdefault(marks[0], text)
    elif len(tail) == 3 and 1 <= len(head) <= 3 and head.strip("0"):  # a group of thousands
        found.open.setdefault(marks[0], text)
    else:
        found.decimals.setdefault(marks[0], text)


def as_number(value: object, decimal: str, thousands: str) -> float:
    """The number of a cell; NaN where it is none."""
    match = _NUMBER.fullmatch(_plain(value))
    if isinstance(value, int | float) or value is None or match is None:
        return float(value) if isinstance(value, int | float) else float("nan")
    core = match[3].replace("’", "'").replace(thousands or "\0", "").replace("," if decimal == "," else ".", ".")
    sign = -1 if re.search(r"[-−(]", _plain(value)) else 1
    return sign * float(core) if re.fullmatch(r"[\d.]+", core) and core.count(".") <= 1 else float("nan")
