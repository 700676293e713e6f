"""Settings for files that were never read, each with its evidence; what the files do not tell is a question."""

import datetime as dt
import glob
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from pricetrail.base.errors import SourceError
from pricetrail.base.json_type import Json
from pricetrail.data.column_proposal import ColumnChoice, choose_columns, present
from pricetrail.data.date_evidence import DateEvidence, DateReading, date_evidence
from pricetrail.data.number_evidence import NumberEvidence, number_evidence
from pricetrail.data.question import Question
from pricetrail.data.shop_proposal import ShopTable, propose_shop
from pricetrail.data.unseen_files import UnseenTable

DATE_ORDER: Final = "date_order"  # of the answers: not a setting, but tells data.datetime_format
_DEFAULTS: Final[Mapping[str, Json]] = {
    **{"datetime_format": "ISO8601", "timezone": "", "prove_date_order": True, "delimiter": ",", "quote": '"'},
    **{"encoding": "auto", "decimal": "auto", "thousands": ""},
}


@dataclass(frozen=True)
class Proposal:
    """What `pricetrail init` would write.

    Attributes:
        settings: by dotted key.
        evidence: why, by dotted key.
        questions: what must be answered first.
        notes: what a person should know beside it.
    """

    settings: Mapping[str, Json]
    evidence: Mapping[str, str]
    questions: tuple[Question, ...]
    notes: tuple[str, ...]


@dataclass
class _File:
    """What one file says: a setting that is not there is one that it tells nothing of."""

    name: str
    tables: list[UnseenTable]
    choice: ColumnChoice
    settings: dict[str, Json] = field(default_factory=dict)
    evidence: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    dates: DateEvidence = field(default_factory=lambda: DateEvidence(()))


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
    words = frozenset(word.lower() for word in missing) | {""}
    files = [_look(group, words, answers, today) for group in _by_file(tables)]
    _settle_dates(files, answers)
    questions = [question for file in files for question in (*file.choice.questions, *file.questions)]
    settings, evidence = _first(files)
    settings["data.files"] = changes = _changes(files, settings)
    for name, change in changes.items():
        evidence[f"data.files: {name}"] = "it differs from the first file in " + ", ".join(change)
    shop_tables = [
        ShopTable(table, file.choice.columns, *_marks_of(file, settings)) for file in files for table in file.tables
    ]
    shop = propose_shop(shop_tables, words, answers)
    given = {key: value for key, value in answers.items() if key != DATE_ORDER and not key.startswith("data.columns.")}
    return Proposal(
        settings | shop.settings | given,
        evidence | shop.evidence | dict.fromkeys(given, "as asked"),
        tuple({question.key + question.text: question for question in (*questions, *shop.questions)}.values()),
        (*(note for file in files for note in _notes(file)), *shop.notes),
    )


def _by_file(tables: Sequence[UnseenTable]) -> list[list[UnseenTable]]:
    names = dict.fromkeys(table.file for table in tables)
    return [[table for table in tables if table.file == name] for name in names]


def _look(tables: list[UnseenTable], missing: frozenset[str], answers: Mapping[str, Any], today: dt.date) -> _File:
    choices = [choose_columns(table, missing, answers, today) for table in tables]
    for table, choice in zip(tables[1:], choices[1:], strict=True):
        if choice.columns != choices[0].columns:
            rule = f"must have the columns of {tables[0].name}: save the other sheets as a file, or set data.sheet"
            raise SourceError(table.name, rule, ", ".join(table.header))
    file = _File(tables[0].file, tables, choices[0])
    file.settings |= tables[0].written
    file.evidence |= tables[0].evidence
    file.questions += [question for table in tables for question in table.questions]
    cells = {ours: _cells(file, ours, missing) for ours in ("quantity", "unit_price", "invoiced_at")}
    numbers = {ours: number_evidence(cells[ours]) for ours in ("quantity", "unit_price")}
    _settle_marks(file, numbers, answers)
    typed = all(isinstance(cell, dt.date) for cell in cells["invoiced_at"])
    if cells["invoiced_at"] and not typed:
        file.dates = date_evidence(cells["invoiced_at"], today)
    return file


def _cells(file: _File, ours: str, missing: frozenset[str]) -> list[Any]:
    name = file.choice.columns[ours]
    return [] if name is None else [cell for table in file.tables for cell in present(table.values(name), missing)]


