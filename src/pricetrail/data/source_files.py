"""Files as people have them (CSV, TSV, Excel, Parquet, zips and a folder of these) to raw tables in our column names.

CSV and Excel are read as text: only the contract decides what is a number. Every row keeps its file and row number,
so that an error or the quarantine can point at it.
"""

import gzip
import io
import logging
import math
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Final

import pyarrow as pa

from pricetrail.base.errors import SourceError
from pricetrail.base.limits import MB, memory_limit
from pricetrail.base.params_data import Data
from pricetrail.data.csv_text import read_csv
from pricetrail.data.encodings import to_utf8
from pricetrail.data.order_fields import require_whole_order
from pricetrail.data.raw_columns import alike, named_columns, parquet_columns
from pricetrail.data.source import RawLines, RawTable, Source
from pricetrail.data.source_limits import RAISE, Allowance, read_parquet, read_text_bytes, require_zip
from pricetrail.data.text import CELL_TYPES

log = logging.getLogger(__name__)

SUFFIXES: Final = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz", ".parquet", ".xlsx", ".xlsm", ".zip")
_NO_DATA: Final = re.compile(r"(^|/)(\.|~\$|__MACOSX(/|$)|(thumbs\.db|desktop\.ini)$)|\.dvc$", re.I)  # of programs
_CACHED: Final = re.compile(r"/[0-9a-f]{2}/[0-9a-f]{30}$")  # an object of a DVC cache


def read_lines(data: Data) -> RawLines:
    """Read every file of ``data.path`` in order of name.

    Raises:
        SourceError: naming the file, the rule and what was found.
    """
    files = find_files(data.path, data)
    tables, sources, rows, size = list[pa.Table](), list[Source](), 0, 0
    for file in files:
        for raw in _read(file, data, rows):
            source, table = named_columns(raw)
            if source.written.fill_down and tables:
                require_whole_order(tables[-1], source.name, table, source.written)
            tables.append(table)
            sources.append(source)
            rows, size = rows + table.num_rows, size + table.nbytes
        if size > data.max_mb * MB:
            rule = f"must bring the lines to no more than data.max_mb {data.max_mb:g} in memory ({RAISE})"
            raise SourceError(str(file), rule, math.ceil(size / MB))
    table = pa.concat_tables(alike(tables), promote_options="default").unify_dictionaries()
    if table.column(CELL_TYPES).null_count == table.num_rows:
        table = table.drop_columns([CELL_TYPES])
    if table.num_rows == 0:
        raise SourceError(data.path, "must hold at least one line below the header", 0)
    _tell(data, sources)
    log.info("read %s rows from %s files of %s", f"{table.num_rows:,}", len(files), data.path)
    return RawLines(table.to_pandas(), tuple(sources))


def _tell(data: Data, sources: list[Source]) -> None:
    """Log what a person should know of how files were read."""
    for source in sources:
        for note in source.notes:
            log.warning("%s: %s", source.name, note)
    names = {name for source in sources for name in (source.file, source.name.replace(" [", "/").replace("]", ""))}
    inside = [PurePosixPath(name.removeprefix(data.path).lstrip("/")) for name in names]
    for glob in data.files if Path(data.path).is_dir() else ():
        if not any(name.match(glob) for name in inside):
            log.warning("params.yaml: data.files has %r, and no file of %s is named so", glob, data.path)


def find_files(path: str, data: Data) -> list[Path]:
    """The source files of a file or folder, in order of name; ``data.path`` plays no part.

    Hidden files and folders, and what programs leave beside data, are no source files.

    Raises:
        SourceError: where there is none, or one of an unknown kind is there, or there are more than ``max_files``, or
            one is no file of its own: a pipe, a device, or a link to what lies elsewhere.
    """
    root = Path(path)
    if root.is_file():
        _require_known(path, [root.name])
        return [root]
    if not root.is_dir():
        raise SourceError(path, "must be a file or a folder, and is not there")
    named = (file for file in root.glob(data.pattern) if not _NO_DATA.search(file.relative_to(root).as_posix()))
    files = sorted(islice((file for file in named if not file.is_dir()), data.max_files + 1))
    if len(files) > data.max_files:
        raise SourceError(path, f"must hold no more than data.max_files {data.max_files:,} source files ({RAISE})")
    _require_known(path, [file.relative_to(root).as_posix() for file in files], "; or narrow data.pattern")
    for file in files:
        require_regular(file, root)
    if not files:
        raise SourceError(path, f"must hold a file that matches {data.pattern!r} and ends in {', '.join(SUFFIXES)}")
    return files


