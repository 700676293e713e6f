"""Files that no settings are known of yet, as tables: encoding, delimiter and header are found, or asked for."""

import csv
import gzip
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, get_args

from pricetrail.base.errors import SourceError
from pricetrail.base.limits import MB, memory_limit
from pricetrail.base.params_data import Data, Delimiter
from pricetrail.data.encodings import to_utf8
from pricetrail.data.headers import HEADER_ROWS
from pricetrail.data.source_files import SUFFIXES
from pricetrail.data.source_limits import Allowance, counted_rows, read_parquet, read_text_bytes, require_zip
from pricetrail.data.unseen.column_meaning import by_kind, meanings

_SAMPLE_LINES, _MIN_COLUMNS = 200, 4
PARTS: Final = " + "  # between the names of columns that are one of ours
_CLOCK: Final = re.compile(r"\d{1,2}:\d\d(:\d\d)?( ?[AaPp][Mm])?")
_SEP: Final = re.compile(r"\"?sep=(.)\"?[ \t,;]*\r?\n", re.I)  # Excel's first line that names the delimiter
_ANY_BYTES: Final = "cp437"  # in which each byte is a letter


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
    settings: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()


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
        with memory_limit(allowance.working_mb), path.open("rb") as stream:
            found = [table for table in _tables(stream, allowance, answers) if any(table.columns.values())]
    except SourceError:
        raise
    except MemoryError:
        raise allowance.out_of_memory() from None
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


def _tables(
    stream: IO[bytes], allowance: Allowance, answers: Mapping[str, Any], member: str = ""
) -> Iterator[UnseenTable]:
    """The tables of a file, or of a member of a zip file, by its suffix."""
    file = allowance.file.name
    kind, name = (member or file).lower(), f"{file} [{member}]" if member else file
    if kind.endswith((".xlsx", ".xlsm", ".zip")):
        with zipfile.ZipFile(stream) as packed:
            require_zip(packed.infolist(), allowance)
            for each in filter(_is_lines, packed.namelist()) if kind.endswith(".zip") else ():
                yield from _tables(io.BytesIO(packed.read(each)), allowance, answers, each)
    if kind.endswith((".xlsx", ".xlsm")):
        import openpyxl  # type: ignore[import-untyped]  # it takes a while to load, and every command comes by

        for sheet in openpyxl.load_workbook(stream, read_only=True, data_only=True).worksheets:
            rows = [_cells(row) for row in counted_rows(sheet, allowance)]
            yield UnseenTable(file, f"{name} [{sheet.title}]", _columns(rows))
    elif kind.endswith(".parquet"):
        table = read_parquet(stream, allowance)
        columns = {each.strip(): _cells(table.column(each).to_pylist()) for each in table.column_names}
        yield UnseenTable(file, name, columns)
    elif not kind.endswith(".zip"):
        text = gzip.GzipFile(fileobj=stream) if kind.endswith(".gz") else stream
        yield _text_table(file, name, read_text_bytes(text, stream, allowance), answers)


def _is_lines(member: str) -> bool:
    name = PurePosixPath(member).name.lower()
    return name.endswith(SUFFIXES) and not name.endswith(".zip") and not name.startswith((".", "~$"))


def _cells(row: Sequence[Any]) -> list[Any]:
    """Texts stripped; empty ones are None."""
    texts = (cell.decode(errors="replace") if isinstance(cell, bytes) else cell for cell in row)
    texts = (str(cell) if isinstance(cell, list | dict) else cell for cell in texts)  # the reading path refuses them
    return [(cell.strip() or None) if isinstance(cell, str) else cell for cell in texts]


def _columns(rows: Sequence[list[Any]]) -> dict[str, list[Any]]:
    """The row that names most columns, of the first 20, and what stands below; rows without a cell are left out."""
    filled = [row for row in rows if any(cell is not None for cell in row)]
    names = [["" if cell is None else str(cell) for cell in row] for row in filled[:HEADER_ROWS]]
    if not names:
        return {}
    at = max(range(len(names)), key=lambda n: (meanings(names[n]), -n))
    cells = zip(*(row + [None] * (len(names[at]) - len(row)) for row in filled[at + 1 :]), strict=False)
    columns = dict(zip(names[at], map(list, cells), strict=False))
    return {name: column for name, column in columns.items() if name}


def _text_table(file: str, name: str, content: bytes, answers: Mapping[str, Any]) -> UnseenTable:
    text, encoding, questions = _decoded(name, content, answers.get("data.encoding", "auto"))
    if sep := _SEP.match(text):
        text = text[sep.end() :]
    sample = "".join(io.StringIO(text, newline="").readlines()[:_SAMPLE_LINES])
    is_tsv = re.search(r"(?i)\.tsv(\.gz)?\]?$", name)
    told = sep[1] if sep else "\t" if is_tsv else str(answers.get("data.delimiter") or "")
    delimiter, quote, why = _dialect(name, sample, told)
    quote = str(answers.get("data.quote") or quote)
    settings = {} if is_tsv else {"delimiter": (delimiter, why)}  # it has tabs, whatever is set
    settings["quote"] = (quote, "")
    settings["encoding"] = (encoding, "as asked" if encoding != "auto" else "UTF-8 or UTF-16 by its bytes")
    return UnseenTable(file, name, _columns([*map(_cells, _rows(text, delimiter, quote))]), settings, questions)


def _rows(text: str, delimiter: str, quote: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote))


def _decoded(name: str, content: bytes, told: str) -> tuple[str, str, tuple[Question, ...]]:
    """The text, the encoding as a setting, and a question where the bytes do not tell it."""
    try:
        return to_utf8(name, content, "auto").decode(), "auto", ()
    except SourceError as error:
        if told != "auto":
            return to_utf8(name, content, told).decode(), told, ()
        text = to_utf8(name, content, _ANY_BYTES).decode()  # or it is no text
        question = Question("data.encoding", f"{name}: {error.rule}", (), "--encoding cp1252")
        return text, "auto", (question,)


def _dialect(name: str, sample: str, told: str) -> tuple[str, str, str]:
    """Delimiter, quote and why: what clevercsv finds, where it divides the header into names that are known."""
    import clevercsv  # it takes a while to load, and every command comes by

    found = clevercsv.Detector().detect(sample, delimiters=[told] if told else list(get_args(Delimiter)), verbose=False)
    sniffed = (found.delimiter or "") if found else ""
    quote = "'" if found and found.quotechar == "'" else '"'
    if told:
        return told, quote, "as the file says, or as asked"
    known = {each: _known_names(sample, each) for each in get_args(Delimiter)}
    best = [each for each, names in known.items() if names == max(known.values())]
    if sniffed in best:
        return sniffed, quote, "as clevercsv finds"
    if len(best) > 1:
        raise SourceError(name, "must be divided by a delimiter that can be told: use --set 'data.delimiter=;'")
    return best[0], quote, f"it divides the header into {known[best[0]]} known names"


def _known_names(sample: str, delimiter: str) -> int:
    rows = [row for quote in "\"'" for row in _rows(sample, delimiter, quote)[:HEADER_ROWS]]
    return max((meanings([cell.strip() for cell in row]) for row in rows if len(row) >= _MIN_COLUMNS), default=0)
