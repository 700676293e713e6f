"""Files that no settings are known of yet, as tables: encoding, delimiter and header are found, or asked for."""

import csv
import gzip
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

import pyarrow.parquet as pq

from pricetrail.base.errors import SourceError
from pricetrail.base.limits import MB, memory_limit
from pricetrail.base.params_data import Data, Delimiter
from pricetrail.data.source_limits import Allowance
from pricetrail.data.unseen.column_meaning import by_kind, meanings

_SAMPLE_LINES, _HEADER_ROWS, _MIN_COLUMNS = 200, 20, 4
_MARKS: Final = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32"} | {
    **{b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
}
_USUAL: Final = ("cp1252", "iso8859-15", "cp850", "mac-roman", "cp1250", "cp1251")
PARTS: Final = " + "  # between the names of columns that are one of ours
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d(:\d\d)?( ?[AaPp][Mm])?")


@dataclass(frozen=True)
class Question:
    """What the files do not tell: the setting, the readings (answer, meaning), and the option that answers it."""

    key: str
    text: str
    readings: tuple[tuple[str, str], ...]
    option: str


@dataclass(frozen=True)
class UnseenTable:
    """A file, or a sheet or member of one.

    Attributes:
        file: its name.
        name: the same, with sheet or member.
        columns: cells by name in the file, None for empty ones.
        settings: of text, with the evidence.
        questions: what only a person knows.
    """

    file: str
    name: str
    columns: Mapping[str, list[Any]]
    settings: Mapping[str, tuple[str, str]]
    questions: tuple[Question, ...]


def look_at(path: Path, data: Data, answers: Mapping[str, Any]) -> list[UnseenTable]:
    """The tables of a file; sheets that do not look like lines are left out, where another does.

    Args:
        path: of a kind that the readers know.
        data: limits of size.
        answers: settings that a person gave, by dotted key.

    Raises:
        SourceError: the file is damaged or too large, or no text of the encoding that is said.
    """
    allowance = Allowance(path, path.stat().st_size / MB, data)
    try:
        with memory_limit(allowance.working_mb):
            found = [table for table in _tables(path, allowance, answers) if any(table.columns.values())]
    except SourceError:
        raise
    except Exception as error:  # the readers let many kinds of exception out on a damaged file, all mean the same
        raise SourceError(str(path), f"must be a readable file: {error}") from None
    if not found:
        raise SourceError(str(path), "must have a header and lines, and has none")
    best = max(meanings(table.columns) for table in found)
    return [_with_parts(table, answers) for table in found if 2 * meanings(table.columns) >= best]


def _with_parts(table: UnseenTable, answers: Mapping[str, Any]) -> UnseenTable:
    """The table with a day and a time that stand apart as one column: as a person said, or where values are such."""
    said = answers.get("data.columns.invoiced_at")
    if said is None:
        dated = [name for kind in by_kind("invoiced_at", table.columns) for name in kind]
        days = [name for name in dated if ":" not in "".join(map(str, table.columns[name]))]
        clocks = [name for name, cells in table.columns.items() if all(_CLOCK.fullmatch(str(cell)) for cell in cells)]
        pairs = [[day, clock] for day in days for clock in clocks if by_kind("invoiced_at", [f"{day} {clock}"])]
        said = pairs[0] if len(pairs) == 1 else None
    if not isinstance(said, list) or not set(said) <= table.columns.keys():
        return table
    rows = zip(*(table.columns[name] for name in said), strict=True)
    joined = [None if None in row else " ".join(str(cell).removesuffix(" 00:00:00") for cell in row) for row in rows]
    others = {name: cells for name, cells in table.columns.items() if name not in said}
    return replace(table, columns={PARTS.join(said): joined, **others})


def _tables(path: Path, allowance: Allowance, answers: Mapping[str, Any]) -> list[UnseenTable]:
    kind, content = path.name.lower(), path.read_bytes()
    if kind.endswith((".xlsx", ".xlsm")):
        import openpyxl  # type: ignore[import-untyped]

        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        for sheet in book.worksheets:
            sheet.reset_dimensions()
        sheets = {f"{path.name} [{sheet.title}]": sheet.iter_rows(values_only=True) for sheet in book.worksheets}
        return [
            UnseenTable(path.name, name, _columns(list(map(_cells, rows))), {}, ()) for name, rows in sheets.items()
        ]
    if kind.endswith(".parquet"):
        table = pq.read_table(io.BytesIO(content))
        columns = {name.strip(): _cells(table.column(name).to_pylist()) for name in table.column_names}
        return [UnseenTable(path.name, path.name, columns, {}, ())]
    if kind.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            members = [
                each for each in packed.infolist() if re.search(r"(?i)^(?!__MACOSX).*\.(csv|tsv|txt)$", each.filename)
            ]
            allowance.require_bytes(sum(each.file_size for each in members))
            texts = {f"{path.name} [{each.filename}]": packed.read(each) for each in members}
        return [_text_table(path.name, name, text, answers) for name, text in texts.items()]
    if kind.endswith(".gz"):
        with gzip.open(io.BytesIO(content)) as packed_text:
            content = packed_text.read(int(allowance.mb * MB) + 1)
        allowance.require_bytes(len(content))
    return [_text_table(path.name, path.name, content, answers)]


def _cells(row: Sequence[Any]) -> list[Any]:
    """Texts stripped; empty ones are None."""
    texts = (cell.decode(errors="replace") if isinstance(cell, bytes) else cell for cell in row)
    texts = (str(cell) if isinstance(cell, list | dict) else cell for cell in texts)  # the reading path refuses them
    return [(cell.strip() or None) if isinstance(cell, str) else cell for cell in texts]


