"""Which column of a table that was never read is which of ours: by its name, and by what it holds."""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from pricetrail.data.column_meaning import TOTALS, by_kind
from pricetrail.data.date_evidence import look_like_dates
from pricetrail.data.number_evidence import number_evidence
from pricetrail.data.question import Question
from pricetrail.data.unseen_files import UnseenTable

REQUIRED: Final = ("invoice", "sku", "quantity", "invoiced_at", "unit_price")
OPTIONAL: Final = ("customer_id", "country", "status", "description")  # the description takes what no other has
_MOST = 0.9  # of the values of a column are what its name says
_FEW_ROWS = 20
CANCELLED: Final = re.compile(
    r"(?i)(?:wc-)?(?:cancel+ed|cancel|refund(?:ed)?|void(?:ed)?|failed|return(?:ed)?|credit(?: note)?|chargeback"
    r"|stornier[t]?|storno|gutschrift|retoure|erstattet|annul\w*|rembours\w*|avoir|retour|cancelad[oa]|devoluci[oó]n"
    r"|devuelto|reembols\w*|geannuleerd|terugbetaald|creditnota|rimborsat[oa]|reso|nota di credito)"
)


@dataclass(frozen=True)
class ColumnChoice:
    """Our columns in a table.

    Attributes:
        columns: our name: its name in the file, None where there is none.
        evidence: why, by our name.
        questions: which of two, or which at all.
    """

    columns: Mapping[str, str | None]
    evidence: Mapping[str, str]
    questions: tuple[Question, ...]


def choose_columns(
    table: UnseenTable, missing: frozenset[str], answers: Mapping[str, Any], today: dt.date
) -> ColumnChoice:
    """Find our columns in a table.

    Args:
        table: with at least one row.
        missing: lower-case words for nothing.
        answers: settings that a person gave, by dotted key; they hold where the table has such a column.
        today: for what looks like a date.
    """
    columns, evidence, questions = dict[str, str | None](), dict[str, str](), list[Question]()
    for ours in (*REQUIRED, *OPTIONAL):
        key = f"data.columns.{ours}"
        if key in answers and (answers[key] is None or answers[key] in table.header):
            columns[ours], evidence[ours] = answers[key], "as asked"
    for ours in (each for each in (*REQUIRED, *OPTIONAL) if each not in columns):
        free = [name for name in table.header if name and name not in columns.values()]
        fits = _CHECKS.get(ours, _anything)
        found = _candidates(ours, table, free, missing, today)
        columns[ours] = found[0] if found else None
        if len(found) == 1:
            evidence[ours] = f"by its name, and it holds {_HOLDS[ours]} ({_examples(table, found[0], missing)})"
        elif len(found) > 1:
            questions.append(_which(ours, table, found, missing, f"{len(found)} columns could be it"))
        elif ours in REQUIRED:
            other = [name for name in free if fits(present(table.values(name), missing), today)]
            questions.append(_which(ours, table, other, missing, "no column is named so"))
            columns[ours] = other[0] if other else None
        else:
            evidence[ours] = "no column is named so"
    return ColumnChoice(columns, evidence, (*questions, *_unnamed_people(table, columns, missing, answers)))


def present(values: Sequence[Any], missing: frozenset[str]) -> list[Any]:
    """Cells that are not missing."""
    return [value for value in values if value is not None and str(value).strip().lower() not in missing]


def _candidates(
    ours: str, table: UnseenTable, free: Sequence[str], missing: frozenset[str], today: dt.date
) -> list[str]:
    """The columns of the best kind of name that hold what they should; equal ones count once."""
    for kind, places in enumerate(by_kind(ours, free)):
        fitting = list[str]()
        for name in (free[at] for at in places):
            values = present(table.values(name), missing)
            if not values and ours not in {"customer_id", "country"}:
                continue
            if ours == "sku" and kind == 2 and not _are_codes(values, today):
                continue
            if _CHECKS.get(ours, _anything)(values, today) and not any(
                table.values(name) == table.values(other) for other in fitting
            ):
                fitting.append(name)
        if fitting:
            return fitting
    return []


def _anything(values: Sequence[Any], today: dt.date) -> bool:
    del values, today
    return True