def _settle_marks(file: _File, numbers: Mapping[str, NumberEvidence], answers: Mapping[str, Any]) -> None:
    """Decimal and thousands mark of a file: a mark that could be either is told by the other mark, or asked for."""
    decimals = {mark: f"{text!r} ({ours})" for ours, seen in numbers.items() for mark, text in seen.decimals.items()}
    thousands = {mark: f"{text!r} ({ours})" for ours, seen in numbers.items() for mark, text in seen.thousands.items()}
    decimal, mark = answers.get("data.decimal"), answers.get("data.thousands") or ""
    if decimal in {".", ","} and decimal not in decimals and {".", ","} & decimals.keys():
        raise SourceError(
            file.name, f"writes a decimal {decimal!r} nowhere, but {' '.join(decimals.values())}: --decimal is wrong"
        )
    if len(decimals) > 1 or decimals.keys() & thousands.keys() or len(thousands) > 1:
        both = [*decimals.values(), *thousands.values()]
        raise SourceError(file.name, "must write all numbers with the same marks: export it anew", " and ".join(both))
    asked = decimal in {".", ","}
    decimal = decimal if asked else next(iter(decimals), "")
    mark = mark or next(iter(thousands), "")
    for ours, seen in numbers.items():
        for open_mark, text in seen.open.items():
            if open_mark == mark or (asked and open_mark == decimal):
                continue
            if (decimal and open_mark != decimal) or (mark and not asked):
                thousands[open_mark] = f"{text!r} ({ours}), for the decimal mark is {decimal!r}"
                if mark and open_mark != mark:
                    raise SourceError(file.name, f"must write thousands with one mark: {thousands}")
                mark = open_mark
                continue
            file.questions.append(_one_or_thousand(file, ours, text, open_mark))
    if not decimal and mark in {".", ","}:
        decimal = "," if mark == "." else "."
    if decimal or mark:
        file.settings["decimal"] = decimal if decimal == "," or mark == "," or asked else "auto"
        file.settings["thousands"] = mark
        proof = decimals.get(decimal, "as asked" if asked else f"the mark between thousands is {mark!r}")
        file.evidence["decimal"] = f"{decimal or 'none'}: {proof}"
        file.evidence["thousands"] = thousands.get(mark, "no number has one" if not mark else "as asked")


def _one_or_thousand(file: _File, ours: str, text: str, mark: str) -> Question:
    head, tail = text.rsplit(mark, 1)
    other = "," if mark == "." else "."
    readings = ((mark, f"{text} is {head}.{tail}"), (other, f"{text} is {head}{tail}"))
    told = f"{file.name}: {ours} {text!r} can be read in two ways, and no other value of the column tells which"
    return Question("data.decimal", told, readings, f"--decimal {mark} or --decimal {other}")


def _settle_dates(files: Sequence[_File], answers: Mapping[str, Any]) -> None:
    """The date format of every file; one that reads in several ways is told by the others, or asked for."""
    proven = {file.dates.readings[0].format for file in files if len(file.dates.readings) == 1}
    for file in files:
        readings = file.dates.readings
        if file.dates.unlike and "data.datetime_format" not in answers:
            rule = "must write all dates in one way: a spreadsheet may have turned some of them; export it anew"
            raise SourceError(
                f"{file.name}: {file.choice.columns['invoiced_at']}", rule, " and ".join(file.dates.unlike)
            )
        if not readings:
            continue
        by_others = [reading for reading in readings if reading.format in proven]
        by_answer = [reading for reading in readings if reading.order == answers.get(DATE_ORDER)]
        if len(readings) == 1:
            _use(file, readings[0], f"{readings[0]}; {_why(readings[0])}", sure=False)
        elif len(by_answer) == 1:
            _use(file, by_answer[0], f"{by_answer[0]}; the order as asked", sure=True)
        elif len(by_others) == 1 and len(proven) == 1:
            _use(file, by_others[0], f"{by_others[0]}; other files prove the order", sure=False)
        elif "data.datetime_format" not in answers:
            told = (
                f"{file.name}: {file.choice.columns['invoiced_at']!r}: no day above 12 proves which number is the day"
            )
            orders = tuple((reading.order, str(reading)) for reading in readings)
            file.questions.append(
                Question(DATE_ORDER, told, orders, "--date-order " + "|".join(order for order, _ in orders))
            )
        _settle_zone(file, answers)


