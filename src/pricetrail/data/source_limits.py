"""How much a source file may hold: a few MB from whoever sends data must not unpack to all the memory there is.

What can be counted is counted before and while a file is read; what a file lies about to the library that reads it,
the kernel refuses (``base.limits.memory_limit``).
"""

import gzip
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pricetrail.base.errors import SourceError
from pricetrail.base.limits import MB
from pricetrail.base.params_data import Data, FileFormat

FREE_MB: Final = 64  # that any file may unpack to: a small file of one product's lines packs well
WORKING_MB, WORKING_TIMES = 256, 4  # what readers hold beside the unpacked bytes: copies, Python's objects
MAX_COLUMNS: Final = 1000  # of which eight are read
SHEET_ROWS: Final = 1 << 20  # of Excel
CELL_BYTES: Final = 32  # of a cell as Python holds it
MAX_ROOM: Final = 1 << 28  # cells of a sheet, empty ones too, which take time only
BATCH_ROWS: Final = 16_384
CHUNK_BYTES: Final = 1 << 20
MAX_LINE_BYTES: Final = 1 << 20  # of text
RAISE: Final = "if the file is right, raise it in params.yaml"  # in messages, after the name of the limit


@dataclass(frozen=True)
class Allowance:
    """What one file may unpack to.

    Attributes:
        file: it, or the zip file that it is a member of.
        size_mb: its megabytes.
        data: the limits, and how the file is written.
        rows_before: lines of the files before it.
        member: its name in a zip file.
    """

    file: Path
    size_mb: float
    data: Data
    rows_before: int = 0
    member: str = ""

    @property
    def place(self) -> str:
        """Its name in messages and as that of a source."""
        return f"{self.file} [{self.member}]" if self.member else str(self.file)

    def written(self, sheet: str = "") -> FileFormat:
        """How it is written, or a sheet of it."""
        inside = (
            self.file.name if self.file == Path(self.data.path) else self.file.relative_to(self.data.path).as_posix()
        )
        parts = (part for part in (inside, self.member, sheet) if part)
        return self.data.format_of(*accumulate(parts, "{}/{}".format))

    @property
    def mb(self) -> float:
        """Megabytes that it may unpack to."""
        return min(max(FREE_MB, self.data.max_expansion * self.size_mb), self.data.max_mb)

    @property
    def _rule(self) -> str:
        """Where they come from, and what to set."""
        limit = f"data.max_mb {self.data.max_mb:g}"
        if self.mb < self.data.max_mb:
            limit = f"{FREE_MB} MB, or data.max_expansion {self.data.max_expansion:g} times its {self.size_mb:.3g} MB"
        return f"{limit}; {RAISE}"

    @property
    def working_mb(self) -> float:
        """Memory that reading it may take."""
        return WORKING_MB + WORKING_TIMES * self.mb

    def require_bytes(self, count: int, packed: int | None = None) -> None:
        """Hold bytes, or how many of them there are so far, against it.

        Args:
            count: of bytes.
            packed: how many bytes of the file they come from, where that is known: a bomb is told at its start.

        Raises:
            SourceError: they are too many.
        """
        if packed is not None and count > max(FREE_MB * MB, self.data.max_expansion * packed):
            rule = f"must unpack to no more than data.max_expansion {self.data.max_expansion:g} times its size"
            found = f"{count / MB:,.0f} MB of the first {packed / MB:.2g} MB"
            raise SourceError(self.place, f"{rule} ({RAISE})", found)
        if count > self.mb * MB:
            rule = f"must unpack to no more than {self.mb:,.0f} MB ({self._rule})"
            raise SourceError(self.place, rule, f"{count / MB:,.0f} MB and maybe more")

    def require_rows(self, count: int) -> None:
        """As ``require_bytes``, for lines."""
        if (total := self.rows_before + count) > self.data.max_rows:
            rule = f"must bring the lines to no more than data.max_rows {self.data.max_rows:,} ({RAISE})"
            raise SourceError(self.place, rule, total)

    def require_columns(self, count: int) -> None:
        """As ``require_bytes``, for columns."""
        if count > MAX_COLUMNS:
            raise SourceError(self.place, f"must have no more than {MAX_COLUMNS:,} columns", count)

    def out_of_memory(self) -> SourceError:
        """The error of a file whose reading took more than ``working_mb``: it is other than it says of itself."""
        rule = f"must be read in no more than {self.working_mb:,.0f} MB of memory, for it may unpack to"
        return SourceError(self.place, f"{rule} {self.mb:,.0f} MB ({self._rule})")


