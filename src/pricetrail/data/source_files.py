"""Files as people have them (CSV, gzipped CSV, Excel, Parquet, a folder of these) to raw tables in our column names.

CSV and Excel are read as text: only the contract decides what is a number. Every row keeps its file and row number,
so that an error or the quarantine can point at it.
"""

import csv
import gzip
import io
import logging
import math
import re
import stat
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from pricetrail.base.errors import SourceError
from pricetrail.base.limits import MB, memory_limit
from pricetrail.base.params_data import Data, FileFormat
from pricetrail.data.contract import LINE_COLUMNS, SOURCE_FILE, SOURCE_ROW
from pricetrail.data.source import RawLines, Source
from pricetrail.data.source_limits import (
    RAISE,
    Allowance,
    count_cells,
    read_parquet,
    read_text_bytes,
    require_zip,
)

log = logging.getLogger(__name__)

SUFFIXES: Final = (".csv", ".csv.gz", ".parquet", ".xlsx")
_UTF8_BOM, _UTF16_BOMS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_CACHED: Final = re.compile(r"/[0-9a-f]{2}/[0-9a-f]{30}$")  # an object of a DVC cache
_TEXT_CONTROLS: Final = frozenset(b"\t\n\r\f")


def read_lines(data: Data) -> RawLines:
    """Read every file of ``data.path`` in order of name.

    Raises:
        SourceError: naming the file, the rule and what was found.
    """
    files = find_files(data.path, data)
    tables, sources, rows, size = list[pa.Table](), list[Source](), 0, 0
    for file in files:
        written = data.format_of(_inside(file, data.path))
        tables.append(_named(file, *_read(file, data, written, rows), written))
        sources.append(Source(str(file), str(file), written, tables[-1].num_rows))
        rows, size = rows + tables[-1].num_rows, size + tables[-1].nbytes
        if size > data.max_mb * MB:
            rule = f"must bring the lines to no more than data.max_mb {data.max_mb:g} in memory ({RAISE})"
            raise SourceError(str(file), rule, math.ceil(size / MB))
    table = pa.concat_tables(_alike(tables)).unify_dictionaries()
    if table.num_rows == 0:
        raise SourceError(data.path, "must hold at least one line below the header", 0)
    log.info("read %s rows from %s files of %s", f"{table.num_rows:,}", len(files), data.path)
    return RawLines(table.to_pandas(), tuple(sources))


def _inside(file: Path, path: str) -> str:
    """The path of a file inside ``data.path``; its name where that is the file."""
    return file.name if file == Path(path) else file.relative_to(path).as_posix()


def find_files(path: str, data: Data) -> list[Path]:
    """The source files of a file or folder, in order of name; ``data.path`` plays no part.

    Raises:
        SourceError: where there is none, or one of an unknown kind was named, or there are more than ``max_files``, or
            one is no file of its own: a pipe, a device, or a link to what lies elsewhere.
    """
    root = Path(path)
    if root.is_file():
        if not root.name.lower().endswith(SUFFIXES):
            raise SourceError(path, f"must end in one of {', '.join(SUFFIXES)}", root.suffix)
        return [root]
    if not root.is_dir():
        raise SourceError(path, "must be a file or a folder, and is not there")
    named = (file for file in root.glob(data.pattern) if file.name.lower().endswith(SUFFIXES) and not file.is_dir())
    files = sorted(islice(named, data.max_files + 1))
    if len(files) > data.max_files:
        raise SourceError(path, f"must hold no more than data.max_files {data.max_files:,} source files ({RAISE})")
    for file in files:
        require_regular(file, root)
    if not files:
        raise SourceError(path, f"must hold a file that matches {data.pattern!r} and ends in {', '.join(SUFFIXES)}")
    return files


