"""Small source files that unpack to very much, or lie about it; and what reading one takes, in a child with a limit."""

from __future__ import annotations

import gzip
import multiprocessing
import os
import resource
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from pricetrail.base.errors import PricetrailError
from support.tables import HEADER, SHOP, csv_text

CHILD_MB = 1200  # beyond what the test process holds: with its 300 MB of packages it is below 2 GB
HEAD, LINE = csv_text([]).encode(), csv_text([SHOP[0]]).splitlines(keepends=True)[1].encode()
ROWS = b"<row><c><v>1</v></c></row>" * 40_000  # 1 MB
SHEET = "xl/worksheets/sheet1.xml"
NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'spreadsheetml.sheet.main+xml"/><Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.'
    'openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>',
    "xl/sharedStrings.xml": f"<sst {NAMESPACE}/>",
    "xl/workbook.xml": f"<workbook {NAMESPACE} xmlns:r="
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
    'Target="worksheets/sheet1.xml"/></Relationships>',
}


@dataclass(frozen=True)
class Attempt:
    """How a call ended: its error's text, empty where it had none, and the process's peak of resident memory."""

    told: str
    peak_mb: float


def attempt(call: Callable[[], object], more_mb: int = CHILD_MB) -> Attempt:
    """Make a call in a fork that may hold so much memory and no more; only an error of ours is a refusal."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=_answer, args=(call, there, more_mb))
    child.start()
    there.close()
    try:
        assert here.poll(60), "it hangs"
        return Attempt(*here.recv())
    finally:
        child.kill()
        child.join()


def _answer(call: Callable[[], object], there: Connection, more_mb: int) -> None:
    held = psutil.Process().memory_info().data
    resource.setrlimit(resource.RLIMIT_DATA, (held + more_mb * 10**6, resource.RLIM_INFINITY))
    try:
        call()
        told = ""
    except PricetrailError as error:
        told = str(error)
    except BaseException as error:
        told = f"not ours: {error!r}"
    there.send((told, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000))


def parquet_rows(file: Path, rows: int = 40_000_000, part: int = 1_000_000) -> None:
    """Each column one value, so often."""
    cell = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), part), ["x" * 20])
    table = pa.table(dict.fromkeys(HEADER, cell))
    with pq.ParquetWriter(file, table.schema, compression="zstd", store_schema=False) as writer:
        for _ in range(rows // part):
            writer.write_table(table)


def parquet_texts(file: Path, rows: int = 6000, size: int = 1 << 20) -> None:
    """Few rows, of texts that stand in a dictionary once."""
    cell = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), rows), ["x" * size])
    table = pa.table(dict.fromkeys(HEADER, cell))
    pq.write_table(table, file, compression="zstd", store_schema=False, dictionary_pagesize_limit=1 << 30)


def parquet_columns(file: Path) -> None:
    pq.write_table(pa.table({f"c{i}": ["x"] for i in range(3000)}), file)


def parquet_with(file: Path, patch: Callable[[bytes], bytes]) -> None:
    """A whole file of 100,000 lines, its bytes changed."""
    cell = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), 100_000), ["x" * 20])
    pq.write_table(pa.table(dict.fromkeys(HEADER, cell)), file, compression="zstd", store_schema=False)
    file.write_bytes(patch(file.read_bytes()))


def varint(number: int) -> bytes:
    """As Thrift's compact protocol writes a number."""
    number, out = number << 1, bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def gz(file: Path, part: bytes, times: int, head: bytes = b"") -> None:
    """A gzip file of a part so often."""
    with gzip.open(file, "wb") as packed:
        packed.write(head)
        for _ in range(times):
            packed.write(part)


def xlsx(file: Path, parts: dict[str, list[bytes]], kind: int = zipfile.ZIP_DEFLATED) -> None:
    """A workbook whose members are given in parts, one after another."""
    with zipfile.ZipFile(file, "w", kind) as packed:
        for name, text in PARTS.items():
            if name not in parts:
                packed.writestr(name, text)
        for name, chunks in parts.items():
            with packed.open(name, "w", force_zip64=True) as member:
                for chunk in chunks:
                    member.write(chunk)


def sheet(rows: bytes, times: int) -> list[bytes]:
    """The parts of a sheet: its start, some rows so often, its end."""
    return [f"<worksheet {NAMESPACE}><sheetData>".encode(), *[rows] * times, b"</sheetData></worksheet>"]


def texts(times: int) -> list[bytes]:
    """The parts of a table of texts that cells point at."""
    return [f"<sst {NAMESPACE}>".encode(), *[b"<si><t>x</t></si>" * 60_000] * times, b"</sst>"]


def lying(file: Path, declared: int) -> None:
    """Declare another size of each large member of a zip file."""
    content = bytearray(file.read_bytes())
    at = content.find(b"PK\x01\x02")
    while at >= 0:
        if struct.unpack_from("<I", content, at + 24)[0] > 10**6:
            struct.pack_into("<I", content, at + 24, declared)
        at = content.find(b"PK\x01\x02", at + 4)
    file.write_bytes(content)


def shop_gz_in_gz(file: Path) -> None:
    file.write_bytes(gzip.compress(gzip.compress(csv_text(SHOP).encode())))


def lzma_sheet(file: Path) -> None:
    """A sheet of 24 MB that is packed by LZMA, and declared as small: Python unpacks its parts whole."""
    xlsx(file, {SHEET: sheet(b"<row/>" * 200_000, 20)}, zipfile.ZIP_LZMA)
    lying(file, 1000)


def columns(file: Path) -> None:
    file.write_text(",".join(f"c{i}" for i in range(100_000)) + "\n" + "," * 99_999 + "\n")


def endless_line(file: Path) -> None:
    """A GB that takes no room on the disk."""
    file.touch()
    os.truncate(file, 10**9)
