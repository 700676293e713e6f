"""What a person reads in the cells of a row: the oracle of what a mutant's lines may be."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from support.dialects import OURS, Dialect, Line, truth
from support.mutations import COUNT, Mutant

MISSING: Final = ("", "null", "n/a", "na?", "none", "-", "#n/a", "nan", "\\n")


INVISIBLE: Final = " \t\r\n\u00a0\u200b\ufeff"


def says_number(cell: object, base: Dialect) -> Decimal | None:
    """The plain number of a cell, signs of money and a word behind it left out."""
    if isinstance(cell, bool) or cell is None:
        return None
    if isinstance(cell, int | float):
        return Decimal(repr(cell))
    text = str(cell).strip(INVISIBLE).lstrip("'").strip("£$€").strip().replace("\u2212", "-")
    text = "".join(str(int(it)) if it.isdecimal() else it for it in text)  # digits of any script
    marked = re.fullmatch(r"([+-]?[0-9. ',\u00a0]+?)\s*(pcs|kg|€|units)?", text)
    text = marked.group(1) if marked else text
    if base.thousands and re.fullmatch(rf"[+-]?[0-9]{{1,3}}(?:{re.escape(base.thousands)}[0-9]{{3}})+(?:\D.*)?", text):
        text = text.replace(base.thousands, "")
    text = text.replace(base.decimal, ".") if base.decimal != "." and "." not in text else text
    try:
        return Decimal(text) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) else None
    except InvalidOperation:
        return None


def says_time(cell: object, base: Dialect) -> dt.datetime | None:
    """The time of a cell in the base's format, without its zone."""
    if isinstance(cell, dt.datetime):
        return cell.replace(tzinfo=None)
    if isinstance(cell, dt.date):
        return dt.datetime.combine(cell, dt.time())
    text = re.sub(r"(?<=[ T])(\d)(?=:)", r"0\1", str(cell).strip(INVISIBLE + "'"))  # an hour of one digit is plain too
    try:
        if base.dates == "ISO8601" or re.match(r"\d{4}-\d\d-\d\d", text):
            return dt.datetime.fromisoformat(text).replace(tzinfo=None)
        return dt.datetime.strptime(text, base.dates)
    except ValueError:
        return None


def says_text(cell: object) -> str | None:
    """The text of a cell; a word for nothing is None."""
    text = "" if cell is None else str(cell).replace("\u00a0", " ").strip(INVISIBLE)
    return None if text.lower() in MISSING else text


Read = tuple[str, str, str | None, float, dt.datetime, float, str | None, str]


def read_of(line: Line) -> Read:
    """A true line as the clean table must have it."""
    return (
        line.invoice, line.sku, line.description, float(line.quantity), line.invoiced_at, float(line.unit_price),
        line.customer_id, line.country,
    )  # fmt: skip


def says_code(cell: object) -> str | None:
    """The code of a cell, which a spreadsheet may have made a number."""
    return (says_text(cell) or "").removesuffix(".0") or None


def is_said(read: Read, row: Sequence[object], base: Dialect) -> bool:
    """Whether a line that was read is what a person reads in a row."""
    if len(row) < len(OURS):
        return False
    quantity, price, time = says_number(row[3], base), says_number(row[5], base), says_time(row[4], base)
    return (
        read[0] == says_code(row[0])
        and read[1] == (says_code(row[1]) or "").upper()
        and read[2] == says_text(row[2])
        and quantity is not None and read[3] == float(quantity)
        and read[4] == time
        and price is not None and abs(read[5] - float(price)) <= 1e-9 * abs(read[5])
        and read[6] == says_code(row[6])
        and read[7] == (says_text(row[7]) or "Unspecified")
    )  # fmt: skip


def unexplained(reads: Sequence[Read], mutant: Mutant) -> str:
    """Why what was read of a mutant is none of the things that may become of it; empty where it is."""
    left = Counter(reads)
    wanted = Counter(map(read_of, mutant.untouched))
    if lost := wanted - left:
        return f"{lost.total()} untouched lines are not there as they were, such as {next(iter(lost))}"
    touched = Counter(map(read_of, truth(mutant.base, COUNT))) - wanted  # which may be as they were, all the same
    for read in (left - wanted - touched).elements():
        if mutant.says is not None and not any(is_said(read, row, mutant.base) for row in mutant.says):
            return f"no row says {read}"
    return ""
