"""Files that no settings are known of yet, as tables of cells: encoding, delimiter and header are found, or asked for."""

import csv
import gzip
import io
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Final, cast

import charset_normalizer
import clevercsv
import openpyxl
import pyarrow.parquet as pq

from pricetrail.base.errors import SourceError
from pricetrail.base.limits import MB, memory_limit
from pricetrail.base.params_data import Data
from pricetrail.data.column_meaning import meanings
from pricetrail.data.question import Question
from pricetrail.data.source_limits import Allowance, count_cells, read_text_bytes, require_zip

_DELIMITERS: Final = (",", ";", "\t", "|", ":", "^", "~", " ")
_SAMPLE_LINES, _HEADER_ROWS, _MIN_COLUMNS = 200, 20, 4
_BOMS: Final = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32"} | {
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_LATIN: Final = ("cp1252", "iso8859-15", "cp850", "mac-roman", "cp1250", "cp1251")


@dataclass(frozen=True)
class UnseenTable:
    """A table of a file that was never read: a CSV file, or a sheet or member.

    Attributes:
        file: its name.
        name: of the file, with sheet or member.
        header: names, stripped.
        columns: cells by position, None for empty ones; text of a CSV file is stripped.
        rows: row numbers as a person counts them.
        written: delimiter, quote and encoding, where a file is text.
        evidence: why, by setting.
        questions: what only a person knows.
    """

    file: str
    name: str
    header: tuple[str, ...]
    columns: tuple[list[Any], ...]
    rows: tuple[int, ...]
    written: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, str] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()

    def values(self, name: str) -> list[Any]:
        """Cells of a column by its name in the file."""
        return self.columns[self.header.index(name)]


def look_at(path: Path, data: Data, answers: Mapping[str, Any]) -> list[UnseenTable]:
    """The tables of a file; sheets without a header of lines are left out, where another has one.

    Args:
        path: of a kind that the readers know.
        data: limits of size, and words for nothing.
        answers: settings that a person gave, by dotted key.

    Raises:
        SourceError: the file is damaged, too large, or of another kind.
    """
    allowance = Allowance(path, path.stat().st_size / MB, data)
    try:
        with memory_limit(allowance.working_mb):
            found = [table for table in _tables(path, allowance, answers) if table.rows]
    except (SourceError, MemoryError):
        raise
    except Exception as error:  # the readers let many kinds of exception out on a damaged file, all mean the same
        raise SourceError(str(path), f"must be a readable file: {error}") from None
    if not found:
        raise SourceError(str(path), "must have a header and lines, it is empty")
    best = max(meanings(table.header) for table in found)
    return [table for table in found if 2 * meanings(table.header) > best] or found


def _tables(path: Path, allowance: Allowance, answers: Mapping[str, Any]) -> list[UnseenTable]:
    name = path.name.lower()
    if name.endswith((".xlsx", ".xlsm")):
        return _workbook(path, allowance)
    if name.endswith(".parquet"):
        table = pq.read_table(path)
        columns = [[_cell(value) for value in column.to_pylist()] for column in table.columns]
        header = tuple(each.strip() for each in table.column_names)
        return [UnseenTable(path.name, path.name, header, tuple(columns), tuple(range(2, table.num_rows + 2)))]
    if name.endswith(".zip"):
        require_zip(allowance)
        with zipfile.ZipFile(path) as packed:
            members = [each for each in packed.namelist() if re.search(r"(?i)\.(csv|tsv|txt)$", each)]
            return [
                _text_table(path, f"{path.name} [{each}]", each, packed.read(each), answers)
                for each in members
                if not each.startswith("__MACOSX")
            ]
    with path.open("rb") as file:
        stream = cast(BufferedIOBase, gzip.GzipFile(fileobj=file)) if name.endswith(".gz") else file
        content = read_text_bytes(stream, file, allowance)
    return [_text_table(path, path.name, name.removesuffix(".gz"), content, answers)]


def _cell(value: Any) -> Any:  # noqa: ANN401  a cell is anything
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return (value.strip() or None) if isinstance(value, str) else value


