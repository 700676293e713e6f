"""Which marks a column of numbers is written with, what proves it, and what could be read in two ways."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = re.compile(r"\(?([^\d.,()+\-−]*)[+\-−]?([^\d.,()+\-−]*)(\d[\d.,'’\s]*?|[.,]\d+)\s*([^\d.,()\s]*)\)?")
_SPACES: Final = re.compile(r"[\s\u00a0\u202f]")


@dataclass(frozen=True)
class NumberEvidence:
    """The notation of a column.

    Attributes:
        numbers: values that are numbers in some notation.
        others: values that are none, first ones.
        count: all values.
        decimals: decimal marks, each with a text that proves it.
        thousands: the same, of marks between thousands.
        open: marks that could be either, with a text.
        signs: what stands before or behind the number, with a count.
        has_decimals: whether a value has decimals that are not all zeros.
    """

    numbers: int
    others: tuple[str, ...]
    count: int
    decimals: Mapping[str, str]
    thousands: Mapping[str, str]
    open: Mapping[str, str]
    signs: Mapping[str, int]


def number_evidence(values: Iterable[object]) -> NumberEvidence:
    """Look at every value; typed numbers (Excel, Parquet) are in no notation.

    Args:
        values: cells that are not missing.
    """
    decimals, thousands, unsure, signs = dict[str, str](), dict[str, str](), dict[str, str](), Counter[str]()
    others, count, good = list[str](), 0, 0
    for text, times in Counter(values).items():
        count += times
        if isinstance(text, bool):
            others.append(str(text))
            continue
        if isinstance(text, int | float):
            good += times
            continue
        match = _NUMBER.fullmatch(_SPACES.sub(" ", str(text)).strip())
        if match is None:
            others.append(str(text))
            continue
        before, inner, core, after = match.groups()
        good += times
        for sign in {before.strip(), inner.strip(), after.strip()} - {""}:
            signs[sign] += times
        _marks(core.strip().replace("’", "'"), str(text), decimals, thousands, unsure)
    unsure = {mark: text for mark, text in unsure.items() if mark not in decimals and mark not in thousands}
    return NumberEvidence(good, tuple(others[:5]), count, decimals, thousands, unsure, dict(signs))


def _marks(core: str, text: str, decimals: dict[str, str], thousands: dict[str, str], unsure: dict[str, str]) -> None:
    marks = re.findall(r"[.,' ]", core)
    last = core.rfind(marks[-1]) if marks else 0
    head, tail = core[:last], core[last + 1 :]
    if not marks:
        return
    if len(set(marks)) > 1:
        decimals.setdefault(marks[-1], text)
        for mark in set(marks) - {marks[-1]}:
            thousands.setdefault(mark, text)
    elif len(marks) > 1 or marks[0] in "' ":
        thousands.setdefault(marks[0], text)
    elif len(tail) != 3 or len(head) > 3 or head in {"", "0", "00", "000"}:
        decimals.setdefault(marks[0], text)
    else:
        unsure.setdefault(marks[0], text)


def as_number(value: object, decimal: str, thousands: str) -> float | None:
    """The number of a cell; None where it is none."""
    if isinstance(value, int | float):
        return float(value)
    text = _SPACES.sub(" ", str(value)).strip()
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    core = match[3].replace("’", "'").replace(thousands, "") if thousands else match[3]
    core = core.replace("," if decimal == "," else ".", ".")
    try:
        return float(core) * (-1 if re.search(r"[-−(]", text) else 1)
    except ValueError:
        return None
