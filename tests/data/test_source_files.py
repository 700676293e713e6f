"""Laws of reading: one shop gives the same lines however its files hold it.

The oracle is the shop's rows written out by hand as the contract's lines.
"""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pricetrail.base.errors import SourceError
from pricetrail.base.params_data import Data
from pricetrail.data import contract, source_files
from support.tables import HEADER, SHOP, Row, cleaned_table, csv_text, data_settings, parsed_files

Line = tuple[str, str, str | None, int, dt.datetime, float, str | None, str]
Cells = Sequence[Sequence[object]]
MORNING, TENTH, EVENING = (
    dt.datetime(2010, 12, 1, 8, 26),
    dt.datetime(2010, 12, 2, 10, 3),
    dt.datetime(2010, 12, 3, 17, 59, 30),
)
LINES: list[Line] = [  # in order of time, then invoice, then SKU
    ("536365", "22423", "CAKESTAND", 2, MORNING, 12.75, "17850", "United Kingdom"),
    ("536365", "85123A", "WHITE HEART", 6, MORNING, 2.55, "17850", "United Kingdom"),
    ("536370", "22423", "CAKESTAND", 1, TENTH, 12.75, None, "France"),
    ("536371", "85123A", None, 12, EVENING, 2.1, "13047", "United Kingdom"),
]
# As a spreadsheet or a database holds them: numbers, real dates, and customer ids that became floats.
TYPED: Cells = (
    (536365, "85123A", "WHITE HEART", 6, MORNING, 2.55, 17850.0, "United Kingdom"),
    (536365, 22423, "CAKESTAND", 2, MORNING, 12.75, 17850.0, "United Kingdom"),
    (536370, 22423, "CAKESTAND", 1, TENTH, 12.75, None, "France"),
    (536371, "85123A", None, 12, EVENING, 2.1, 13047.0, "United Kingdom"),
)


def lines_of(data: Data) -> list[Line]:
    parsed = parsed_files(data)
    assert parsed.quarantine["reason"].tolist() == []
    table = cleaned_table(parsed).lines
    rows = table.astype(object).where(table.notna(), None).itertuples(index=False, name=None)
    return [(*row[:3], int(row[3]), row[4].to_pydatetime(), *row[5:]) for row in rows]


def write_xlsx(path: Path, cells: Cells, header: Sequence[str] = HEADER, other_sheet: str = "") -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (header, *cells):
        sheet.append(list(row))
    if other_sheet:
        book.create_sheet(other_sheet)
    book.save(path)


def write_parquet(path: Path, cells: Cells, **columns: pa.Array) -> None:
    """Rows as Parquet, the types those of the values; a column may be given as an array."""
    made = {name: pa.array([row[i] for row in cells]) for i, name in enumerate(HEADER) if name not in columns}
    pq.write_table(pa.table({name: columns.get(name, made.get(name)) for name in HEADER}), path)


def as_csv(folder: Path) -> Path:
    path = folder / "shop.csv"
    path.write_text(csv_text(SHOP))
    return path


def as_gzip(folder: Path) -> Path:
    path = folder / "shop.CSV.gz"
    path.write_bytes(gzip.compress(csv_text(SHOP).encode()))
    return path


def as_text_parquet(folder: Path) -> Path:
    path = folder / "shop.parquet"
    write_parquet(path, SHOP)
    return path


def as_typed_parquet(folder: Path) -> Path:
    path = folder / "shop.parquet"
    write_parquet(path, TYPED, StockCode=pa.array(["85123A", "22423", "22423", "85123A"]).dictionary_encode())
    return path


def as_text_excel(folder: Path) -> Path:
    path = folder / "shop.xlsx"
    write_xlsx(path, SHOP)
    return path


def as_typed_excel(folder: Path) -> Path:
    path = folder / "shop.xlsx"
    write_xlsx(path, TYPED)
    return path