def _use(file: _File, reading: DateReading, why: str, *, sure: bool) -> None:
    file.settings["datetime_format"], file.evidence["datetime_format"] = reading.format, why
    if sure or not reading.proof:
        file.settings["prove_date_order"] = False
        file.evidence["prove_date_order"] = "the other order was ruled out here, not by a day above 12"


def _why(reading: DateReading) -> str:
    if reading.order in {"iso", "excel"}:
        return {"iso": "year, month, day, as ISO 8601", "excel": "serial numbers of days"}[reading.order]
    return f"{reading.proof!r} reads in no other order" if reading.proof else "the other order gives days after today"


def _settle_zone(file: _File, answers: Mapping[str, Any]) -> None:
    offsets = file.dates.offsets
    if offsets and offsets[-1] - offsets[0] > 1 and not answers.get("data.timezone"):
        told = f"{file.name}: its times are of several time zones ({offsets[0]:+g} to {offsets[-1]:+g} hours): which is the shop's?"
        file.questions.append(Question("data.timezone", told, (), "--timezone Europe/London"))


def _first(files: Sequence[_File]) -> tuple[dict[str, Json], dict[str, str]]:
    """Settings of ``data``: of each the first file's that tells it."""
    settings, evidence = dict[str, Json](), dict[str, str]()
    for ours, theirs in files[0].choice.columns.items():
        settings[f"data.columns.{ours}"] = theirs
        evidence[f"data.columns.{ours}"] = files[0].choice.evidence.get(ours, "")
    for key, default in _DEFAULTS.items():
        teller = next((file for file in files if key in file.settings), files[0])
        settings[f"data.{key}"] = teller.settings.get(key, default)
        if key in teller.evidence:
            evidence[f"data.{key}"] = teller.evidence[key]
    return settings, evidence


def _changes(files: Sequence[_File], main: Mapping[str, Json]) -> dict[str, Json]:
    """What files say in another way than ``data``, by glob."""
    found = dict[str, dict[str, Json]]()
    for file in files:
        change: dict[str, Json] = {
            key: value
            for key, value in file.settings.items()
            if value != main[f"data.{key}"] and not _is_tab(file, key)
        }
        columns = {o: t for o, t in file.choice.columns.items() if t != main[f"data.columns.{o}"]}
        if columns:
            change["columns"] = columns
        if (
            main["data.prove_date_order"] is False
            and "datetime_format" in file.settings
            and "prove_date_order" not in file.settings
        ):
            change["prove_date_order"] = True
        if change:
            found[file.name] = change
    unlike = {repr(change): [name for name, each in found.items() if each == change] for change in found.values()}
    names = [file.name for file in files]
    globs = dict[str, Json]()
    for group in unlike.values():
        shared = _glob(group, names)
        globs |= {each: found[group[0]] for each in ([shared] if shared else map(glob.escape, group))}
    return globs


def _is_tab(file: _File, key: str) -> bool:
    return key == "delimiter" and file.settings[key] == "\t" and ".tsv" in file.name.lower()


def _glob(group: Sequence[str], names: Sequence[str]) -> str:
    """A pattern of several files that no other file matches; empty where there is none."""
    if len(group) == 1:
        return ""
    kind = "".join(PurePosixPath(group[0]).suffixes[-1:])
    pattern = f"{glob.escape(os.path.commonprefix(list(group)))}*{kind}"
    return pattern if [name for name in names if PurePosixPath(name).match(pattern)] == list(group) else ""


def _marks_of(file: _File, main: Mapping[str, Json]) -> tuple[str, str]:
    decimal, thousands = (file.settings.get(key, main[f"data.{key}"]) for key in ("decimal", "thousands"))
    return str(decimal), str(thousands)


def _notes(file: _File) -> list[str]:
    notes = list[str]()
    if file.dates.unread:
        notes.append(f"{file.name}: {len(file.dates.unread)} values are no dates, such as {file.dates.unread[0]!r}")
    if file.dates.offsets == (0.0,):
        notes.append(f"{file.name}: all times are UTC: set data.timezone where the shop's clock is another")
    unused = [name for name in file.tables[0].header if name and name not in file.choice.columns.values()]
    if unused:
        notes.append(f"{file.name}: not read: {', '.join(unused)}")
    return notes
