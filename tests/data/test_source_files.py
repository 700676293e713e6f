"""Laws of reading: one shop gives the same lines however its files hold it.

The oracle is the shop's rows written out by hand as the contract's lines.
"""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import re
import zipfile
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
from pricetrail.data.text import CELL_TYPES
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
    for left in (".ipynb_checkpoints/a.csv", ".DS_Store", "~$d.xlsx", "Thumbs.db", "__MACOSX/a.csv", "a.csv.dvc"):
        (folder / left).parent.mkdir(exist_ok=True)
        (folder / left).write_text("what programs leave beside data")
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
        ("utf-32", "auto"),
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
        (
            csv_text([FOREIGN]).encode("cp850"),
            "auto",
            r": encoding .* set data.encoding, .* reads in .*cp(850|437): '.*CAFÉ £5",
        ),
        (csv_text([FOREIGN]).encode("cp1252"), "auto", ": encoding cannot be told .* reads in cp1252: '.*CAFÉ £5 PL"),
        ("КАФЕ МОЛОКО".join(csv_text(SHOP).split("WHITE HEART")).encode("cp1251"), "auto", ": .*cp1251: '.*КАФЕ М"),
        (csv_text([FOREIGN]).encode("utf-16-le"), "auto", ": row 1: must be a text file, and holds control bytes"),
        (csv_text([FOREIGN]).encode("latin-1"), "utf-8", ": must be utf-8 text by data.encoding: byte 93 is not, in l"),
        (csv_text([FOREIGN]).encode("latin-1"), "ascii", ": must be ascii text by data.encoding: byte 93 is not"),
        (csv_text([FOREIGN]).encode(), "latin-1", r": is UTF-8 text \('.*CAFÉ £5.*data.files"),
        (csv_text([FOREIGN]).encode("mac_roman"), "latin-1", ": must be text by data.encoding, and holds control let"),
        (csv_text([*SHOP, FOREIGN]).replace("PL", "P\0").encode(), "auto", ": row 6: must be a text file, and holds"),
    ],
    ids=["cp850", "cp1252", "cp1251", "utf-16", "not UTF-8", "not ascii", "UTF-8", "control letters", "NUL"],
)
def test_an_encoding_that_cannot_be_told_is_said_to_be(tmp_path: Path, content: bytes, dial: str, rule: str) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        source_files.read_lines(data_settings(path, encoding=dial))
    assert re.match(f"{path}{rule}", str(caught.value)), caught.value


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
    assert lines_of(data_settings(tmp_path, datetime_format="%m/%d/%Y %H:%M", prove_date_order=False)) == LINES


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


def test_a_zip_file_is_read_as_the_folder_in_it(tmp_path: Path) -> None:
    write_xlsx(tmp_path / "d.xlsx", TYPED[3:])
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("x/a.csv", csv_text(SHOP[:1]))
        packed.writestr("x/b.tsv", csv_text(SHOP[1:2], delimiter="\t"))
        packed.writestr("y/a.csv", csv_text(SHOP[2:3], delimiter=";"))
        packed.write(tmp_path / "d.xlsx", "d.xlsx")
        packed.writestr("__MACOSX/._a.csv", "of a program")
    data = data_settings(tmp_path / "a.zip", files={"y/*.csv": {"delimiter": ";"}})
    assert lines_of(data) == LINES
    names = [source.name.removeprefix(f"{tmp_path}/") for source in source_files.read_lines(data).sources]
    assert names == ["a.zip [d.xlsx] [Sheet]", "a.zip [x/a.csv]", "a.zip [x/b.tsv]", "a.zip [y/a.csv]"]


