"""Which column of a table that was never read is which of ours: by its name, and by what it holds."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pricetrail.data.headers import REQUIRED
from pricetrail.data.unseen.column_meaning import TOTALS, by_kind
from pricetrail.data.unseen.date_evidence import look_like_dates
from pricetrail.data.unseen.number_evidence import number_evidence
from pricetrail.data.unseen.unseen_files import PARTS, Question, UnseenTable

OPTIONAL: Final = ("customer_id", "country", "status", "description")  # the description takes what no other has
_MOST, _FEW_ROWS = 0.9, 20
CANCELLED: Final = re.compile(  # words of a status, by their stems
    r"(?i)(?:wc-)?(?:(?:cancel|refund|void|fail|return|storn|gutschrift|retour|erstatt|annul|rembours|devol|devuel"
    r"|reembols|geannul|terugbet|rimbors)\w*|credit(?: ?note|nota)?|nota di credito|avoir|reso)"
)
_HOLDS: Final = {"invoice": "codes", "sku": "codes that repeat", "quantity": "numbers", "invoiced_at": "dates"} | {
    **{"unit_price": "numbers", "country": "words", "status": "words that cancel"}
}


def choose_columns(
    table: UnseenTable, missing: frozenset[str], answers: Mapping[str, Any], today: dt.date
) -> tuple[dict[str, str | None], dict[str, str], list[Question]]:
    """Find our columns in a table.

    Args:
        table: with at least one row.
        missing: lower-case words for nothing.
        answers: settings that a person gave, by dotted key; they hold where the table has such a column.
        today: for what looks like a date.

    Returns:
        Their names in the file by ours (None: it has none), the evidence by ours, and what must be asked.
    """
    columns, evidence, questions = dict[str, str | None](), dict[str, str](), list[Question]()
    for ours in (*REQUIRED, *OPTIONAL):
        said = answers.get(f"data.columns.{ours}", "")
        if ours == "unit_price":  # the cells of a total are looked at as prices are
            said = answers.get(f"data.columns.{TOTALS}", said)
        said = PARTS.join(said) if isinstance(said, list) else said
        if said is None or (isinstance(said, str) and said in table.columns):
            columns[ours], evidence[ours] = said, "as asked"
    for ours in (each for each in (*REQUIRED, *OPTIONAL) if each not in columns):
        free = [name for name in table.columns if name not in columns.values()]
        named = by_kind(ours, free)
        found = _fitting(ours, table, named, missing, today)
        columns[ours] = found[0] if found else None
        if len(found) == 1:
            evidence[ours] = f"by its name; it holds {_HOLDS.get(ours, 'text')}: {_examples(table, found[0], missing)}"
        elif found:
            questions.append(_which(ours, table, found, missing, f"{len(found)} columns are named so"))
        elif ours in REQUIRED:
            why = f"{named[0][0]!r} is named so, but its values are not {_HOLDS[ours]}" if named else "none is named so"
            fitting = [name for name in free if _fits(ours, present(table.columns[name], missing), today)]
            questions.append(_which(ours, table, fitting or named[0] if named else fitting, missing, why))
        else:
            evidence[ours] = "no column is named so and fits"
    return columns, evidence, questions


def present(values: Iterable[Any], missing: frozenset[str]) -> list[Any]:
    """Cells that are not missing."""
    return [value for value in values if value is not None and str(value).strip().lower() not in missing]


def _fitting(
    ours: str, table: UnseenTable, named: Sequence[Sequence[str]], missing: frozenset[str], today: dt.date
) -> list[str]:
    """The columns of the best kind of name that hold what they should; empty ones only where no other is named so."""
    empty = list[str]()
    for kind, names in enumerate(named):
        fitting = list[str]()
        for name in names:
            values = present(table.columns[name], missing)
            again = any(table.columns[name] == table.columns[other] for other in fitting)
            text = ours == "sku" and kind == 2 and _words(values)
            if values and not again and not text and _fits(ours, values, today):
                fitting.append(name)
            empty += [] if values or ours in REQUIRED or ours == "status" else [name]
        if fitting:
            return fitting
    return empty[:1]


def _words(values: Sequence[Any]) -> bool:
    coded = sum(any(map(str.isdigit, str(value))) and " " not in str(value) for value in values)
    return coded < _MOST * len(values)


def _fits(ours: str, values: Sequence[Any], today: dt.date) -> bool:
    with_digits = sum(any(map(str.isdigit, str(value))) for value in values) / max(1, len(values))
    match ours:
        case "invoice":
            return with_digits >= _MOST
        case "sku":
            return len(values) < _FEW_ROWS or len(set(map(str, values))) < len(values)
        case "quantity" | "unit_price":
            return number_evidence(values).share >= _MOST
        case "invoiced_at":
            return look_like_dates(values, today)
        case "country":
            return with_digits <= 1 - _MOST
        case "status":
            return any(CANCELLED.fullmatch(str(value)) for value in set(values))
    return True


def _examples(table: UnseenTable, name: str, missing: frozenset[str]) -> str:
    some = list(dict.fromkeys(str(value)[:30] for value in present(table.columns[name], missing)))[:3]
    return ", ".join(some) or "all empty"


def _which(ours: str, table: UnseenTable, names: Sequence[str], missing: frozenset[str], why: str) -> Question:
    option = f"--column {ours}='{names[0] if names else 'NAME'}'"
    totals = by_kind(TOTALS, table.columns)
    if ours == "unit_price" and totals:
        why += f"; {totals[0][0]!r} looks like the total of a line"
        option = f"--column {TOTALS}='{totals[0][0]}', or {option}"
    readings = tuple((name, _examples(table, name, missing)) for name in names[:12])
    return Question(f"data.columns.{ours}", f"{table.name}: which column is {ours}? {why}", readings, option)
