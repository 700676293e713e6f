"""Settings for files that were never read, each with its evidence; what the files do not tell is a question."""

import datetime as dt
import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

import pandas as pd

from pricetrail.base.errors import SourceError
from pricetrail.base.json_type import Json
from pricetrail.data.unseen.columns import choose_columns, present
from pricetrail.data.unseen.date_evidence import DateEvidence, DateReading, date_evidence
from pricetrail.data.unseen.number_evidence import NumberEvidence, as_number, number_evidence
from pricetrail.data.unseen.shop import Part, Told, propose_shop
from pricetrail.data.unseen.unseen_files import PARTS, Question, UnseenTable

FILLED: Final = ("invoiced_at", "customer_id", "country", "status")  # what belongs to an order as a whole
DATE_ORDER: Final = "date_order"  # of the answers: not a setting, but tells data.datetime_format
_PLAIN: Final[Mapping[str, Json]] = {  # where the files tell nothing else, whatever an earlier shop's files needed
    **{"data.datetime_format": "ISO8601", "data.prove_date_order": True, "data.delimiter": ",", "data.quote": '"'},
    **{"data.encoding": "auto", "data.decimal": "auto", "data.thousands": "", "data.timezone": "", "data.files": {}},
    **{"shop.unit": "units", "shop.cancelled_status": [], "shop.whole_units": None, "shop.not_products": None},
    **{"shop.cancellation_prefix": None, "data.columns.line_total": None, "data.columns.currency": None},
    "data.fill_down": [],
}
_OTHER: Final = {".": ",", ",": "."}


@dataclass(frozen=True)
class Proposal:
    """What `pricetrail init` would write: a value and its evidence by dotted key, and what must be asked first."""

    told: Told
    questions: tuple[Question, ...]
    notes: tuple[str, ...]


@dataclass
class _File:
    """What one file tells; a setting that it tells nothing of is not there."""

    name: str
    tables: list[UnseenTable]
    columns: dict[str, str | None]
    dates: DateEvidence
    told: Told = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)

    def parts(self) -> list[Part]:
        """Its tables, with what is found of them."""
        decimal, thousands = (str(self.told.get(key, ("",))[0]) for key in ("decimal", "thousands"))
        return [(table, self.columns, decimal, thousands) for table in self.tables]


def propose(
    tables: Sequence[UnseenTable], missing: Sequence[str], answers: Mapping[str, Any], today: dt.date
) -> Proposal:
    """Settings of sections ``data`` and ``shop`` for some files.

    Args:
        tables: of all files; the first file's settings are those of ``data``, what differs goes to ``data.files``.
        missing: words for nothing.
        answers: settings that a person gave, by dotted key, and ``date_order``.
        today: days after it are no days of sales.

    Raises:
        SourceError: a file is written in two ways at once, or contradicts an answer.
    """
    _require_asked_columns(tables, answers)
    words = frozenset(word.lower() for word in missing) | {""}
    names = dict.fromkeys(table.file for table in tables)
    files = [_look([table for table in tables if table.file == name], words, answers, today) for name in names]
    _settle_dates(files, answers)
    told: Told = {key: value for file in reversed(files) for key, value in file.told.items()}
    changes = _changes(files, told)
    told["files"] = (changes, "they differ from the first file" if changes else "")
    if PARTS in (at := str(told["columns.invoiced_at"][0])):
        told["columns.invoiced_at"] = (at.split(PARTS), "the day and the time stand apart")
    if "data.columns.line_total" in answers:
        told["columns.unit_price"] = (None, "line_total is divided by the quantity")
    found = {DATE_ORDER, "data.encoding", *(f"data.{key}" for key in told if key.startswith("columns."))}
    shop, asked = propose_shop([part for file in files for part in file.parts()], words, answers)
    questions = {each.text: each for each in (*(each for file in files for each in file.questions), *asked)}
    return Proposal(
        {key: (value, "") for key, value in _PLAIN.items()}
        | {f"data.{key}": value for key, value in told.items()}
        | shop
        | {key: (value, "as asked") for key, value in answers.items() if key not in found},
        tuple(questions.values()),
        tuple(note for file in files for note in _notes(file)),
    )


