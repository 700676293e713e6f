"""Which column of a table that was never read is which of ours: by its name, and by what it holds."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pricetrail.data.unseen.column_meaning import TOTALS, by_kind
from pricetrail.data.unseen.date_evidence import look_like_dates
from pricetrail.data.unseen.number_evidence import number_evidence
from pricetrail.data.unseen.unseen_files import PARTS, Question, UnseenTable

REQUIRED: Final = ("invoice", "sku", "quantity", "invoiced_at", "unit_price")
OPTIONAL: Final = ("customer_id", "country", "status", "description")  # the description takes what no other has
_MOST, _FEW_ROWS = 0.9, 20
CANCELLED: Final = re.compile(
    r"(?i)(?:wc-)?(?:cancel+ed|cancel|refund(?:ed)?|void(?:ed)?|failed|return(?:ed)?|credit(?: note)?"
    r"|stornier[t]?|storno"
    r"|gutschrift|retoure|erstattet|annul\w*|rembours\w*|avoir|retour|cancelad[oa]|devoluci[oó]n|devuelto|reembols\w*"
    r"|geannuleerd|terugbetaald|creditnota|rimborsat[oa]|reso|nota di credito)"
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
        if ours == "unit_price" and f"data.columns.{TOTALS}" in answers:  # its cells are looked at as prices are
            said = answers[f"data.columns.{TOTALS}"]
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
    if columns["customer_id"] is None and "data.columns.customer_id" not in answers and columns["invoice"]:
        questions += _unnamed_people(table, columns, missing)
    return columns, evidence, questions


def present(values: Iterable[Any], missing: frozenset[str]) -> list[Any]:
    """Cells that are not missing."""
    return [value for value in values if value is not None and str(value).strip().lower() not in missing]


def _fitting(
    ours: str, table: UnseenTable, named: Sequence[Sequence[str]], missing: frozenset[str], today: dt.date
) -> list[str]:
    """The columns of the best kind of name that hold what they should; empty ones only where no other is named so."""
    for kind, names in enumerate(named):
        filled = {name: present(table.columns[name], missing) for name in names}
        fitting = list[str]()
        for name, values in filled.items():
            same = any(table.columns[name] == table.columns[other] for other in fitting)
            if (
                values
                and not same
                and _fits(ours, values, today)
                and not (ours == "sku" and kind == 2 and _words(values))
            ):
                fitting.append(name)
        if fitting:
            return fitting
    empty = [name for names in named for name in names if not present(table.columns[name], missing)]
    return empty[:1] if ours in {"customer_id", "country", "description"} else []


def _words(values: Sequence[Any]) -> bool:
    coded = sum(any(map(str.isdigit, str(value))) and " " not in str(value) for value in values)
    return coded < _MOST * len(values)


def _fits(ours: str, values: Sequence[Any], today: dt.date) -> bool:
    match ours:
        case "invoice":
            return sum(any(map(str.isdigit, str(value))) for value in values) >= _MOST * len(values)
        case "sku":
            return len(values) < _FEW_ROWS or len(set(map(str, values))) < len(values)
        case "quantity" | "unit_price":
            return number_evidence(values).share >= _MOST
        case "invoiced_at":
            return look_like_dates(values, today)
        case "country":
            return sum(any(map(str.isdigit, str(value))) for value in values) <= (1 - _MOST) * len(values)
        case "status":
            return any(CANCELLED.fullmatch(str(value)) for value in set(values))
    return True


def _examples(table: UnseenTable, name: str, missing: frozenset[str]) -> str:
    some = list(dict.fromkeys(str(value)[:30] for value in present(table.columns[name], missing)))[:3]
    return ", ".join(some) or "all empty"


def _which(ours: str, table: UnseenTable, names: Sequence[str], missing: frozenset[str], why: str) -> Question:
    totals = by_kind(TOTALS, table.columns)
    if ours == "unit_price" and totals:
        why += f"; {totals[0][0]!r} looks like the total of a line"
    readings = tuple((name, _examples(table, name, missing)) for name in names[:12])
    told = f"{table.name}: which column is {ours}? {why}"
    option = f"--column {ours}='{names[0] if names else 'NAME'}'"
    if ours == "unit_price" and totals:
        option = f"--column {TOTALS}='{totals[0][0]}', or {option}"
    return Question(f"data.columns.{ours}", told, readings, option)


def _unnamed_people(table: UnseenTable, columns: Mapping[str, str | None], missing: frozenset[str]) -> list[Question]:
    """Ask for the customers where no column is named so, and one holds codes that repeat, one an invoice."""
    invoices, likely = table.columns[str(columns["invoice"])], list[str]()
    for name in (each for each in table.columns if each not in columns.values()):
        pairs = {
            (str(a), str(b)) for a, b in zip(invoices, table.columns[name], strict=True) if a and present([b], missing)
        }
        codes = {code for _, code in pairs}
        one_each = len(pairs) == len({invoice for invoice, _ in pairs})
        if one_each and 5 < len(codes) < 0.8 * len(pairs) and not _words(list(codes)):
            likely.append(name)
    asked = [_which("customer_id", table, likely, missing, "none is named so, but one may hold them")] if likely else []
    return [Question(each.key, each.text, each.readings, f"{each.option} or --no-customers") for each in asked]