def _columns(rows: Sequence[list[Any]]) -> dict[str, list[Any]]:
    """The row that names most columns, of the first 20, and what stands below; rows without a cell are left out."""
    filled = [row for row in rows if any(cell is not None for cell in row)]
    names = [["" if cell is None else str(cell) for cell in row] for row in filled[:_HEADER_ROWS]]
    if not names:
        return {}
    at = max(range(len(names)), key=lambda n: (meanings(names[n]), -n))
    below = filled[at + 1 :]
    return {
        name: [row[place] if place < len(row) else None for row in below]
        for place, name in enumerate(names[at])
        if name
    }


def _text_table(file: str, name: str, content: bytes, answers: Mapping[str, Any]) -> UnseenTable:
    encoding, text, questions = _decoded(name, content, answers.get("data.encoding"))
    if sep := re.match(r"sep=(.)\r?\n", text):
        text = text[sep.end() :]
    sample = "".join(io.StringIO(text, newline="").readlines()[:_SAMPLE_LINES])
    delimiter, quote, why = _dialect(name, sample, sep[1] if sep else str(answers.get("data.delimiter") or ""))
    quote = str(answers.get("data.quote") or quote)
    rows = list(map(_cells, _rows(text, delimiter, quote)))
    columns = _columns(rows)
    same = sum(len(row) >= len(columns) for row in rows)
    settings = {
        "delimiter": (delimiter, f"{why}; {same:,} of {len(rows):,} rows have {len(columns)} fields or more"),
        "quote": (quote, ""),
        "encoding": (encoding, "as asked" if encoding != "auto" else "UTF-8 or UTF-16 by its bytes"),
    }
    return UnseenTable(file, name, columns, settings, questions)


def _rows(text: str, delimiter: str, quote: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote))


def _decoded(name: str, content: bytes, answer: str | None) -> tuple[str, str, tuple[Question, ...]]:
    """The encoding as a setting, the text, and a question where the bytes do not tell it."""
    codec = next((codec for mark, codec in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return "auto", content.decode(codec), ()
    except UnicodeDecodeError as error:
        broken = error.start
    if answer and answer != "auto":
        try:
            return answer, content.decode(answer), ()
        except (UnicodeDecodeError, LookupError) as error:
            raise SourceError(name, f"must be text of the encoding that is said for it: {error}", answer) from None
    if b"\0" in content:
        raise SourceError(name, "must be a text file, and holds control bytes (binary, or UTF-16 without a mark)")
    start, end = content.rfind(b"\n", 0, broken) + 1, content.find(b"\n", broken)
    line = content[max(start, broken - 12) : min(broken + 16, end if end > 0 else broken + 16)]
    from charset_normalizer import from_bytes

    codecs = dict.fromkeys((*_USUAL, *(match.encoding for match in from_bytes(content))))
    shown = tuple((codec, repr(line.decode(codec, "replace"))) for codec in codecs if _decodes(content, codec))[:8]
    told = f"{name}: its bytes are no UTF-8, and do not tell which letters they mean"
    return "auto", content.decode("latin-1"), (Question("data.encoding", told, shown, "--encoding cp1252"),)


def _decodes(content: bytes, codec: str) -> bool:
    try:
        return bool(content.decode(codec))
    except UnicodeDecodeError:
        return False


def _dialect(name: str, sample: str, told: str) -> tuple[str, str, str]:
    """Delimiter, quote and why: what clevercsv finds, where it divides the header into names that are known."""
    import clevercsv  # it takes a while to load, and every command comes by

    found = clevercsv.Detector().detect(sample, delimiters=list(get_args(Delimiter)), verbose=False)
    sniffed = (found.delimiter or "") if found is not None else ""
    if told or re.search(r"(?i)\.tsv(\.gz)?\]?$", name):
        return told or "\t", _quote(sample, told or "\t"), "as the file says, or as asked"
    known: dict[str, int] = {each: _known_names(sample, each) for each in get_args(Delimiter)}
    best = [each for each, names in known.items() if names == max(known.values())]
    if len(best) > 1 and sniffed not in best:
        raise SourceError(name, "must be divided by a delimiter that can be told: use --set 'data.delimiter=;'")
    if sniffed in best:
        return sniffed, _quote(sample, sniffed), "as clevercsv finds"
    return best[0], _quote(sample, best[0]), f"it divides the header into {known[best[0]]} known names"


def _known_names(sample: str, delimiter: str) -> int:
    rows = [row for quote in "\"'" for row in _rows(sample, delimiter, quote)[:_HEADER_ROWS]]
    return max((meanings([cell.strip() for cell in row]) for row in rows if len(row) >= _MIN_COLUMNS), default=0)


def _quote(sample: str, delimiter: str) -> str:
    """The quote; an apostrophe is none, unless a column has nothing but such values, or they alone even the rows."""
    bare = [row for row in csv.reader(io.StringIO(sample), delimiter=delimiter, quoting=csv.QUOTE_NONE) if row][1:]
    always = any(all(re.fullmatch("'.*'", value) for value in values) for values in zip(*bare, strict=False))
    widths = {quote: {len(row) for row in _rows(sample, delimiter, quote) if row} for quote in "\"'"}
    return "'" if always or len(widths["'"]) == 1 < len(widths['"']) else '"'
