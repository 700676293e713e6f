"""Text with delimiters (CSV, TSV) to a raw table: quotes, the header, and the number of each row.

Arrow reads the values. It takes a stray quote for text, or swallows lines up to the next one, so what has a quote in it
is read by Python's strict reader too, which tells the row.
"""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Final, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from pricetrail.base.errors import SourceError
from pricetrail.base.params_data import Delimiter, FileFormat, Quote
from pricetrail.data.headers import LIKE_LINES, REQUIRED, Header, NoHeaderError, find_header, header_rows
from pricetrail.data.source import RawTable, Source
from pricetrail.data.source_limits import Allowance

_SEP: Final = re.compile(rb"\"?sep=(.)\"?[ \t,;]*(\r\n|\n|\r)", re.I)  # Excel's first line that names the delimiter
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_SHOWN: Final = 120  # characters of a row in a message


@dataclass(frozen=True)
class _Text:
    """UTF-8 text, and how it is divided and quoted (empty: not at all); ``start`` and ``row`` tell the first row."""

    place: str
    content: bytes
    delimiter: str
    quote: str
    start: int = 0
    row: int = 1

    def rows(self, lines: list[str], *, strict: bool) -> Iterator[list[str]]:
        """The rows one by one, an empty list for a blank line; ``lines`` has those that the row is made of."""
        stream = io.BytesIO(self.content)
        stream.seek(self.start)
        text = io.TextIOWrapper(stream, "utf-8", newline="")
        return csv.reader(
            _kept(text, lines),
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            strict=strict,
        )


def _kept(text: io.TextIOWrapper, lines: list[str]) -> Iterator[str]:
    for line in text:
        lines.append(line)
        yield line


def read_csv(content: bytes, written: FileFormat, allowance: Allowance) -> RawTable:
    """UTF-8 text as a table with every value as text.

    Raises:
        SourceError: naming the row: no header, a row of another width, quotes that are not sure.
    """
    text, notes = _Text(allowance.place, content, written.delimiter, written.quote), []
    if sep := _SEP.match(content):
        text = replace(text, delimiter=sep[1].decode("latin-1"), start=sep.end(), row=2)
        notes.append(f"its first line names the delimiter {text.delimiter!r}")
    header, start = _header(text, written, allowance)
    if header.row > 1 + len(notes):
        notes.append(f"its header is row {header.row}")
    body = replace(text, start=start, row=header.row + 1)
    table, rows = _values(body, header)
    _require_columns(table, rows, header, body)
    source = Source(text.place, str(allowance.file), written, table.num_rows, tuple(notes))
    return RawTable(source, header, table, rows)


def _header(text: _Text, written: FileFormat, allowance: Allowance) -> tuple[Header, int]:
    """The header, and the byte after it."""
    rows, ends = _head(text, written)
    if not any(rows):
        raise SourceError(text.place, "must have a header and lines, the file is empty")
    allowance.require_columns(max(map(len, rows)))
    unquoted = replace(text, quote="")  # a title may have a quote that none closes
    others = product((text.delimiter, *get_args(Delimiter)), (text.quote, *get_args(Quote)))
    for tried in (text, unquoted, *(replace(text, delimiter=each, quote=quote) for each, quote in others)):
        rows, ends = _head(tried, written)
        with suppress(NoHeaderError):
            header = find_header(text.place, rows, written)
            break
    else:
        header = find_header(text.place, _head(text, written)[0], written)  # refused, as the settings are
    if tried.delimiter != text.delimiter:
        rule = f"must be divided by {text.delimiter!r}, and is by another: set data.delimiter (or data.files) to"
        if ".tsv" in text.place:
            rule = "must be divided by tabs, as .tsv says: give it the suffix .csv, and set data.delimiter to"
        raise SourceError(text.place, f"{rule} {tried.delimiter!r}")
    if tried.quote not in ("", text.quote):
        rule = f"must not have its column names quoted by {tried.quote}: set data.quote (or data.files)"
        raise SourceError(text.place, rule)
    return header, ends[header.row - 1]


def _head(text: _Text, written: FileFormat) -> tuple[list[list[str]], list[int]]:
    """The first rows from row 1 on, and the byte after each; a blank row for those before ``text.row``."""
    lines: list[str] = []
    rows, ends, end = [[""]] * (text.row - 1), [text.start] * (text.row - 1), text.start
    try:
        for row in islice(text.rows(lines, strict=False), header_rows(written)):
            end += sum(len(line.encode()) for line in lines)
            lines.clear()
            rows.append(row)
            ends.append(end)
    except csv.Error:  # a field without an end: what was found before it must do
        pass
    return rows, ends