def _require_known(place: str, names: list[str], else_: str = "") -> None:
    """Refuse files of a kind that is not read: what stands in them would be lost in silence."""
    unknown = [name for name in names if not name.lower().endswith(SUFFIXES)]
    if unknown:
        told = ", ".join(unknown[:20]) + (f" and {len(unknown) - 20} more" if len(unknown) > 20 else "")
        rule = f"must hold only files that end in {', '.join(SUFFIXES)}; save as xlsx or csv what is none{else_}"
        raise SourceError(place, rule, told)


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


def _read(file: Path, data: Data, rows_before: int) -> list[RawTable]:
    """The tables of one file: one, or one for each sheet of a workbook and each member of a zip file."""
    allowance = Allowance(file, file.stat().st_size / MB, data, rows_before)
    try:
        with memory_limit(allowance.working_mb):
            read = _read_zip if file.name.lower().endswith(".zip") else _read_kind
            return list(read(file, allowance))
    except MemoryError:
        raise allowance.out_of_memory() from None


def _read_zip(file: Path, allowance: Allowance) -> Iterator[RawTable]:
    """The tables of the members of a zip file, in order of name."""
    rows, data = allowance.rows_before, allowance.data
    with _told_errors(str(file), "zip"), zipfile.ZipFile(file) as packed:
        require_zip(packed.infolist(), allowance)
        members = sorted(name for name in packed.namelist() if not name.endswith("/") and not _NO_DATA.search(name))
        _require_known(str(file), members)
        odd = [name for name in members if name.lower().endswith(".zip") or members.count(name) > 1]
        if odd or not 0 < len(members) <= data.max_files:
            rule = f"must hold source files, each once, no more than data.max_files {data.max_files:,}, and no zip file"
            raise SourceError(str(file), rule, ", ".join((odd or members)[:20]))
        for name in members:
            size_mb = packed.getinfo(name).file_size / MB
            of_member = replace(allowance, member=name, size_mb=size_mb, rows_before=rows)
            with packed.open(name) as stream:
                for raw in _read_kind(stream, of_member):
                    rows += raw.table.num_rows
                    yield raw


def _read_kind(source: Path | IO[bytes], allowance: Allowance) -> list[RawTable]:
    """The tables of a file, or of a member of a zip file (its bytes), by its suffix."""
    name = (allowance.member or allowance.file.name).lower()
    suffix = next(end for end in SUFFIXES if name.endswith(end))
    with _told_errors(allowance.place, "gzip" if suffix.endswith(".gz") else suffix[1:]):
        if suffix in (".xlsx", ".xlsm", ".parquet") and not isinstance(source, Path):
            source = io.BytesIO(source.read())
        if suffix in (".xlsx", ".xlsm"):
            from pricetrail.data.workbook import read_workbook  # openpyxl takes a while, and every command comes here

            with zipfile.ZipFile(source) as packed:
                require_zip(packed.infolist(), allowance)
            tables = read_workbook(source, allowance)
        elif suffix == ".parquet":
            tables = [parquet_columns(read_parquet(source, allowance), allowance)]
        else:
            written = allowance.written()
            if suffix.startswith(".tsv"):
                written = written.model_copy(update={"delimiter": "\t"})
            content = to_utf8(allowance.place, _text_bytes(source, allowance, suffix), written.encoding)
            tables = [read_csv(content, written, allowance)]
        allowance.require_rows(sum(raw.table.num_rows for raw in tables))
        return tables


def _text_bytes(source: Path | IO[bytes], allowance: Allowance, suffix: str) -> bytes:
    with source.open("rb") if isinstance(source, Path) else source as packed:
        stream = gzip.GzipFile(fileobj=packed) if suffix.endswith(".gz") else packed
        return read_text_bytes(stream, packed, allowance)


@contextmanager
def _told_errors(place: str, kind: str) -> Iterator[None]:
    """Errors of the readers as ours; the readers let many kinds out on a damaged file, all mean the same."""
    try:
        yield
    except (SourceError, MemoryError):
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceError(place, f"must be a whole {kind} file: {error}") from None
    except Exception as error:
        raise SourceError(place, f"must be a readable {kind} file: {error}") from None
