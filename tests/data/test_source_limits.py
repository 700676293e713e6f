"""Attacks by whoever sends a file: a few MB that unpack to all the memory there is, files that lie, what is no file.

Each is read in a child that may hold 1.2 GB more than this process. Before there were limits, each of the bombs ended
in a killed or an out-of-memory process, and the rest in a hang or in lines that nobody sent.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pricetrail.base.errors import SourceError
from pricetrail.data import source_files
from support import bombs
from support.bombs import HEAD, LINE, ROWS
from support.tables import HEADER, SHOP, csv_text, data_settings

EXPANDED = r"must unpack to no more than ([0-9,]+ MB \(64 MB, or )?data\.max_expansion 100 times .*raise it in params"
WIDE = b'<row><c r="XFD1"><v>1</v></c></row>' * 2000
LONG = {"parquet texts", "sheet of sparse rows", "sheet of rows far below"}
NAMES = b"".join(b'<c t="inlineStr"><is><t>%s</t></is></c>' % name.encode() for name in HEADER)
FAR = b"<row>" + NAMES + b'</row><row r="900000000"><c><v>1</v></c></row>'
SPARSE = b"<row>" + NAMES + b"</row>" + b'<row><c r="ALL1"><v>1</v></c></row>' * 20_000


def write_lying_zip(file: Path) -> None:
    bombs.xlsx(file, {bombs.SHEET: bombs.sheet(ROWS, 90)})
    bombs.lying(file, 1000)


def write_more_rows(file: Path) -> None:
    bombs.parquet_with(file, lambda content: content.replace(bombs.varint(100_000), bombs.varint(1_000_000)))


def write_page_lie(file: Path) -> None:
    """The first page says that it unpacks to 2 GB: field 2 of its header, after type and field id."""

    def patch(content: bytes) -> bytes:
        at = content.index(b"\x15", 5)
        end = at + 1
        while content[end] & 128:
            end += 1
        return content[:at] + b"\x15" + bombs.varint(2**31 - 1) + content[end + 1 :]

    bombs.parquet_with(file, patch)


CASES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "parquet rows": ("a.parquet", lambda f: bombs.parquet_rows(f, 1_000_000), EXPANDED),
    "parquet texts": ("a.parquet", bombs.parquet_texts, r"must be read in no more than 512 MB of memory, .*raise it"),
    "parquet columns": ("a.parquet", bombs.parquet_columns, r"must have no more than 1,000 columns, got 3000"),
    "gz of zeros": ("a.csv.gz", lambda f: bombs.gz(f, bytes(1 << 20), 80), r"no line of more than 1 MB, got .*"),
    "gz of one line": ("a.csv.gz", lambda f: bombs.gz(f, b"x," * 500_000, 80, HEAD), r"no line of more than 1 MB"),
    "gz of many lines": ("a.csv.gz", lambda f: bombs.gz(f, LINE * 10_000, 100, HEAD), EXPANDED),
    "gz in gz": ("a.csv.gz", bombs.shop_gz_in_gz, r"must be a text file, and holds control bytes"),
    "sheet": ("a.xlsx", lambda f: bombs.xlsx(f, {bombs.SHEET: bombs.sheet(ROWS, 90)}), EXPANDED),
    "texts of a sheet": (
        "a.xlsx",
        lambda f: bombs.xlsx(f, {"xl/sharedStrings.xml": bombs.texts(70), bombs.SHEET: bombs.sheet(ROWS, 1)}),
        EXPANDED,
    ),
    "sheet of wide rows": (
        "a.xlsx",
        lambda f: bombs.xlsx(f, {bombs.SHEET: bombs.sheet(WIDE, 2)}),
        r"must have no more than 1,000 columns, got 16384",
    ),
    "sheet of sparse rows": (
        "a.xlsx",
        lambda f: bombs.xlsx(f, {bombs.SHEET: bombs.sheet(SPARSE, 1)}),
        EXPANDED,
    ),
    "sheet of rows far below": (
        "a.xlsx",
        lambda f: bombs.xlsx(f, {bombs.SHEET: bombs.sheet(FAR, 1)}),
        r"must have no more than 1,048,576 rows",
    ),
    "sheet packed by lzma": ("a.xlsx", bombs.lzma_sheet, r"must be packed by deflate, as spreadsheets are"),
    "csv columns": ("a.csv", bombs.columns, r"must have no more than 1,000 columns, got 100000"),
    "csv of one line": ("a.csv", bombs.endless_line, r"no line of more than 1 MB"),
    "zip that lies": ("a.xlsx", write_lying_zip, r"must be a readable xlsx file: .*CRC"),
    "footer that lies": ("a.parquet", write_more_rows, r"must hold the 1,000,000 lines that its footer .* got 100000"),
    "page that lies": ("a.parquet", write_page_lie, r"must be read in no more than 512 MB of memory"),
}


@pytest.mark.attack
@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in CASES])
def test_a_bomb_is_refused_in_little_memory(name: str, tmp_path: Path) -> None:
    file, write, message = CASES[name]
    write(tmp_path / file)
    size_mb = (tmp_path / file).stat().st_size / 1e6
    assert size_mb < 3 or name == "csv of one line"
    done = bombs.attempt(lambda: source_files.read_lines(data_settings(tmp_path / file)))
    assert re.match(rf"{tmp_path / file}( \[a\])?: ", done.told)
    assert re.search(message, done.told), done.told
    assert done.peak_mb < 1700


FOLDER_CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "link to outside": (
        lambda f: f.symlink_to("/etc/passwd"),
        r"no link to what lies outside of .*, got '/etc/passwd'",
    ),
    "link to a device": (lambda f: f.symlink_to("/dev/zero"), r"must be a regular file, no pipe, device or socket"),
    "pipe": (os.mkfifo, r"must be a regular file, no pipe, device or socket, got 'p'"),
    "link to nowhere": (lambda f: f.symlink_to("gone"), r"must be a file: No such file or directory"),
    "link to itself": (lambda f: f.symlink_to(f.name), r"must be a file: "),
}


@pytest.mark.attack
@pytest.mark.parametrize("name", FOLDER_CASES)
def test_what_is_no_file_of_its_own_is_refused(name: str, tmp_path: Path) -> None:
    make, message = FOLDER_CASES[name]
    (tmp_path / "good.csv").write_text(csv_text(SHOP))
    make(tmp_path / "odd.csv")
    done = bombs.attempt(lambda: source_files.read_lines(data_settings(tmp_path)))
    assert done.told.startswith(f"{tmp_path / 'odd.csv'}: ")
    assert re.search(message, done.told), done.told


@pytest.mark.attack
def test_a_folder_of_very_many_files_is_refused(tmp_path: Path) -> None:
    for number in range(10_001):
        os.link(tmp_path / "0.csv", tmp_path / f"{number}.csv") if number else (tmp_path / "0.csv").touch()
    done = bombs.attempt(lambda: source_files.read_lines(data_settings(tmp_path)))
    assert "must hold no more than data.max_files 10,000 source files (if the file is right, raise it" in done.told


def test_a_link_into_a_dvc_cache_is_a_file_of_its_own(tmp_path: Path) -> None:
    cached = tmp_path / "cache/files/md5/d4" / ("1" * 30)
    cached.parent.mkdir(parents=True)
    cached.write_text(csv_text(SHOP))
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines/a.csv").symlink_to(cached)
    assert len(source_files.read_lines(data_settings(tmp_path / "lines")).table) == len(SHOP)


@pytest.mark.parametrize(
    ("dials", "message"),
    [
        ({"max_rows": 7}, r"b\.csv: must bring the lines to no more than data\.max_rows 7 \(.*raise it.*\), got 8$"),
        ({"max_mb": 0.0001}, r"a\.csv: must unpack to no more than 0 MB \(data\.max_mb 0\.0001; .*raise it"),
        ({"max_mb": 0.0008}, r"b\.csv: must bring the lines to no more than data\.max_mb 0\.0008 in memory"),
        ({"max_files": 1}, r"must hold no more than data\.max_files 1 source files"),
    ],
)
def test_all_files_together_count(dials: dict[str, float], message: str, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(csv_text(SHOP))
    with pytest.raises(SourceError, match=message):
        source_files.read_lines(data_settings(tmp_path, **dials))
    assert len(source_files.read_lines(data_settings(tmp_path, max_rows=8, max_mb=0.01, max_files=2)).table) == 8


def test_a_file_that_packs_well_is_no_bomb(tmp_path: Path) -> None:
    """One product's lines for a year, gzipped: they unpack to 300 times their size, and to 30 MB."""
    bombs.gz(tmp_path / "a.csv.gz", LINE * 10_000, 50, HEAD)
    assert len(source_files.read_lines(data_settings(tmp_path / "a.csv.gz")).table) == 500_000