def as_folder(folder: Path) -> Path:
    (folder / "2010").mkdir()
    (folder / "2010" / "12.csv").write_text(csv_text(SHOP[:1]))
    (folder / "a.csv").write_text(csv_text(SHOP[1:3]))
    (folder / "b.csv").write_text(csv_text(SHOP[3:]))
    (folder / "empty.csv").write_text(csv_text([]))
    (folder / "notes.txt").write_text("not a source")
    return folder


def as_mixed_folder(folder: Path) -> Path:
    (folder / "a.csv").write_text(csv_text(SHOP[:1]))
    (folder / "b.csv.gz").write_bytes(gzip.compress(csv_text(SHOP[1:2]).encode()))
    write_parquet(folder / "c.parquet", TYPED[2:3])
    write_xlsx(folder / "d.xlsx", TYPED[3:])
    return folder


SHAPES = [
    as_csv,
    as_gzip,
    as_text_parquet,
    as_typed_parquet,
    as_text_excel,
    as_typed_excel,
    as_folder,
    as_mixed_folder,
]


@pytest.mark.parametrize("write", SHAPES, ids=[write.__name__ for write in SHAPES])
def test_the_same_shop_gives_the_same_lines(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    assert lines_of(data_settings(write(tmp_path))) == LINES


def test_an_empty_cell_is_missing_in_the_raw_table(tmp_path: Path) -> None:
    raw = source_files.read_lines(data_settings(as_csv(tmp_path))).table
    assert raw["customer_id"].isna().tolist() == [False, False, True, False]
    assert raw["description"].isna().tolist() == [False, False, False, True]


def test_a_parquet_file_of_float_codes_gives_whole_ones(tmp_path: Path) -> None:
    rows = [row for row in TYPED if row[1] == 22423]
    floats = {"InvoiceNo": pa.array([536365.0, 536370.0]), "StockCode": pa.array([22423.0, 22423.0])}
    write_parquet(tmp_path / "a.parquet", rows, **floats)
    assert lines_of(data_settings(tmp_path)) == [LINES[0], LINES[2]]


def test_columns_are_read_under_the_names_of_the_user(tmp_path: Path) -> None:
    names = ["Beleg", "Artikel", "Text", "Menge", "Zeit", "Preis", "Kunde", "Land"]
    columns = dict(zip(contract.LINE_COLUMNS, names, strict=True))
    rows = [(*row, "unused") for row in SHOP]
    path = tmp_path / "shop.csv"
    path.write_text(csv_text(rows, [" Beleg", *names[1:], "Menge 2"]))
    assert lines_of(data_settings(path, columns=columns)) == LINES


def test_columns_may_come_in_any_order_and_differ_between_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(csv_text([row[::-1] for row in SHOP[:2]], HEADER[::-1]))
    (tmp_path / "b.csv").write_text(csv_text(SHOP[2:]))
    assert lines_of(data_settings(tmp_path)) == LINES


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_read(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "shop.csv"
    path.write_text(csv_text(SHOP, delimiter=delimiter))
    assert lines_of(data_settings(path, delimiter=delimiter)) == LINES


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "not ended"])
def test_each_kind_of_line_end_is_read(tmp_path: Path, end: str, last: bool) -> None:
    path = tmp_path / "shop.csv"
    text = csv_text(SHOP) if last else csv_text(SHOP).rstrip("\n")
    path.write_bytes(text.replace("\n", end).encode())
    assert lines_of(data_settings(path)) == LINES


FOREIGN: Row = ("1", "22423", "CAFÉ £5 PLÄTZCHEN", "1", "2010-12-01 08:26", "1", "", "Côte d'Ivoire")