def require_regular(file: Path, root: Path) -> None:
    """Stop at what no person sends as a file: reading it would never end, or show what lies outside of the folder.

    A link into a DVC cache, which DVC itself makes, is a file of its own: its content is named by its hash.

    Raises:
        SourceError: a pipe, a device, a link to nowhere or to elsewhere.
    """
    try:
        mode, target = file.stat().st_mode, file.resolve()
    except OSError as error:
        raise SourceError(str(file), f"must be a file: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise SourceError(str(file), "must be a regular file, no pipe, device or socket", stat.filemode(mode)[0])
    if file.is_symlink() and not target.is_relative_to(root.resolve()) and not _CACHED.search(target.as_posix()):
        raise SourceError(str(file), f"must be a file, no link to what lies outside of {root}", str(target))


def _read(file: Path, data: Data, written: FileFormat, rows_before: int) -> tuple[pa.Table, pa.Array]:
    """One file as an Arrow table in the user's column names, and the row number of each of its lines."""
    kind = file.name.lower().rsplit(".", 1)[-1].replace("gz", "gzip")
    try:
        allowance = Allowance(file, file.stat().st_size / MB, data, rows_before)
        with memory_limit(allowance.working_mb):
            table, numbers = _read_kind(kind, allowance, written)
        allowance.require_rows(table.num_rows)
        return table, numbers
    except SourceError:
        raise
    except MemoryError:
        raise allowance.out_of_memory() from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(str(file), f"must be a whole {kind} file: {error}") from None
    except OSError as error:
        raise SourceError(str(file), f"must be readable: {error.strerror or error}") from None
    except Exception as error:  # the readers let many kinds of exception out on a damaged file, all mean the same
        raise SourceError(str(file), f"must be a readable {kind} file: {error}") from None


def _read_kind(kind: str, allowance: Allowance, written: FileFormat) -> tuple[pa.Table, pa.Array]:
    if kind == "xlsx":
        require_zip(allowance)
        return _read_excel(allowance)
    if kind == "parquet":
        table = read_parquet(allowance)
        return table, _rows(table)
    with allowance.file.open("rb") as packed:
        stream = gzip.GzipFile(fileobj=packed) if kind == "gzip" else packed
        content = read_text_bytes(stream, packed, allowance)
    return _read_csv(to_utf8(allowance.file, content, written.encoding), allowance, written.delimiter)


def _rows(table: pa.Table) -> pa.Array:
    """Row numbers where every row of the file is a line: the header is row 1."""
    return pa.array(range(2, table.num_rows + 2), pa.int64())


def _read_excel(allowance: Allowance) -> tuple[pa.Table, pa.Array]:
    """The first sheet as text; its first row is taken as it is: pandas would rename a name that stands twice."""
    file = allowance.file
    with pd.ExcelFile(file, engine="openpyxl") as book:
        count_cells(book.book.worksheets[0], allowance)
        sheet = book.parse(0, dtype=str, keep_default_na=False, header=None)
        if len(book.sheet_names) > 1:
            log.warning("%s: only its first sheet is read, not %s", file, ", ".join(map(str, book.sheet_names[1:])))
    if sheet.empty:
        raise SourceError(str(file), "must have a header and lines, the sheet is empty")
    header = [str(cell) for cell in sheet.iloc[0]]
    columns = [pa.array(sheet.iloc[1:, i].astype(str), pa.string()) for i in range(len(header))]
    table = pa.Table.from_arrays(columns, names=header)
    return table, _rows(table)


def to_utf8(file: Path, content: bytes, encoding: str) -> bytes:
    """CSV text as UTF-8.

    With ``auto``, UTF-8 and UTF-16 tell themselves (a byte-order mark, or valid UTF-8). What is left is taken for
    Latin-1 where it has none of the bytes 0x80-0x9F, which Latin-1 does not use; otherwise it cannot be told.

    Raises:
        SourceError: binary content, or an encoding that cannot be told.
    """
    if encoding != "auto":
        try:
            return content.decode(encoding).encode().removeprefix(_UTF8_BOM)
        except LookupError:
            raise SourceError("params.yaml", "data.encoding must be auto or a known encoding", encoding) from None
        except UnicodeDecodeError as error:
            raise SourceError(str(file), f"must be {encoding} text: byte {error.start} is not") from None
    if content.startswith(_UTF16_BOMS):
        return content.decode("utf-16").encode()
    if any(byte < 32 and byte not in _TEXT_CONTROLS for byte in set(content[:65536])):
        raise SourceError(str(file), "must be a text file, and holds control bytes (binary, or UTF-16 without a mark)")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        if any(0x80 <= byte <= 0x9F for byte in set(content)):
            rule = f"encoding cannot be told (byte {error.start} is no UTF-8, nor is it all Latin-1): set data.encoding"
            raise SourceError(str(file), rule) from None
        log.warning("%s: not UTF-8, read as Latin-1", file)
        return content.decode("latin-1").encode()
    return content.removeprefix(_UTF8_BOM)


def _read_csv(content: bytes, allowance: Allowance, delimiter: str) -> tuple[pa.Table, pa.Array]:
    """A CSV file with every column as text, and the row number of each line."""
    header = next((row for row in _csv_rows(content, delimiter) if row), None)
    if header is None:
        raise SourceError(str(allowance.file), "must have a header and lines, the file is empty")
    allowance.require_columns(len(header))
    by_position = [str(i) for i in range(len(header))]  # a name may stand twice; the header is read as a first line
    table = pacsv.read_csv(
        pa.BufferReader(content),
        read_options=pacsv.ReadOptions(
            use_threads=False, block_size=max(1 << 20, len(content) + 1), column_names=by_position
        ),
        parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=dict.fromkeys(by_position, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )
    table = table.slice(1).rename_columns(header)
    if content[:1] in b"\r\n" or any(blank in content for blank in (b"\n\n", b"\n\r", b"\r\r")):
        numbers = [number for number, row in enumerate(_csv_rows(content, delimiter), start=1) if row][1:]
        if len(numbers) == table.num_rows:  # Arrow leaves blank lines out, a person counts them
            return table, pa.array(numbers, pa.int64())
    return table, _rows(table)


def _csv_rows(content: bytes, delimiter: str) -> Iterator[list[str]]:
    """The rows of UTF-8 CSV text one by one, an empty list for a blank line."""
    return csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8", newline=""), delimiter=delimiter)


def _named(file: Path, table: pa.Table, rows: pa.Array, written: FileFormat) -> pa.Table:
    """Our columns under our names, with where each row came from.

    Raises:
        SourceError: a column that is missing, stands twice or holds no plain values.
    """
    header = [name.strip() for name in table.column_names]
    wanted = {ours: theirs for ours, theirs in written.columns.model_dump().items() if theirs}
    for ours, theirs in wanted.items():
        if header.count(theirs) > 1:
            raise SourceError(str(file), f"must have column {theirs!r} once, it stands {header.count(theirs)} times")
        if theirs not in header:
            rule = f"must have column {theirs!r} (params.yaml: data.columns.{ours})"
            raise SourceError(str(file), rule, ", ".join(header))
    columns = [_plain(file, theirs, table.column(header.index(theirs))) for theirs in wanted.values()]
    source = pa.DictionaryArray.from_arrays(pa.array([0] * table.num_rows, pa.int32()), [str(file)])
    table = pa.table([*columns, source, rows], names=[*wanted, SOURCE_FILE, SOURCE_ROW])
    for ours in ("description", "customer_id", "country"):
        if ours not in wanted:
            table = table.append_column(ours, pa.nulls(table.num_rows, pa.string()))
    return table.select([*LINE_COLUMNS, *wanted.keys() - {*LINE_COLUMNS}, SOURCE_FILE, SOURCE_ROW])


def _plain(file: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of numbers, text or local shop times: what a Parquet file may hold beyond them is brought back to it.

    Raises:
        SourceError: lists or structs, or bytes that are no text.
    """
    try:
        if pa.types.is_timestamp(column.type) and column.type.tz:
            return pc.local_timestamp(column)
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            return column.cast(pa.large_string())
    except pa.ArrowException as error:
        raise SourceError(str(file), f"column {name!r} must be readable: {error}") from None
    if pa.types.is_nested(column.type):
        raise SourceError(str(file), f"column {name!r} must hold plain values", str(column.type))
    return column


def _alike(tables: list[pa.Table]) -> list[pa.Table]:
    """Tables with one schema: a column whose type differs between files becomes text in all of them."""
    mixed = {
        name
        for name in tables[0].column_names
        if name != SOURCE_FILE and len({table.schema.field(name).type for table in tables}) > 1
    }
    return [_as_text(table, mixed) for table in tables]


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    for name in names:
        table = table.set_column(table.column_names.index(name), name, table.column(name).cast(pa.string()))
    return table
