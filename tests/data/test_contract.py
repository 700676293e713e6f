"""Laws of the line contract: each row ends in exactly one place, and a second, slow reading agrees which.

The oracle classifies one row at a time in plain Python: no pandas, no code of the project.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from dataclasses import dataclass, field

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pandera.errors
import pytest
from hypothesis import Phase, example, given, settings

from pricetrail.base.errors import ContractError, DataError
from pricetrail.data import contract
from support.tables import SHOP, Row, cleaned_table, parsed_table, raw_table

Line = tuple[str, str, str | None, int, dt.datetime, float, str | None, str]
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass
class Expected:
    """What the oracle says becomes of the rows."""

    kept: list[Line] = field(default_factory=list)
    quarantined: list[tuple[int, str]] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


def number_of(cell: str) -> float:
    plain = {"£2.55": "2.55", "٣": "3", "1-": "-1"}.get(cell.strip(), cell.strip())
    return float(plain) if NUMBER.fullmatch(plain) else math.nan


def code_of(cell: str) -> str | None:
    return None if cell.strip() == "NULL" else cell.strip() or None


def time_of(cell: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(cell.strip()).replace(tzinfo=None)
    except ValueError:
        return None


def why_unreadable(row: Row) -> str | None:
    invoice, sku, _, quantity, invoiced_at, price, _, _ = row
    if not code_of(invoice):
        return "invoice must not be empty"
    if not code_of(sku):
        return "sku must not be empty"
    units = number_of(quantity)
    if math.isnan(units) or abs(units) > 10**9 or units != int(units):
        return "quantity must be a whole number"
    if time_of(invoiced_at) is None:
        return "invoiced_at must be a date and time"
    return None if math.isfinite(number_of(price)) else "unit_price must be a number"


def why_no_sale(line: Line, seen: set[Line]) -> str | None:
    if line in seen:
        return "duplicate"
    if line[0][0] in "cC":
        return "cancellation"
    if len(line[1]) < 5 or any(letter not in "0123456789" for letter in line[1][:5]):
        return "not_a_product"
    if line[3] < 1:
        return "quantity_not_positive"
    return None if line[5] > 0 else "price_not_positive"


def classify(rows: list[Row]) -> Expected:
    expected, seen = Expected(), set[Line]()
    for number, row in enumerate(rows, start=2):
        unreadable = why_unreadable(row)
        if unreadable:
            expected.quarantined.append((number, unreadable))
            continue
        invoice, sku, time = code_of(row[0]), code_of(row[1]), time_of(row[4])
        assert invoice
        assert sku
        assert time
        units, price, country = int(number_of(row[3])), number_of(row[5]), row[7].strip() or "Unspecified"
        line = (invoice, sku.upper(), row[2].strip() or None, units, time, price, code_of(row[6]), country)
        reason = why_no_sale(line, seen)
        seen.add(line)
        if reason:
            expected.dropped[reason] += 1
        else:
            expected.kept.append(line)
    return expected


def as_lines(table: pd.DataFrame) -> list[Line]:
    rows = table.astype(object).where(table.notna(), None).itertuples(index=False, name=None)
    return [(*row[:3], int(row[3]), row[4].to_pydatetime(), *row[5:]) for row in rows]


def order(line: Line) -> str:
    return repr(line)


SPACE = st.sampled_from(["", "", "", " ", "\t", "\u00a0", "\u2003"])
WORDS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=6).filter(
    lambda text: text.strip() not in {"-", "--"} and not set(text) & set("'=")
)
TIMES = st.datetimes(dt.datetime(1999, 1, 1), dt.datetime(2030, 1, 1)).map(lambda at: at.replace(microsecond=0))
INVOICE = st.sampled_from(["536365", "536366", "C536367", "c1", "A563185", "", ".0"])
SKU = st.sampled_from(["85123A", "85123a", "22423", "POST", "2242", "٢٢٤٢٣", "M", "DOT", "", "1234é5"]) | WORDS
QUANTITY = st.sampled_from(
    [
        "6",
        "6.0",
        "1e3",
        "+2",
        "0",
        "-1",
        "six",
        "",
        "nan",
        "inf",
        "1_0",
        "0x1A",
        "٣",
        "1000000000",
        "1000000001",
        "99999999999999999999",
        "1e400",
        "-0",
        "True",
        "1-",
    ]
)
TIME = st.one_of(
    TIMES.map(lambda at: f"{at:%Y-%m-%d %H:%M}"),
    TIMES.map(lambda at: at.isoformat()),
    st.sampled_from(["2010-12-01 08:26:00", "2010-12-01"]),
    st.sampled_from(["", "2010-13-01", "2010-02-30 08:00", "2010", ".5", "now", "Today", "yesterday", "NaT", "8:26"]),
)
PRICE = st.one_of(
    st.sampled_from(["2.55", "0", "-11062.06", "0.001", "1e400", "", "£2.55", "nan", "1e-400", "-0.0"]),
    st.floats(0, 1e6).map(repr),
)
CUSTOMER = st.sampled_from(["17850", "", "nobody", ".0", "NULL"])
COUNTRY = st.sampled_from(["United Kingdom", "EIRE", "", "Côte d'Ivoire"]) | WORDS


def spaced(cells: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(SPACE, cells, SPACE).map("".join)


CELLS = [spaced(cells) for cells in (INVOICE, SKU, WORDS, QUANTITY, TIME, PRICE, CUSTOMER, COUNTRY)]


@st.composite
def dirty_rows(draw: st.DrawFn) -> list[Row]:
    """Rows of which some are good but for a cell or two, and some stand more than once."""
    rows: list[Row] = []
    for good in draw(st.lists(st.sampled_from(SHOP), min_size=1, max_size=12)):
        broken = draw(st.sets(st.integers(0, 7), max_size=3) | st.just(set(range(8))))
        rows.append(tuple(draw(CELLS[i]) if i in broken else cell for i, cell in enumerate(good)))
    return rows + draw(st.lists(st.sampled_from(rows), max_size=4))


# Without shrinking, which takes minutes on these tables: a table that fails is short enough to read as it is.
# A table takes 0.1 s, so there are fewer of them than of other examples.
MOST = settings.default.max_examples if settings.default else 30
LAW, SLOW_LAW = (
    settings(max_examples=most, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
    for most in (MOST * 2 // 3, MOST // 3)
)


@LAW
@given(dirty_rows())
@example([("1", "85123a", "", "1", "2010-12-01", "1", "", ""), ("1", "85123A", "", "1", "2010-12-01", "1", "", "")])
def test_each_row_ends_where_a_slow_reading_says(rows: list[Row]) -> None:
    expected = classify(rows)
    parsed = parsed_table(raw_table(rows))
    cleaned = cleaned_table(parsed)

    assert sorted(as_lines(cleaned.lines), key=order) == sorted(expected.kept, key=order)
    told = zip(parsed.quarantine["source_row"], parsed.quarantine["reason"], strict=True)
    assert list(told) == expected.quarantined
    assert {reason: count for reason, count in cleaned.dropped.items() if count} == expected.dropped
    contract.LINES_SCHEMA.validate(cleaned.lines)
    contract.require_conservation(len(rows), len(expected.kept), len(expected.quarantined), cleaned.dropped)


@SLOW_LAW
@given(dirty_rows(), st.randoms(use_true_random=False), st.integers(0, 16))
def test_order_of_rows_and_split_into_files_do_not_matter(rows: list[Row], random: object, cut: int) -> None:
    shuffled = random.sample(rows, len(rows))  # type: ignore[attr-defined]
    parts = [raw_table(part, name) for part, name in ((shuffled[:cut], "b.csv"), (shuffled[cut:], "a.csv")) if part]
    whole = parsed_table(raw_table(rows))
    split = parsed_table(pd.concat(parts, ignore_index=True))
    one, other = cleaned_table(whole), cleaned_table(split)
    pd.testing.assert_frame_equal(one.lines, other.lines)
    assert one.dropped == other.dropped
    assert Counter(whole.quarantine["reason"]) == Counter(split.quarantine["reason"])


GOOD: Row = SHOP[0]


def with_cells(**cells: str) -> Row:
    return tuple(cells.get(name, cell) for name, cell in zip(contract.LINE_COLUMNS, GOOD, strict=True))


def test_each_drop_reason_has_its_row() -> None:
    rows = [
        GOOD,
        with_cells(invoice="C536365"),
        with_cells(sku="POST"),
        with_cells(quantity="-6"),
        with_cells(unit_price="0"),
        GOOD,
    ]
    cleaned = cleaned_table(parsed_table(raw_table(rows)))
    assert dict(cleaned.dropped) == {
        "duplicate": 1,
        "cancellation": 1,
        "not_a_product": 1,
        "quantity_not_positive": 1,
        "price_not_positive": 1,
    }
    at = dt.datetime(2010, 12, 1, 8, 26)
    assert as_lines(cleaned.lines) == [
        ("536365", "85123A", "WHITE HEART", 6, at, 2.55, "17850", "United Kingdom"),
    ]


def test_the_first_reason_that_holds_is_the_one_that_counts() -> None:
    row = with_cells(invoice="C1", sku="POST", quantity="-1", unit_price="-1")
    cleaned = cleaned_table(parsed_table(raw_table([row, row])))
    assert {reason: count for reason, count in cleaned.dropped.items() if count} == {"duplicate": 1, "cancellation": 1}


def test_each_quarantine_reason_keeps_its_row_as_it_stood() -> None:
    bad = {
        "invoice must not be empty": with_cells(invoice=" "),
        "sku must not be empty": with_cells(sku=""),
        "quantity must be a whole number": with_cells(quantity="six"),
        "invoiced_at must be a date and time": with_cells(invoiced_at="31/13/2010"),
        "unit_price must be a number": with_cells(unit_price="free"),
    }
    parsed = parsed_table(raw_table([GOOD, *bad.values()]))
    assert parsed.quarantine["reason"].tolist() == list(bad)
    assert parsed.quarantine["source_row"].tolist() == [3, 4, 5, 6, 7]
    assert parsed.quarantine["quantity"].tolist() == ["6", "6", "six", "6", "6"]
    assert len(parsed.lines) == 1


def test_the_quarantine_is_in_order_of_file_and_row() -> None:
    bad = with_cells(quantity="six")
    raw = pd.concat([raw_table([bad, bad], "b.csv"), raw_table([bad], "a.csv")], ignore_index=True)
    quarantine = parsed_table(raw).quarantine
    told = zip(quarantine["source_file"], quarantine["source_row"], strict=True)
    assert list(told) == [("a.csv", 2), ("b.csv", 2), ("b.csv", 3)]


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (["2011-03-26 09:00+00:00", "2011-03-28 09:00+01:00"], ["2011-03-26 09:00", "2011-03-28 09:00"]),
        (["2011-03-26T09:00-05:00", "2011-03-28T09:00-05:00"], ["2011-03-26 09:00", "2011-03-28 09:00"]),
    ],
    ids=["summer time begins", "one offset"],
)
def test_a_time_is_what_the_shop_s_clock_showed(at: list[str], shown: list[str]) -> None:
    lines = parsed_table(raw_table([with_cells(invoiced_at=text) for text in at])).lines
    assert lines["invoiced_at"].tolist() == [pd.Timestamp(text) for text in shown]


@pytest.mark.parametrize("datetime_format", ["ISO8601", "%m/%d/%Y"])
@pytest.mark.parametrize("word", ["now", "today", "NOW", " today "])
def test_no_word_reads_the_clock(word: str, datetime_format: str) -> None:
    parsed = parsed_table(raw_table([with_cells(invoiced_at=word)]), datetime_format=datetime_format)
    assert parsed.quarantine["reason"].tolist() == ["invoiced_at must be a date and time"]


def test_a_long_decimal_keeps_its_last_bit() -> None:
    written = ["11.791870367106105", "0.74314666042249777", "940913.4798145578243", "2.55"]
    lines = parsed_table(raw_table([with_cells(unit_price=text) for text in written])).lines
    assert lines["unit_price"].tolist() == [float(text) for text in written]


def test_typed_columns_read_as_their_text_does() -> None:
    rows = [with_cells(invoice="536365", sku="22423", customer_id=""), with_cells(sku="22424", quantity="2")]
    text = raw_table(rows)
    typed = text.assign(
        invoice=[536365.0, 536365.0],
        sku=[22423.0, 22424.0],
        quantity=[6.0, 2.0],
        invoiced_at=pd.to_datetime(text["invoiced_at"]),
        unit_price=[2.55, 2.55],
        customer_id=[np.nan, 17850.0],
    )
    pd.testing.assert_frame_equal(parsed_table(typed).lines, parsed_table(text).lines)


@pytest.mark.parametrize("column", ["quantity", "unit_price"])
@pytest.mark.parametrize("values", [[True], [dt.datetime(2010, 12, 1)]], ids=["truth", "time"])
def test_a_typed_value_that_is_no_number_is_none(column: str, values: list[object]) -> None:
    parsed = parsed_table(raw_table([GOOD]).assign(**{column: values}))
    assert [reason.split()[0] for reason in parsed.quarantine["reason"]] == [column]


def bad_of(bad: int, total: int) -> contract.Parsed:
    rows = [GOOD] * (total - bad) + [with_cells(quantity="six")] * bad
    return parsed_table(raw_table(rows, "shop/a.csv"))


def test_too_many_unparseable_rows_name_the_first_of_them() -> None:
    with pytest.raises(ContractError) as caught:
        contract.require_parseable(bad_of(2, 10), 0.1)
    assert str(caught.value) == (
        "shop/a.csv: row 10: quantity must be a whole number "
        "(2 of 10 rows are unparseable, data.max_bad_share is 0.1), got 'six'"
    )


@pytest.mark.parametrize(
    ("bad", "share", "stops"), [(0, 0.0, False), (1, 0.0, True), (1, 0.1, False), (2, 0.1, True), (10, 0.9, True)]
)
def test_the_share_of_unparseable_rows_is_the_limit_itself(bad: int, share: float, stops: bool) -> None:
    try:
        contract.require_parseable(bad_of(bad, 10), share)
        stopped = False
    except ContractError:
        stopped = True
    assert stopped == stops


def clean_shop(**columns: object) -> pd.DataFrame:
    return cleaned_table(parsed_table(raw_table(SHOP))).lines.assign(**columns)


def test_the_smallest_shop_is_valid() -> None:
    lines = contract.validate(clean_shop(), "shop")
    assert len(lines) == len(SHOP)


def test_no_line_is_no_shop() -> None:
    with pytest.raises(ContractError, match=r"^shop: must hold at least one sale of a product, got 0$"):
        contract.validate(clean_shop().iloc[:0], "shop")


def test_two_days_are_too_few() -> None:
    two_days = clean_shop().iloc[:3]
    with pytest.raises(DataError, match=r"^shop: must hold at least 3 days of sales .*, got 2$"):
        contract.require_learnable(two_days, "shop")


def test_one_quantity_alone_is_nothing_to_learn() -> None:
    with pytest.raises(DataError, match=r"^shop: quantity must not be constant, got 7$"):
        contract.require_learnable(clean_shop(quantity=7), "shop")


@pytest.mark.parametrize(
    ("column", "value", "row"),
    [
        ("quantity", 0, 1),
        ("quantity", 10**9 + 1, 1),
        ("unit_price", 0.0, 1),
        ("unit_price", math.inf, 1),
        ("sku", "", 1),
        ("invoice", "", 1),
        ("country", "", 1),
        ("country", None, 1),
    ],
)
def test_a_line_that_breaks_the_contract_is_named(column: str, value: object, row: int) -> None:
    lines = clean_shop()
    lines.loc[row, column] = value
    with pytest.raises(ContractError, match=rf"^shop: row {row}: {column} must satisfy "):
        contract.validate(lines, "shop")
    with pytest.raises(pandera.errors.SchemaError):
        contract.LINES_SCHEMA.validate(lines)


@pytest.mark.parametrize(("kept", "quarantined", "dropped"), [(6, 1, 2), (6, 1, 4), (0, 0, 0)])
def test_a_row_unaccounted_for_stops_the_run(kept: int, quarantined: int, dropped: int) -> None:
    with pytest.raises(
        ContractError, match=rf"must account for each of 10 rows read, got {kept + quarantined + dropped}"
    ):
        contract.require_conservation(10, kept, quarantined, {"duplicate": dropped})


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 30)), min_size=1, max_size=5))
@example([dt.datetime(2010, 1, 3, 23, 59), dt.datetime(2010, 1, 4), dt.datetime(2008, 12, 29), dt.datetime(201, 12, 1)])
def test_weeks_are_the_calendars_and_their_names_sort(times: list[dt.datetime]) -> None:
    weeks = contract.iso_week(pd.Series(times, dtype="datetime64[us]")).tolist()
    assert weeks == ["{:04d}-W{:02d}".format(*at.isocalendar()) for at in times]
    by_time = [week for _, week in sorted(zip(times, weeks, strict=True))]
    assert by_time == sorted(weeks)
