"""Laws of CSV text: a row reads as the values that every program reads in it, or is refused by its number.

The oracle of what is read is Python's csv writer, or the text written out by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pricetrail.base.errors import SourceError
from pricetrail.data import source_files
from support.tables import HEADER, SHOP, csv_text, data_settings

HEAD, *LINES = csv_text(SHOP).splitlines()
ONE, TWO = "1,22423,{},2,2010-12-01,2.5,17850,UK", "2,22424,{},6,2010-12-01,9.5,17850,UK"
DESCRIPTION_FIRST = "Description,InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"


def read(folder: Path, *rows: str, end: str = "\n", **dials: object) -> list[tuple[int, str | None]]:
    """The number and description of each row."""
    (folder / "a.csv").write_bytes(end.join([*rows, ""]).encode())
    raw = source_files.read_lines(data_settings(folder, **dials)).table
    texts = raw["description"].astype(object).where(raw["description"].notna(), None)
    return list(zip(raw["source_row"], texts, strict=True))


OPEN = 'must close the " that a value opens with'
REFUSED: dict[str, tuple[list[str], int, str]] = {
    "text after a quote": ([HEAD, *LINES, ONE.format('"LARGE" STAND')], 6, 'must have nothing between a closing "'),
    "two stray quotes": ([HEAD, ONE.format('"LARGE'), *LINES, TWO.format('"SMALL')], 2, "must have nothing between"),
    "quotes that end values": ([HEAD, ONE.format('"LARGE'), *LINES, TWO.format('SMALL"')], 2, f"{OPEN}: it goes on"),
    "the next row alone": ([HEAD, ONE.format('"LARGE'), TWO.format('SMALL"')], 2, f"{OPEN}: it goes on"),
    "a delimiter in it": ([HEAD, ONE.format('"LARGE, RED'), TWO.format('SMALL"')], 2, f"{OPEN}: it goes on"),
    "the last column": ([HEAD, ONE.format("A").replace("UK", '"UK'), TWO.format("B") + '"'], 2, f"{OPEN}: it goes on"),
    "the first column": (
        [DESCRIPTION_FIRST, '"LARGE,1,22423,2,2010-12-01,2.5,1,UK', 'SMALL",2,22424,2,2010-12-01,2.5,1,UK'],
        2,
        f"{OPEN}: it goes on",
    ),
    "a code of two lines": ([HEAD, ONE.format("A").replace("22423", '"22\n423"')], 2, f"{OPEN}: it goes on"),
    "no second quote": ([HEAD, LINES[0], ONE.format('"LARGE'), *LINES[1:]], 3, f"{OPEN}, and the file ends before"),
    "backslashes": ([HEAD, ONE.format(r'"SIZE 12\" LAMP"')], 2, 'must double a " inside a value, and not put a backsl'),
    "backslashes at ends": ([HEAD, ONE.format(r'"SIZE 12\""'), TWO.format(r'"SIZE 13\""')], 2, 'must double a "'),
    "a space before it": ([HEAD, ONE.format(' "LARGE"')], 2, "must have no space between ',' and an opening \""),
    "too few values": ([HEAD, *LINES, "", "536372,22423,CAKE"], 7, "must have 8 values, .* and has 3"),
    "too many values": ([HEAD, ONE.format("RED, ROUND")], 2, "must have 8 values, as the header in row 1, and has 9"),
    "other quotes": ([HEAD, ONE.format("'A'"), TWO.format("'B'")], 2, "column 'Description' must not be quoted by '"),
    "other quotes, some": (
        [HEAD, ONE.format("A"), TWO.format("'''TIS SEASON'")],
        3,
        "column 'Description' must not be quoted by '",
    ),
    "a value without a name": (
        [HEAD + ",", ONE.format("A") + ",", TWO.format("RED, ROUND")],
        3,
        "must have no value be",
    ),
    "a line above the header": ([*LINES[:2], HEAD, *LINES[2:]], 1, "must not hold a line above the header in row 3"),
    "names in another order": ([HEAD, *LINES, ",".join(HEADER[::-1]), *LINES], 6, "must not have the column names of"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_a_row_that_could_be_another_is_refused(name: str, end: str, tmp_path: Path) -> None:
    rows, number, rule = REFUSED[name]
    with pytest.raises(SourceError) as caught:
        read(tmp_path, *rows, end=end)
    assert re.search(rf"a\.csv: row {number}: {rule}", str(caught.value)), caught.value


TEXTS = [
    '7" PLATE',
    '"',
    'SAID "HI"',
    "soft, light, warm, red\nnew, 12, old, x, 3",
    "A\r\n\r\nB",
    "'TIS",
    "a\\b",
    " x ",
]


@pytest.mark.parametrize("text", TEXTS)
def test_what_a_csv_writer_writes_is_read_back(text: str, tmp_path: Path) -> None:
    rows = [(*SHOP[0][:2], text, *SHOP[0][3:]), *SHOP[1:]]
    for delimiter in (",", ";"):
        (tmp_path / "a.csv").write_text(csv_text(rows, delimiter=delimiter), newline="")
        raw = source_files.read_lines(data_settings(tmp_path, delimiter=delimiter)).table
        assert raw["description"][0] == text
        assert raw["source_row"].tolist() == [2, 3, 4, 5]


def test_quotes_of_another_kind_are_read_by_setting(tmp_path: Path) -> None:
    rows = [",".join(f"'{cell}'" for cell in row) for row in (HEADER, *SHOP)]
    assert read(tmp_path, *rows, quote="'")[0] == (2, "WHITE HEART")
    with pytest.raises(SourceError, match=r"a\.csv: must not have its column names quoted by ': set data\.quote"):
        read(tmp_path, *rows)


BLANK = ["", "   ", ",,,,,,,", " , ,", '"","",,,,,,']


def test_blank_rows_count_and_are_no_lines(tmp_path: Path) -> None:
    rows = [HEAD, LINES[0], *BLANK, LINES[1], *BLANK]
    assert read(tmp_path, *rows) == [(2, "WHITE HEART"), (8, "CAKESTAND")]
    (source,) = source_files.read_lines(data_settings(tmp_path)).sources
    assert (source.rows, source.notes) == (2, ("blank rows left out: 4",))


def test_a_header_that_comes_again_is_no_line(tmp_path: Path) -> None:
    rows = [HEAD, LINES[0], "\ufeff" + HEAD, LINES[1]]
    assert read(tmp_path, *rows) == [(2, "WHITE HEART"), (4, "CAKESTAND")]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "\ufeffSEP=;"])
def test_a_first_line_may_name_the_delimiter(first: str, tmp_path: Path) -> None:
    rows = [row.replace(",", ";") for row in (HEAD, *LINES)]
    assert [number for number, _ in read(tmp_path, first, *rows)] == [3, 4, 5, 6]


TITLES = ["Sales of 2010", "from,to", 'a "quote', '"that none closes', ""]


def test_the_header_is_found_below_titles(tmp_path: Path) -> None:
    assert read(tmp_path, *TITLES, HEAD, *LINES)[0] == (7, "WHITE HEART")
    assert read(tmp_path, *["x"] * 30, HEAD, *LINES, header_row=31)[0] == (32, "WHITE HEART")
    with pytest.raises(SourceError, match=r"row 2: must have column 'InvoiceNo'"):
        read(tmp_path, *TITLES, HEAD, *LINES, header_row=2)
    with pytest.raises(SourceError, match=r"must have a header in row 99 \(data.header_row\)"):
        read(tmp_path, *TITLES, HEAD, *LINES, header_row=99)


@pytest.mark.parametrize(("name", "fix"), [("a.csv", "set data.delimiter"), ("a.tsv", "give it the suffix .csv")])
def test_another_delimiter_is_told(name: str, fix: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(csv_text(SHOP, delimiter="|"))
    with pytest.raises(SourceError, match=rf"{name}: must be divided by .*{fix}.* '\|'$"):
        source_files.read_lines(data_settings(tmp_path))


def test_all_missing_columns_are_told_with_what_is_like_them(tmp_path: Path) -> None:
    names = "InvoiceNo,stock_code,Description,Qty sold,InvoiceDate,Price,Country"
    with pytest.raises(SourceError) as caught:
        read(tmp_path, names, "1,2,3,4,5,6,7")
    assert str(caught.value).endswith(
        "must have column 'StockCode' (params.yaml: data.columns.sku; 'stock_code' is like it), "
        "and column 'Quantity' (params.yaml: data.columns.quantity), "
        "and column 'UnitPrice' (params.yaml: data.columns.unit_price; 'Price' is like it), "
        "and column 'CustomerID' (params.yaml: data.columns.customer_id; "
        "or set data.columns.customer_id: null where the shop has none), "
        f"got '{names.replace(',', ', ')}'"
    )


def test_a_total_below_the_lines_is_no_sale(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD, *LINES, "Total,,,21,,30.15,,")[-1] == (6, None)  # the contract finds no SKU in it