def _require_asked_columns(tables: Sequence[UnseenTable], answers: Mapping[str, Any]) -> None:
    for key, said in answers.items():
        name = PARTS.join(said) if isinstance(said, list) else said
        if key.startswith("data.columns.") and name and not any(name in table.columns for table in tables):
            raise SourceError(
                tables[0].name, f"must have column {name!r}, as {key} is said to be", [*tables[0].columns]
            )


def _look(tables: list[UnseenTable], missing: frozenset[str], answers: Mapping[str, Any], today: dt.date) -> _File:
    choices = [choose_columns(table, missing, answers, today) for table in tables]
    columns, evidence, _ = choices[0]
    for table, (other, *_) in zip(tables, choices, strict=True):
        if other != columns:
            rule = f"must have the columns of {tables[0].name}, or be a file of its own (or narrow data.sheet)"
            raise SourceError(table.name, rule, ", ".join(table.columns))
    cells = {
        ours: [cell for table in tables for cell in present(table.columns[theirs], missing)] if theirs else []
        for ours, theirs in columns.items()
    }
    typed = all(isinstance(cell, dt.date) for cell in cells["invoiced_at"])
    file = _File(tables[0].file, tables, columns, date_evidence([] if typed else cells["invoiced_at"], today))
    file.told = {f"columns.{ours}": (theirs, evidence.get(ours, "")) for ours, theirs in columns.items()}
    file.told |= tables[0].settings
    if once := [ours for ours in FILLED if _stands_once(tables, columns["invoice"], columns[ours])]:
        file.told["fill_down"] = (list(once), "other lines of the invoices that have a value have none")
    file.questions = [each for _, _, asked in choices for each in asked]
    file.questions += [each for table in tables for each in table.questions]
    _settle_marks(file, {ours: number_evidence(cells[ours]) for ours in ("quantity", "unit_price")}, answers)
    return file


def _stands_once(tables: Sequence[UnseenTable], invoice: str | None, name: str | None) -> bool:
    """Whether a column is empty in lines of invoices that have one value, and one only, in other lines."""
    if not invoice or not name:
        return False
    told = pd.concat([pd.DataFrame({"no": table.columns[invoice], "is": table.columns[name]}) for table in tables])
    values = told.groupby("no")["is"].agg(["nunique", "count", "size"])
    return bool((values["count"].between(1, values["size"] - 1)).any() and values["nunique"].max() == 1)


def _settle_marks(file: _File, numbers: Mapping[str, NumberEvidence], answers: Mapping[str, Any]) -> None:
    """Decimal and thousands mark of a file: a mark that could be either is told by the other mark, or asked for."""
    proof = {mark: f"{text!r} ({ours})" for ours, seen in numbers.items() for mark, text in seen.decimals.items()}
    groups = {mark: f"{text!r} ({ours})" for ours, seen in numbers.items() for mark, text in seen.thousands.items()}
    asked = str(answers.get("data.decimal", "")).replace("auto", "")
    decimal = asked or next(iter(proof), "") or next((_OTHER[mark] for mark in groups if mark in _OTHER), "")
    for ours, seen in numbers.items():
        for mark, text in seen.open.items():
            if mark in groups or (decimal and mark != decimal):
                groups.setdefault(mark, f"{text!r} ({ours}), for the decimal mark is {decimal!r}")
            elif not asked and answers.get("data.thousands") != mark:
                other = _OTHER[mark]
                one, thousand = as_number(text, mark, other), as_number(text, other, mark)
                readings = ((mark, f"{text} is {one:g}"), (other, f"{text} is {thousand:g}"))
                tell = f"{file.name}: {ours} {text!r} can be read in two ways: no other value of the column tells which"
                option = f"--decimal {mark} or --set data.thousands={mark}"
                file.questions.append(Question("data.decimal", tell, readings, option))
    if proof.keys() - {decimal} or len(groups) > 1 or decimal in groups:
        found = [*(f"decimal {each}" for each in proof.values()), *(f"thousands {each}" for each in groups.values())]
        rule = f"must write all numbers with the same marks{', as --decimal says' if asked else ''}"
        raise SourceError(file.name, rule, " and ".join(found))
    if decimal or groups:
        thousands, grouped = next(iter(groups.items()), ("", ""))
        plain = decimal in {"", "."} and thousands != "," and not asked
        why = proof.get(decimal) or ("as asked" if asked else f"{thousands!r} stands between thousands")
        file.told |= {"decimal": ("auto" if plain else decimal, why), "thousands": (thousands, grouped)}


