"""Laws of bad input: exit 1, one line that names the file, the row or the key, and nothing written.

Most kinds run the stage's function; some run the real command, which a person would see.
"""

from __future__ import annotations

import datetime as dt
import gzip
import random
import re
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pricetrail.base.errors import PricetrailError
from pricetrail.stages import etl_pipeline
from support.commands import run
from support.tables import HEADER, PARAMS, SHOP, Row, csv_text

TEXT = csv_text(SHOP)
NOISE = random.Random(1).randbytes(2000)
SOURCE = "shop/lines.csv"


def make_project(folder: Path, path: str = SOURCE, **dials: str) -> None:
    """A project with the shipped params, ``data.path`` and some dials changed (a dial, what it is set to)."""
    text = PARAMS.replace("path: demo/lines", f"path: {path}")
    for name, value in dials.items():
        text, found = re.subn(rf"(?m)^(  {name}:) [^#\n]*", rf"\1 {value} ", text)
        assert found == 1, name
    (folder / "params.yaml").write_text(text)
    (folder / "shop").mkdir(exist_ok=True)


def below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden and temporary ones too, with its bytes."""
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def with_cell(row: Row, column: str, cell: str) -> Row:
    return tuple(cell if name == column else old for name, old in zip(HEADER, row, strict=True))


def xlsx_bytes(folder: Path, *rows: tuple[object, ...]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(list(row))
    book.save(folder / "made.xlsx")
    return (folder / "made.xlsx").read_bytes()


def broken_sheet(folder: Path) -> bytes:
    """A whole zip file whose sheet is no XML."""
    with zipfile.ZipFile(folder / "made.zip", "w") as broken:
        xlsx_bytes(folder, HEADER)
        with zipfile.ZipFile(folder / "made.xlsx") as whole:
            for name in whole.namelist():
                broken.writestr(name, b"<worksheet" if "sheet1" in name else whole.read(name))
    return (folder / "made.zip").read_bytes()


def parquet_bytes(columns: int = 8) -> bytes:
    sink = pa.BufferOutputStream()
    table = {name: pa.array([row[i] for row in SHOP]) for i, name in enumerate(HEADER[:columns])}
    pq.write_table(pa.table(table), sink)
    return bytes(sink.getvalue())


def damaged_parquet(_: Path) -> bytes:
    content = bytearray(parquet_bytes())
    content[4:60] = bytes(56)
    return bytes(content)


def one_cell(column: str, cell: str) -> bytes:
    """The shop with one cell changed in its second line, which is row 3."""
    return csv_text([SHOP[0], with_cell(SHOP[1], column, cell), *SHOP[2:]]).encode()


UNREADABLE = r"\(1 of 4 rows are unparseable, data.max_bad_share is 0.01\)"
KINDS: dict[str, tuple[str, bytes | Callable[[Path], bytes], str]] = {
    "missing column": (
        "lines.csv",
        TEXT.replace("Quantity", "Qty").encode(),
        r"must have column 'Quantity' \(params.yaml: data.columns.quantity\), got 'InvoiceNo, .*",
    ),
    "duplicate column": (
        "lines.csv",
        TEXT.replace("UnitPrice", "UnitPrice,StockCode").encode(),
        "must have column 'StockCode' once, it stands 2 times",
    ),
    "duplicate column of a sheet": (
        "lines.xlsx",
        lambda folder: xlsx_bytes(folder, (*HEADER, "Country"), (*SHOP[0], "France")),
        r"\[Sheet\]: must have column 'Country' once, it stands 2 times",
    ),
    "no rows": ("lines.csv", csv_text([]).encode(), "must hold at least one line below the header, got 0"),
    "header without an end": ("lines.csv", csv_text([]).strip().encode(), "must hold at least one line below .*"),
    "no rows in a sheet": ("lines.xlsx", lambda folder: xlsx_bytes(folder, HEADER), "must hold at least one line .*"),
    "empty": ("lines.csv", b"", "must have a header and lines, the file is empty"),
    "only line ends": ("lines.csv", b"\n\n\n", "must have a header and lines, the file is empty"),
    "empty gzip": ("lines.csv.gz", gzip.compress(b""), "must have a header and lines, the file is empty"),
    "empty sheet": ("lines.xlsx", xlsx_bytes, r"\[Sheet\]: must have a header and lines, the sheet is empty"),
    "all rows bad": (
        "lines.csv",
        csv_text([with_cell(row, "Quantity", "some") for row in SHOP]).encode(),
        r"row 2: quantity must be a whole number \(4 of 4 rows are unparseable, .*\), got 'some'",
    ),
    "no date": (
        "lines.csv",
        one_cell("InvoiceDate", "2010-02-30"),
        rf"row 3: invoiced_at must be a date and time {UNREADABLE}, got '2010-02-30'",
    ),
    "text quantity": (
        "lines.csv",
        one_cell("Quantity", "six"),
        rf"row 3: quantity must be a whole number {UNREADABLE}, got 'six'",
    ),
    "half a unit": (
        "lines.csv",
        one_cell("Quantity", "1.5"),
        rf"row 3: quantity must be a whole number {UNREADABLE}, got '1.5'",
    ),
    "text price": (
        "lines.csv",
        one_cell("UnitPrice", "two"),
        rf"row 3: unit_price must be a number {UNREADABLE}, got 'two'",
    ),
    "no invoice": ("lines.csv", one_cell("InvoiceNo", ""), rf"row 3: invoice must not be empty {UNREADABLE}.*"),
    "ragged row": (
        "lines.csv",
        (TEXT + "536372,22423,CAKESTAND\n").encode(),
        r"row 6: must have 8 values, as the header in row 1, and has 3 .*, got '536372,22423,CAKESTAND'",
    ),
    "open quote": (
        "lines.csv",
        (TEXT + '536372,22423,"CAKE\n' + "a,b\n" * 3).encode(),
        "row 6: must close the \" that a value opens with, and the file ends before, got '536372,22423,\"CAKE'",
    ),
    "binary": ("lines.csv", NOISE, "row 1: must be a text file, and holds control bytes .*"),
    "binary behind a mark": (
        "lines.csv",
        b"\xff\xfe" + NOISE,
        "must be utf-16 text as its first bytes say: byte 12 is not, in line 1 .*",
    ),
    "UTF-16 without a mark": (
        "lines.csv",
        TEXT.encode("utf-16-le"),
        "row 1: must be a text file, .*UTF-16 without a mark.*",
    ),
    "truncated UTF-16": ("lines.csv", TEXT.encode("utf-16")[:-1], "must be utf-16 text .*truncated data.*"),
    "no UTF-8": (
        "lines.csv",
        TEXT.replace("HEART", "HEART\u2019S").encode("cp1252"),
        r"encoding cannot be told \(byte \d+ is no UTF-8\): set data.encoding, .* reads in cp1252: '.*HEART’S.*",
    ),
    "truncated gzip": ("lines.csv.gz", gzip.compress(TEXT.encode())[:-12], "must be a whole gzip file: .*"),
    "gzip with a wrong sum": (
        "lines.csv.gz",
        gzip.compress(TEXT.encode())[:-8] + b"\0" * 8,
        "must be a whole gzip file: CRC check failed.*",
    ),
    "damaged gzip": ("lines.csv.gz", gzip.compress(TEXT.encode())[:40] + NOISE, "must be a whole gzip file: .*"),
    "no gzip": ("lines.csv.gz", TEXT.encode(), "must be a whole gzip file: .*"),
    "no Excel file": ("lines.xlsx", TEXT.encode(), "must be a readable xlsx file: File is not a zip file"),
    "truncated Excel file": (
        "lines.xlsx",
        lambda folder: xlsx_bytes(folder, HEADER, *SHOP)[:-100],
        "must be a readable xlsx file: .*",
    ),
    "damaged sheet": ("lines.xlsx", broken_sheet, "must be a readable xlsx file: .*"),
    "no Parquet file": ("lines.parquet", TEXT.encode(), "must be a readable parquet file: .*"),
    "truncated Parquet file": ("lines.parquet", parquet_bytes()[:-30], "must be a readable parquet file: .*"),
    "damaged Parquet file": ("lines.parquet", damaged_parquet, "must be (a )?readable.*: .*"),
    "empty Parquet file": ("lines.parquet", b"", "must be a readable parquet file: .*"),
    "Parquet file without a column": (
        "lines.parquet",
        parquet_bytes(7),
        r"must have column 'Country' \(params.yaml: data.columns.country; or set .*: null where .*\), got .*",
    ),
    "no source": ("lines.ods", TEXT.encode(), "must hold only files that end in .*; save as xlsx or csv .*'lines.ods'"),
    "constant target": (
        "lines.csv",
        csv_text([with_cell(row, "Quantity", "6") for row in SHOP]).encode(),
        "quantity must not be constant, got 6",
    ),
    "two days": (
        "lines.csv",
        csv_text(SHOP[:3]).encode(),
        r"must hold at least 3 days of sales \(train, validation, test\), got 2",
    ),
    "no sale of a product": (
        "lines.csv",
        csv_text([with_cell(row, "Quantity", "-1") for row in SHOP]).encode(),
        "must hold at least one sale of a product, got 0: 4 returns; the rule that quantity must be above 0 takes 4 .*",
    ),
}


@pytest.mark.parametrize(("name", "content", "rule"), KINDS.values(), ids=KINDS)
def test_a_bad_file_is_one_line_and_nothing_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes | Callable[[Path], bytes],
    rule: str,
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    make_project(project, f"shop/{name}")
    (project / "shop" / name).write_bytes(content if isinstance(content, bytes) else content(tmp_path))
    before = below(project)
    monkeypatch.chdir(project)
    with pytest.raises(PricetrailError) as caught:
        etl_pipeline.main()
    assert re.fullmatch(rf"shop/{name}:? {rule}", str(caught.value)), str(caught.value)
    assert below(project) == before


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("shop", "must hold a file that matches .*"),
        ("shop/folder.csv", "must hold a file that matches .*"),
        ("nowhere", "must be a file or a folder, and is not there"),
    ],
    ids=["empty folder", "folder with the name of a file", "not there"],
)
def test_a_path_without_a_source_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, rule: str
) -> None:
    make_project(tmp_path, path)
    (tmp_path / "shop" / "folder.csv").mkdir()
    before = below(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PricetrailError) as caught:
        etl_pipeline.main()
    assert re.fullmatch(f"{path}: {rule}", str(caught.value))
    assert below(tmp_path) == before


def test_one_bad_file_among_good_ones_is_named_with_its_own_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path, "shop")
    for name in ("a.csv", "c.csv"):
        (tmp_path / "shop" / name).write_text(TEXT)
    (tmp_path / "shop" / "b.csv").write_bytes(one_cell("Quantity", "six"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PricetrailError, match=r"^shop/b.csv: row 3: quantity must be .*1 of 12 rows.* got 'six'$"):
        etl_pipeline.main()


def test_a_bad_run_leaves_the_last_good_one_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path)
    (tmp_path / SOURCE).write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    etl_pipeline.main()
    good = below(tmp_path)
    assert "data/processed/2010-W48.parquet" in good
    (tmp_path / SOURCE).write_bytes(one_cell("Quantity", "six"))
    with pytest.raises(PricetrailError):
        etl_pipeline.main()
    assert {**below(tmp_path), SOURCE: good[SOURCE]} == good


def run_stage(stage: str, project: Path) -> subprocess.CompletedProcess[str]:
    return run(project, "python", "-m", f"pricetrail.stages.{stage}")


def errors_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The messages of the ERROR lines; every line of the output must be a log line."""
    lines = [re.fullmatch(r"\d\d:\d\d:\d\d (\w+) +\w+: (.*)", line) for line in done.stderr.splitlines()]
    assert all(lines), done.stderr
    return [line[2] for line in lines if line and line[1] == "ERROR"]