def read_text_bytes(stream: IO[bytes] | gzip.GzipFile, packed: IO[bytes], allowance: Allowance) -> bytes:
    """A stream's bytes, counted while they come, and held against how much of the packed file they came from.

    Args:
        stream: the text.
        packed: what it is unpacked from, the stream itself where it is not.
        allowance: of its file.

    Raises:
        SourceError: they are too many, or one line has more than a MB of them.
    """
    content, line = bytearray(), 0
    while part := stream.read(CHUNK_BYTES):
        content += part
        allowance.require_bytes(len(content), packed.tell())
        end = max(part.rfind(b"\n"), part.rfind(b"\r"))
        line = len(part) - end - 1 if end >= 0 else line + len(part)
        if line > MAX_LINE_BYTES:
            rule = f"must be a text file, with no line of more than {MAX_LINE_BYTES / MB:.0f} MB"
            raise SourceError(allowance.place, rule, f"{line / MB:.1f} MB and maybe more")
    return bytes(content)


def require_zip(members: Sequence[zipfile.ZipInfo], allowance: Allowance) -> None:
    """Hold the members of a zip file against the allowance; Python reads no more of a member than is declared.

    Raises:
        SourceError: they are too large together, or packed in another way than spreadsheets are.
    """
    allowance.require_bytes(sum(member.file_size for member in members))
    for member in members:  # of the other ways Python unpacks a whole part of the file at once
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            rule = f"must be packed by deflate, as spreadsheets are, and {member.filename!r} is not"
            raise SourceError(allowance.place, rule, member.compress_type)


def counted_rows(sheet: Any, allowance: Allowance) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401  openpyxl's cells
    """The values of a sheet, row by row, counted: a row is as wide as its last cell says, and as far down.

    Args:
        sheet: of openpyxl, read-only.
        allowance: of its file.

    Raises:
        SourceError: they are too many.
    """
    sheet.reset_dimensions()  # what the sheet says of its size may be too little, or a million empty columns
    cells = room = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
        if number > SHEET_ROWS:
            raise SourceError(allowance.place, f"must have no more than {SHEET_ROWS:,} rows, as Excel", number)
        filled = len(row)
        while filled and row[filled - 1] is None:  # cells that have a colour only
            filled -= 1
        allowance.require_columns(filled)
        cells, room = cells + filled, room + len(row)
        allowance.require_bytes(cells * CELL_BYTES)
        if room > MAX_ROOM:
            raise SourceError(allowance.place, f"must have no more than {MAX_ROOM:,} cells, empty ones too", room)
        yield row[:filled]


def read_parquet(source: Path | IO[bytes], allowance: Allowance) -> pa.Table:
    """A Parquet file, counted by what its footer says and then by what comes.

    Raises:
        SourceError: it holds too much.
        ArrowException: it is no Parquet.
    """
    file = pq.ParquetFile(source, page_checksum_verification=True)
    found = file.metadata
    allowance.require_columns(found.num_columns)
    allowance.require_rows(found.num_rows)
    allowance.require_bytes(sum(found.row_group(i).total_byte_size for i in range(found.num_row_groups)))
    batches, rows, size = list[pa.RecordBatch](), 0, 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
        rows, size = rows + batch.num_rows, size + batch.nbytes
        allowance.require_rows(rows)
        allowance.require_bytes(size)
        batches.append(batch)
    if rows != found.num_rows:  # Arrow ends without a word where the pages do
        raise SourceError(allowance.place, f"must hold the {found.num_rows:,} lines that its footer tells", rows)
    table = pa.Table.from_batches(batches, schema=file.schema_arrow)
    table.validate(full=True)  # text that is no UTF-8 would come out later, as an error of another library
    return table