def _workbook(path: Path, allowance: Allowance) -> list[UnseenTable]:
    require_zip(allowance)
    book, found = openpyxl.load_workbook(path, read_only=True, data_only=True), list[UnseenTable]()
    for sheet in book.worksheets:
        sheet.reset_dimensions()
        count_cells(sheet, allowance)
        rows = [[_cell(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
        found.append(_table(path.name, f"{path.name} [{sheet.title}]", rows))
    book.close()
    return found


def _text_table(path: Path, name: str, kind: str, content: bytes, answers: Mapping[str, Any]) -> UnseenTable:
    encoding, text, questions = _decoded(name, content, answers.get("data.encoding"))
    if told := re.match(r"sep=(.)\r?\n", text):
        text = "\n" + text[told.end() :]  # the row number stays
    delimiter, why = (
        ("\t", "its name ends in .tsv") if kind.endswith(".tsv") else (told[1], "its first line") if told else ("", "")
    )
    quote = str(answers.get("data.quote") or '"')
    if not delimiter:
        delimiter, why, found, more = _delimiter(name, text, answers.get("data.delimiter"))
        quote, questions = str(answers.get("data.quote") or found), [*questions, *more]
    rows = [
        [_cell(cell) for cell in row]
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote)
    ]
    written = {"encoding": encoding, "delimiter": delimiter, "quote": quote}
    table = _table(path.name, name, rows)
    same = sum(len(rows[number - 1]) == len(table.header) for number in table.rows)
    evidence = {"delimiter": f"{why}; {same:,} of {len(table.rows):,} rows have {len(table.header)} fields"}
    evidence["encoding"] = "its bytes are valid" if encoding == "auto" else "as asked"
    return UnseenTable(path.name, name, table.header, table.columns, table.rows, written, evidence, tuple(questions))


def _table(file: str, name: str, rows: Sequence[Sequence[Any]]) -> UnseenTable:
    """The first row that names columns, and what stands below it; rows without a cell are left out."""
    filled = [(number, row) for number, row in enumerate(rows, start=1) if any(cell is not None for cell in row)]
    if not filled:
        return UnseenTable(file, name, (), (), ())
    first = [[str(cell).strip() for cell in row if cell is not None] for _, row in filled[:_HEADER_ROWS]]
    at = max(range(len(first)), key=lambda n: (meanings(first[n]), -n))
    header = ["" if cell is None else str(cell).strip() for cell in filled[at][1]]
    below = filled[at + 1 :]
    columns = [[row[place] if place < len(row) else None for _, row in below] for place in range(len(header))]
    return UnseenTable(file, name, tuple(header), tuple(columns), tuple(number for number, _ in below))


def _decoded(name: str, content: bytes, answer: Any) -> tuple[str, str, list[Question]]:  # noqa: ANN401
    """The encoding as a setting, the text, and a question where bytes do not tell it."""
    for mark, codec in _BOMS.items():
        if content.startswith(mark):
            return "auto", content.decode(codec), []
    try:
        return "auto", content.decode(), []
    except UnicodeDecodeError as error:
        broken = error.start
    if answer and answer != "auto":
        try:
            return str(answer), content.decode(str(answer)), []
        except (UnicodeDecodeError, LookupError) as error:
            raise SourceError(name, f"must be text of the encoding that is said for it: {error}", answer) from None
    if b"\0" in content[:4096]:
        raise SourceError(name, "must be a text file, and holds control bytes (binary, or UTF-16 without a mark)")
    codecs = [match.encoding for match in charset_normalizer.from_bytes(content)]
    start = content.rfind(b"\n", 0, broken) + 1
    line = content[start : content.find(b"\n", broken) if content.find(b"\n", broken) > 0 else None]
    at = broken - start
    shown = {
        codec: line[max(0, at - 12) : at + 16].decode(codec, "replace") for codec in dict.fromkeys((*_LATIN, *codecs))
    }
    shown = {codec: text for codec, text in shown.items() if _decodes(content, codec)}
    text = f"the bytes of {name} are no UTF-8, and do not tell which letters they mean"
    options = tuple((codec, repr(text)) for codec, text in list(shown.items())[:8])
    return "auto", content.decode("latin-1"), [Question("data.encoding", text, options, "--encoding cp1252")]


def _decodes(content: bytes, codec: str) -> bool:
    try:
        content.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(name: str, text: str, answer: Any) -> tuple[str, str, str, list[Question]]:  # noqa: ANN401
    """Delimiter, why, quote, and a question where two split the file alike."""
    sample = "".join(io.StringIO(text, newline="").readlines()[:_SAMPLE_LINES])
    # '"' is tried before "'": an apostrophe in a description is no quote.
    dialect = clevercsv.Detector().detect(sample, delimiters=list(_DELIMITERS), verbose=False)
    quote = "'" if dialect is not None and dialect.quotechar == "'" and _is_quoted(sample, dialect.delimiter) else '"'
    if answer:
        return str(answer), "as asked", quote, []
    found = {each: _names(sample, each, quote) for each in _DELIMITERS}
    most = max(found.values())
    best = [each for each, names in found.items() if names == most]
    sniffed = dialect.delimiter if dialect is not None else ""
    if len(best) > 1 and sniffed not in best:
        shown = tuple((each, f"{found[each]} of the columns have names that tell them") for each in best)
        return (
            best[0],
            "",
            quote,
            [Question("data.delimiter", f"{name} can be split in several ways", shown, "--set data.delimiter=';'")],
        )
    best_one = sniffed if sniffed in best else best[0]
    return best_one, "as clevercsv finds" if best_one == sniffed else f"it splits {most} known names", quote, []


def _names(sample: str, delimiter: str, quote: str) -> int:
    rows = list(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, quotechar=quote))[:_HEADER_ROWS]
    return max((meanings([cell.strip() for cell in row]) for row in rows if len(row) >= _MIN_COLUMNS), default=0)


def _is_quoted(sample: str, delimiter: str) -> bool:
    """Whether a column has nothing but values in single quotes."""
    rows = [
        row for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, quoting=csv.QUOTE_NONE) if row
    ]
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    body = [row for row in rows[1:] if len(row) == width]
    return any(body and all(re.fullmatch("'.*'", row[at]) for row in body) for at in range(width))