@pytest.mark.parametrize(
    ("members", "rule"),
    [
        (("a.csv", "b.zip"), "must hold source files, each once, .* and no zip file, got 'b.zip'"),
        (
            ("a.csv", "b.ods", "c"),
            "must hold only files that end in .*; save as xlsx or csv what is none, got 'b.ods, c'",
        ),
        ((), "must hold source files"),
    ],
)
def test_a_zip_file_of_something_else_is_refused(tmp_path: Path, members: Sequence[str], rule: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name in members:
            packed.writestr(name, csv_text(SHOP))
    with pytest.raises(SourceError, match=f"a.zip: {rule}"):
        source_files.read_lines(data_settings(tmp_path))


def test_all_files_of_unknown_kinds_are_named_at_once(tmp_path: Path) -> None:
    as_folder(tmp_path)
    for name in ("notes.md", "2010/old.xls", "2010/more.json"):
        (tmp_path / name).touch()
    rule = r"must hold only .*; or narrow data.pattern, got '2010/more.json, 2010/old.xls, notes.md'"
    with pytest.raises(SourceError, match=rule):
        source_files.read_lines(data_settings(tmp_path))
    assert lines_of(data_settings(tmp_path, pattern="**/*.csv")) == LINES


def test_numbers_beside_text_stay_told_as_numbers(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [row for row in TYPED if row[1] == 22423])
    (tmp_path / "b.csv").write_text(csv_text(SHOP[:1]))
    raw = source_files.read_lines(data_settings(tmp_path)).table
    assert raw[CELL_TYPES].astype(object).where(raw[CELL_TYPES].notna(), None).tolist() == [
        *["nntndnnt"] * 2,
        None,
    ]


def test_parquet_numbers_are_as_short_as_they_were_written(tmp_path: Path) -> None:
    codes = pa.array([decimal.Decimal("22423.00"), decimal.Decimal("2003.00")])
    prices = pa.array([12.345, 0.1], pa.float32())
    write_parquet(tmp_path / "a.parquet", TYPED[:2], StockCode=codes, UnitPrice=prices)
    raw = source_files.read_lines(data_settings(tmp_path)).table
    assert raw["sku"].tolist() == ["22423", "2003"]
    assert raw["unit_price"].tolist() == [12.345, 0.1]


@pytest.mark.parametrize(
    ("times", "rule"),
    [
        (pa.array([10**15] * 4, pa.timestamp("ms")), "must hold times of the years 1 to 9999"),
        (None, "must be readable"),
    ],
    ids=["year", "bytes"],
)
def test_a_parquet_file_with_a_flipped_byte_is_refused(tmp_path: Path, times: pa.Array | None, rule: str) -> None:
    write_parquet(tmp_path / "a.parquet", SHOP, **({"InvoiceDate": times} if times else {}))
    if not times:
        content = (tmp_path / "a.parquet").read_bytes()
        assert content.count(b"WHITE HEART")
        (tmp_path / "a.parquet").write_bytes(content.replace(b"WHITE HEART", b"WHITE\xff HEAR"))
        rule = "must be a readable parquet file"
    with pytest.raises(SourceError, match=rule):
        source_files.read_lines(data_settings(tmp_path))


def test_a_glob_of_files_that_names_none_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    as_folder(tmp_path)
    files: dict[str, dict[str, str]] = {"old/*": {"decimal": ","}, "2010/*": {"decimal": "."}}
    assert lines_of(data_settings(tmp_path, files=files)) == LINES
    assert caplog.messages == [f"params.yaml: data.files has 'old/*', and no file of {tmp_path} is named so"]


def test_online_retail_ii_stands_before_online_retail(tmp_path: Path) -> None:
    """Two systems of one shop, told apart by params alone: other names, two sheets, another place of the columns."""
    second = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")
    book = openpyxl.Workbook()
    for title, cells in (("Year 2009-2010", TYPED[:1]), ("Year 2010-2011", TYPED[1:2])):
        sheet = book.create_sheet(title)
        for row in (second, *cells):
            sheet.append(list(row))
    book.save(tmp_path / "online_retail_II.xlsx")
    (tmp_path / "w1.csv").write_text(csv_text(SHOP[2:]))
    changed = {"columns": {"invoice": "Invoice", "unit_price": "Price", "customer_id": "Customer ID"}}
    assert lines_of(data_settings(tmp_path, files={"online_retail_II.xlsx": changed})) == LINES
    with pytest.raises(SourceError, match=r"'Invoice' is like it.*'Price' is like it.*'Customer ID' is like it"):
        source_files.read_lines(data_settings(tmp_path))