def _values(body: _Text, header: Header) -> tuple[pa.Table, pa.Array]:
    """The rows below the header as Arrow reads them, and the number of each."""
    names, skipped, content = [str(i) for i in range(header.width)], 0, pa.py_buffer(body.content).slice(body.start)
    if content.size == 0:
        return pa.table({name: pa.array([], pa.string()) for name in names}), pa.array([], pa.int64())

    def handle(row: pacsv.InvalidRow) -> str:
        nonlocal skipped
        skipped += 1
        return "error" if row.text.strip(f"{body.delimiter} \t\r\n") else "skip"

    try:
        table = pacsv.read_csv(
            pa.BufferReader(content),
            read_options=pacsv.ReadOptions(
                use_threads=False, block_size=max(1 << 20, content.size + 1), column_names=names
            ),
            parse_options=pacsv.ParseOptions(
                delimiter=body.delimiter,
                quote_char=body.quote,
                newlines_in_values=True,
                invalid_row_handler=handle,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid as error:
        _look_closer(body, header)
        raise SourceError(body.place, f"must be a readable csv file: {error}") from None
    blank = any(twice in body.content for twice in (b"\n\n", b"\n\r", b"\r\r")) or content[:1].to_pybytes() in b"\r\n"
    if not (skipped or blank or body.quote.encode() in body.content):
        return table, pa.array(range(body.row, body.row + table.num_rows), pa.int64())
    numbers = _look_closer(body, header)
    if len(numbers) != table.num_rows:
        raise SourceError(body.place, f"must have as many rows as {body.quote} and line ends tell, {len(numbers)}")
    return table, pa.array(numbers, pa.int64())


def _look_closer(body: _Text, header: Header) -> list[int]:
    """Read the rows with Python's strict reader: the numbers of those that Arrow reads as rows.

    Raises:
        SourceError: naming the row, where quotes are not sure or values are missing or too many.
    """
    lines: list[str] = []
    numbers, number, rule = list[int](), body.row - 1, ""
    try:
        for number, row in enumerate(body.rows(lines, strict=True), start=body.row):
            if len(row) == header.width:
                numbers.append(number)
                rule = _unsure(row, lines, header, body) if body.quote in lines[0] else ""
            elif any(cell.strip() for cell in row):
                rule = f"must have {header.width} values, as the header in row {header.row}, and has {len(row)} "
                rule += f"(one that holds {body.delimiter!r} must stand in quotes; data.delimiter, data.quote)"
            if rule:
                break
            lines.clear()
    except csv.Error as error:
        number, rule = number + 1, f"must be readable ({error})"
        if "expected after" in str(error):
            rule = f"must have nothing between a closing {body.quote} and {body.delimiter!r}: double it inside a value"
        elif "end of data" in str(error):
            rule = f"must close the {body.quote} that a value opens with, and the file ends before"
    if not rule:
        return numbers
    if f"\\{body.quote}" in "".join(lines):
        rule = f"must double a {body.quote} inside a value, and not put a backslash before it"
    raise SourceError(f"{body.place}: row {number}", rule, lines[0].rstrip("\r\n")[:_SHOWN])


def _unsure(row: list[str], lines: list[str], header: Header, body: _Text) -> str:
    """The rule that a row with quotes breaks, which another program would read as other values."""
    if any(f"\\{body.quote}" in line for line in lines):
        return "must have no backslash before a quote"
    if any(cell[:1] in (" ", "\t") and cell.lstrip()[:1] == body.quote for cell in row):
        return f"must have no space between {body.delimiter!r} and an opening {body.quote}"
    for at, cell in enumerate(row) if len(lines) > 1 else ():
        first, *rest = [part.split(body.delimiter) for part in _LINE_ENDS.split(cell)]
        goes_on = any(header.positions[ours] > at for ours in LIKE_LINES) and header.is_line([*row[:at], *first])
        if rest and (goes_on or any(map(header.is_line, rest)) or at in [header.positions[ours] for ours in REQUIRED]):
            return f"must close the {body.quote} that a value opens with: it goes on over what reads as the next rows"
    return ""


def _require_columns(table: pa.Table, rows: pa.Array, header: Header, body: _Text) -> None:
    """Refuse columns that are quoted by the other quote, and values to the right of the last name.

    A value before such a one may be cut in two, as 2,2 where a comma divides.
    """
    other = "'" if body.quote == '"' else '"'
    for ours, at in header.positions.items() if other.encode() in body.content else ():
        column, inside = table.column(at), f"([^{other}]|{other * 2})*"  # inside a quoted value a quote is doubled
        doubled = pc.match_substring_regex(column, f"(?s)^{other}{inside}{other * 2}{inside}{other}$")
        quoted = pc.match_substring_regex(column, f"(?s)^{other}.*{other}$")
        first = pc.index(doubled, True).as_py()
        if first < 0 and pc.any(quoted).as_py() and pc.all(quoted).as_py():
            first = pc.index(quoted, True).as_py()
        if first >= 0:
            rule = f"column {header.names[ours]!r} must not be quoted by {other}: set data.quote (or data.files)"
            raise SourceError(f"{body.place}: row {rows[first].as_py()}", rule, column[first].as_py())
    for column in table.columns[header.named :]:
        filled = pc.indices_nonzero(pc.not_equal(pc.utf8_trim_whitespace(column), ""))
        if len(filled):
            rule = "must have no value below an empty column name (data.delimiter, data.quote)"
            raise SourceError(f"{body.place}: row {rows[filled[0].as_py()]}", rule, column[filled[0].as_py()].as_py())