REAL = ["missing column", "text quantity", "binary", "truncated gzip", "damaged sheet"]


@pytest.mark.parametrize("kind", REAL)
def test_the_real_command_says_one_line_and_exits_1(tmp_path: Path, kind: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    name, content, rule = KINDS[kind]
    make_project(project, f"shop/{name}")
    (project / "shop" / name).write_bytes(content if isinstance(content, bytes) else content(tmp_path))
    before = below(project)
    done = run_stage("etl_pipeline", project)
    errors = errors_of(done)
    assert done.returncode == 1
    assert len(errors) == 1
    assert re.fullmatch(rf"shop/{name}: {rule}", errors[0])
    assert done.stdout == ""
    assert below(project) == before


def test_the_real_command_stops_at_a_bad_dial_before_it_reads(tmp_path: Path) -> None:
    make_project(tmp_path, "nowhere", max_epochs="0")
    done = run_stage("etl_pipeline", tmp_path)
    assert errors_of(done) == ["params.yaml: tuning.max_epochs must be >= 1, got 0"]
    assert done.returncode == 1
    assert set(below(tmp_path)) == {"params.yaml"}


def test_the_real_command_quarantines_a_few_bad_rows_and_goes_on(tmp_path: Path) -> None:
    make_project(tmp_path, "shop", max_bad_share="0.2")
    (tmp_path / "shop" / "a.csv").write_text(TEXT)
    (tmp_path / "shop" / "b.csv").write_bytes(
        csv_text(
            [
                with_cell(SHOP[0], "InvoiceDate", "yesterday"),
                *[with_cell(row, "InvoiceNo", "536400") for row in SHOP],
                with_cell(SHOP[1], "Quantity", ""),
            ]
        ).encode()
    )
    done = run_stage("etl_pipeline", tmp_path)
    assert done.returncode == 0, done.stderr
    assert errors_of(done) == []
    assert "WARNING etl_pipeline: 2 unparseable rows went to data/quarantine.parquet" in done.stderr

    quarantine = pd.read_parquet(tmp_path / "data" / "quarantine.parquet")
    told = quarantine[["source_file", "source_row", "reason", "invoiced_at"]].itertuples(index=False, name=None)
    assert list(told) == [
        ("shop/b.csv", 2, "invoiced_at must be a date and time", "yesterday"),
        ("shop/b.csv", 7, "quantity must be a whole number", "2010-12-01 08:26:00"),
    ]
    processed = pd.read_parquet(tmp_path / "data" / "processed" / "2010-W48.parquet")
    assert len(processed) == 8
    assert processed["invoiced_at"].max() == pd.Timestamp(dt.datetime(2010, 12, 3, 17, 59, 30))
    assert [name for name in below(tmp_path) if ".tmp" in name] == []


def test_the_command_names_an_unknown_sku_and_writes_nothing(tmp_path: Path) -> None:
    make_project(tmp_path, sku="99999")
    (tmp_path / SOURCE).write_text(TEXT)
    etl = run_stage("etl_pipeline", tmp_path)
    assert etl.returncode == 0, etl.stderr
    (tmp_path / "metrics" / "gates").mkdir()
    (tmp_path / "metrics" / "gates" / "drift.json").write_text('{"open": true}')
    before = below(tmp_path)
    done = run_stage("preprocess", tmp_path)
    assert errors_of(done) == ["params.yaml: data.sku must be one of the 2 SKUs of the data, got '99999'"]
    assert done.returncode == 1
    assert below(tmp_path) == before


@pytest.mark.attack
def test_a_stage_tells_no_name_that_works_unseen(tmp_path: Path) -> None:
    """`dvc repro` passes on what a stage logs; U+009B begins a terminal's commands, U+202E turns letters round."""
    make_project(tmp_path, "shop")
    (tmp_path / "shop" / "a\x9b2J\u202e.csv").write_text(TEXT + ",,,,,,,\n")
    done = run_stage("etl_pipeline", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "shop/a\ufffd2J\ufffd.csv: blank rows left out: 1" in done.stderr