def _settle_dates(files: Sequence[_File], answers: Mapping[str, Any]) -> None:
    """The date format of every file; one that reads in several ways is told by the others, or asked for."""
    proven = {file.dates.readings[0].format for file in files if len(file.dates.readings) == 1}
    for file in files if "data.datetime_format" not in answers else ():
        readings, name = file.dates.readings, file.columns["invoiced_at"]
        if file.dates.unlike:
            rule = "must write all dates in one way that is known; a spreadsheet may have turned some: export it anew"
            raise SourceError(f"{file.name}: {name}", rule, " and ".join(file.dates.unlike))
        by_answer = [reading for reading in readings if reading.order == answers.get(DATE_ORDER)]
        by_others = [reading for reading in readings if proven == {reading.format}]
        if len(by_answer) == 1:
            _use(file, by_answer[0], "the order as asked", sure=len(readings) > 1 or not readings[0].proof)
        elif len(readings) == 1:
            proof = readings[0].proof
            _use(file, readings[0], f"{proof!r} reads in no other order" if proof else "", sure=False)
        elif by_others:
            _use(file, by_others[0], "the other files prove the order", sure=False)
        elif readings:
            text = f"{file.name}: {name!r}: no day above 12 proves which number is the day"
            orders = tuple((each.order, f"{each.format}: {each.days}") for each in readings)
            option = "--date-order " + " or ".join(order for order, _ in orders)
            file.questions.append(Question(DATE_ORDER, text, orders, option))
        offsets = file.dates.offsets
        if offsets and offsets[-1] - offsets[0] > 1 and not answers.get("data.timezone"):
            text = f"{file.name}: its times are {offsets[0]:+g} to {offsets[-1]:+g} hours from UTC: where is the shop?"
            file.questions.append(Question("data.timezone", text, (), "--timezone Europe/London"))


def _use(file: _File, reading: DateReading, why: str, *, sure: bool) -> None:
    file.told["datetime_format"] = (reading.format, f"{reading.days}; {why}".rstrip("; "))
    # Where nobody told the order the reading path proves it, by the other files too, or refuses.
    file.told["prove_date_order"] = (not sure, "no day above 12: told in another way" if sure else "")


def _changes(files: Sequence[_File], main: Told) -> dict[str, Json]:
    """What files say in another way than ``data``, by glob."""
    found = dict[str, dict[str, Json]]()
    for file in files:
        change = {key: value for key, (value, _) in file.told.items() if value != main[key][0]}
        columns = {key.removeprefix("columns."): change.pop(key) for key in [*change] if key.startswith("columns.")}
        if change or columns:
            found[file.name] = change | ({"columns": columns} if columns else {})
    names, globs = [file.name for file in files], dict[str, Json]()
    for name, change in found.items():
        alike = [other for other in names if found.get(other) == change]
        pattern = f"*{PurePosixPath(name).suffix}"
        shared = len(alike) > 1 and [other for other in names if PurePosixPath(other).match(pattern)] == alike
        globs[pattern if shared else glob.escape(name)] = change
    return globs


def _notes(file: _File) -> list[str]:
    unused = [name for name in file.tables[0].columns if name not in file.columns.values()]
    told = {"not read": unused, "are no dates": file.dates.unread[:3]}
    if file.dates.offsets == (0.0,):
        told["set data.timezone where the shop's clock is another"] = ["all times are UTC"]
    return [f"{file.name}: {why}: {', '.join(map(str, found))}" for why, found in told.items() if found]