def _are_codes(values: Sequence[Any], today: dt.date) -> bool:
    del today
    texts = [str(value) for value in values]
    return sum(any(map(str.isdigit, text)) and " " not in text for text in texts) >= _MOST * len(texts)


def _repeat(values: Sequence[Any], today: dt.date) -> bool:
    del today
    return len(values) < _FEW_ROWS or len({str(value) for value in values}) < len(values)


def _are_invoices(values: Sequence[Any], today: dt.date) -> bool:
    del today
    return sum(any(map(str.isdigit, str(value))) for value in values) >= _MOST * len(values)


def _are_numbers(values: Sequence[Any], today: dt.date) -> bool:
    del today
    return bool(values) and number_evidence(values).numbers >= _MOST * len(values)


def _are_dates(values: Sequence[Any], today: dt.date) -> bool:
    serial = sum(bool(re.fullmatch(r"[2-7]\d{4}(?:[.,]\d+)?", str(value))) for value in values)
    return look_like_dates(values, today) or serial >= _MOST * len(values) > 0


def _are_words(values: Sequence[Any], today: dt.date) -> bool:
    del today
    return sum(not any(map(str.isdigit, str(value))) for value in values) >= _MOST * len(values)


def _cancel(values: Sequence[Any], today: dt.date) -> bool:
    del today
    return any(CANCELLED.fullmatch(str(value).strip()) for value in set(values))


_CHECKS: Final[Mapping[str, Callable[[Sequence[Any], dt.date], bool]]] = {
    "invoice": _are_invoices,
    "sku": _repeat,
    "quantity": _are_numbers,
    "invoiced_at": _are_dates,
    "unit_price": _are_numbers,
    "country": _are_words,
    "status": _cancel,
}
_HOLDS: Final = {
    "invoice": "numbers of invoices",
    "sku": "codes that repeat",
    "quantity": "numbers",
    "invoiced_at": "dates",
    "unit_price": "numbers",
    "customer_id": "values",
    "country": "words",
    "status": "words that cancel",
    "description": "text",
}


def _examples(table: UnseenTable, name: str, missing: frozenset[str]) -> str:
    some = list(dict.fromkeys(map(str, present(table.values(name), missing))))[:3]
    return ", ".join(text[:30] for text in some) or "all empty"


def _which(ours: str, table: UnseenTable, names: Sequence[str], missing: frozenset[str], why: str) -> Question:
    readings = tuple((name, _examples(table, name, missing)) for name in names[:12])
    text = f"{table.name}: which column is {ours}? {why}"
    if ours == "unit_price" and (totals := by_kind(TOTALS, table.header)):
        text += f" ({table.header[totals[0][0]]!r} looks like the total of a line)"
    return Question(f"data.columns.{ours}", text, readings, f"--column {ours}='{names[0] if names else 'NAME'}'")


def _unnamed_people(
    table: UnseenTable, columns: Mapping[str, str | None], missing: frozenset[str], answers: Mapping[str, Any]
) -> list[Question]:
    """Ask for the customers where no column is named so, and one holds codes that repeat, one an invoice."""
    if columns["customer_id"] is not None or "data.columns.customer_id" in answers or not columns["invoice"]:
        return []
    invoices, likely = pd.Series(table.values(columns["invoice"]), dtype=object).ffill(), list[str]()
    for name in (each for each in table.header if each and each not in columns.values()):
        values = pd.Series(table.values(name), dtype=object)
        known = pd.Series([value is not None and str(value).lower() not in missing for value in values])
        kinds = values[known].astype(str).nunique()
        one_each = values[known].astype(str).groupby(invoices[known].astype(str)).nunique().max()
        coded = _are_codes(list(values[known]), dt.date.min)
        if 5 < kinds < 0.8 * invoices.nunique() and one_each == 1 and coded:
            likely.append(name)
    if not likely:
        return []
    question = _which("customer_id", table, likely, missing, "no column is named so, but one may hold them")
    return [
        Question(
            question.key,
            question.text,
            (*question.readings, ("", "the shop has none")),
            f"{question.option} or --no-customers",
        )
    ]