@pytest.mark.parametrize(
    ("written", "dial"),
    [
        ("utf-8", "auto"),
        ("utf-8-sig", "auto"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "auto"),
        ("utf-16", "utf-16"),
        ("utf-16-be", "utf-16-be"),
        ("latin-1", "auto"),
        ("latin-1", "latin-1"),
        ("cp850", "cp850"),
    ],
)
def test_letters_survive_the_encoding_of_the_file(tmp_path: Path, written: str, dial: str) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(csv_text([FOREIGN]).encode(written))
    line = lines_of(data_settings(path, encoding=dial))[0]
    assert (line[2], line[7]) == ("CAFÉ £5 PLÄTZCHEN", "Côte d'Ivoire")


def test_big_endian_utf_16_tells_itself(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(b"\xfe\xff" + csv_text(SHOP).encode("utf-16-be"))
    assert lines_of(data_settings(path)) == LINES


@pytest.mark.parametrize(
    ("content", "dial", "rule"),
    [
        (csv_text([FOREIGN]).encode("cp850"), "auto", "encoding cannot be told"),
        (csv_text([FOREIGN]).encode("utf-16-le"), "auto", "must be a text file, and holds control bytes"),
        (csv_text([FOREIGN]).encode("latin-1"), "utf-8", "must be utf-8 text: byte 93 is not"),
        (csv_text([FOREIGN]).encode("latin-1"), "ascii", "must be ascii text: byte 93 is not"),
    ],
    ids=["cp850", "utf-16 without a mark", "not the encoding said", "not ascii"],
)
def test_an_encoding_that_cannot_be_told_is_said_to_be(tmp_path: Path, content: bytes, dial: str, rule: str) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        source_files.read_lines(data_settings(path, encoding=dial))
    assert str(caught.value).startswith(f"{path}: {rule}")


@pytest.mark.parametrize("dial", ["klingon", "hex"])
def test_an_unknown_encoding_is_a_mistake_in_params(tmp_path: Path, dial: str) -> None:
    with pytest.raises(SourceError, match=r"^params.yaml: data.encoding must be auto or a known encoding, got "):
        source_files.read_lines(data_settings(as_csv(tmp_path), encoding=dial))


def test_a_description_may_hold_quotes_delimiters_and_line_ends(tmp_path: Path) -> None:
    text = 'SAID "HI",\nTHEN\r\n\r\nLEFT'
    path = tmp_path / "shop.csv"
    path.write_bytes(csv_text([(*row[:2], text, *row[3:]) for row in SHOP]).encode())
    assert lines_of(data_settings(path)) == [(*line[:2], text, *line[3:]) for line in LINES]


def test_the_pattern_picks_the_files(tmp_path: Path) -> None:
    as_folder(tmp_path)
    assert lines_of(data_settings(tmp_path, pattern="*.csv")) == [LINES[0], LINES[2], LINES[3]]
    assert lines_of(data_settings(tmp_path, pattern="2010/*")) == [LINES[1]]
    with pytest.raises(SourceError, match="must hold a file that matches 'x"):
        source_files.read_lines(data_settings(tmp_path, pattern="x*"))


def places(raw: pd.DataFrame) -> list[tuple[str, int]]:
    return [(Path(file).name, row) for file, row in zip(raw["source_file"], raw["source_row"], strict=True)]


def test_files_are_read_by_name_and_rows_counted_in_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [tmp_path / name for name in ("b.csv", "c.csv", "a.csv")]
    for path in names:
        path.write_text(csv_text(SHOP[:2]))
    monkeypatch.setattr(Path, "glob", lambda *_: iter(names))  # the order of a file system is its own
    raw = source_files.read_lines(data_settings(tmp_path)).table
    assert places(raw) == [(name, row) for name in ("a.csv", "b.csv", "c.csv") for row in (2, 3)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old mac"])
def test_a_row_has_the_number_that_a_spreadsheet_shows(tmp_path: Path, end: str) -> None:
    header, first, second, third, _ = csv_text(SHOP).splitlines()
    quoted = first.replace("WHITE HEART", '"two\n\nlines"')
    path = tmp_path / "shop.csv"
    path.write_bytes("\n".join([header, quoted, "", "", second, third, "", ""]).replace("\n", end).encode())
    assert places(source_files.read_lines(data_settings(path)).table) == [
        ("shop.csv", 2),
        ("shop.csv", 5),
        ("shop.csv", 6),
    ]


def test_a_blank_line_above_the_header_counts_too(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    path.write_text("\n" + csv_text(SHOP))
    assert places(source_files.read_lines(data_settings(path)).table) == [("shop.csv", row) for row in (3, 4, 5, 6)]


def test_a_blank_row_of_a_sheet_keeps_the_numbers_below_it(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "a.xlsx", [TYPED[0], [None] * 8, TYPED[1]])
    raw = source_files.read_lines(data_settings(tmp_path)).table
    assert raw.loc[raw["quantity"] == "2", "source_row"].tolist() == [4]


def test_real_dates_are_read_beside_files_that_need_a_format(tmp_path: Path) -> None:
    american = [(*SHOP[0][:4], "12/1/2010 8:26", *SHOP[0][5:]), (*SHOP[1][:4], "12/1/2010 8:26", *SHOP[1][5:])]
    (tmp_path / "a.csv").write_text(csv_text(american))
    write_parquet(tmp_path / "b.parquet", TYPED[2:3])
    write_xlsx(tmp_path / "c.xlsx", TYPED[3:])
    assert lines_of(data_settings(tmp_path, datetime_format="%m/%d/%Y %H:%M")) == LINES


@pytest.mark.parametrize("beside_text", [False, True])
def test_a_time_with_a_zone_is_what_the_shop_s_clock_showed(tmp_path: Path, beside_text: bool) -> None:
    shown = pa.array([row[4] for row in TYPED[1:]], pa.timestamp("us"))
    zoned = pa.compute.assume_timezone(shown, "Asia/Tokyo")
    write_parquet(tmp_path / "a.parquet", [(*row[:1], str(row[1]), *row[2:]) for row in TYPED[1:]], InvoiceDate=zoned)
    expected = [LINES[0], *LINES[2:]]
    if beside_text:
        (tmp_path / "b.csv").write_text(csv_text(SHOP[:1]))
        expected = LINES
    for datetime_format in ("ISO8601", "%Y-%m-%d %H:%M:%S"):
        assert lines_of(data_settings(tmp_path, datetime_format=datetime_format)) == expected


def test_text_that_a_parquet_file_holds_as_bytes_is_text(tmp_path: Path) -> None:
    codes = pa.array([row[1].encode() for row in SHOP])
    write_parquet(tmp_path / "a.parquet", SHOP, StockCode=codes)
    assert lines_of(data_settings(tmp_path)) == LINES


@pytest.mark.parametrize(
    ("codes", "rule"),
    [
        (pa.array([["85123A"]] * 4), "column 'StockCode' must hold plain values, got 'list<"),
        (pa.array([b"\xff"] * 4), "column 'StockCode' must be readable: "),
    ],
    ids=["lists", "bytes that are no text"],
)
def test_a_column_that_is_no_plain_one_is_named(tmp_path: Path, codes: pa.Array, rule: str) -> None:
    write_parquet(tmp_path / "a.parquet", SHOP, StockCode=codes)
    with pytest.raises(SourceError) as caught:
        source_files.read_lines(data_settings(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path / 'a.parquet'}: {rule}")


def test_a_sheet_that_is_not_read_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_xlsx(tmp_path / "a.xlsx", TYPED, other_sheet="Year 2010-2011")
    assert lines_of(data_settings(tmp_path)) == LINES
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warned == [f"{tmp_path / 'a.xlsx'}: only its first sheet is read, not Year 2010-2011"]


def test_a_guess_of_latin_1_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(csv_text([FOREIGN]).encode("latin-1"))
    source_files.read_lines(data_settings(path))
    assert f"{path}: not UTF-8, read as Latin-1" in caplog.messages
