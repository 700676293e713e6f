"""Layouts without one column a field on each line, and what cannot be told in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from pricetrail.base.errors import ParamsError, SourceError
from pricetrail.data.reading import read_shop
from support.shop_cases import Line, as_lines, params_with
from support.tables import csv_text

HEADER = ("no", "sku", "units", "day", "price", "who", "land")
COLUMNS = {
    "data.columns": {
        **dict(
            zip(
                ("invoice", "sku", "quantity", "invoiced_at", "unit_price", "customer_id", "country"),
                HEADER,
                strict=True,
            )
        ),
        "description": None,
    }
}
DOWN = {"data.fill_down": ["invoiced_at", "customer_id", "country"]}
ORDERS = (
    ("1", "A", "2", "2025-05-13", "3", "ann", "DE"),
    ("1", "B", "1", "", "4", "", ""),
    ("2", "A", "3", "2025-05-14", "3", "", "AT"),
    ("2", "C", "1", "", "5", "-", ""),
    ("3", "A", "9", "2025-05-15", "3", "bob", "DE"),
)


def read(
    folder: Path, rows: Sequence[Sequence[str]], settings: dict[str, Any], header: Sequence[str] = HEADER
) -> list[Line]:
    (folder / "a.csv").write_text(csv_text(rows, header))
    return list(
        as_lines(read_shop(params_with({**COLUMNS, **settings, "data.path": str(folder / "a.csv")})).cleaned.lines)
    )


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (1, 4, 3, 2, 0), (3, 0, 4, 2, 1)])
def test_an_order_gives_its_lines_what_is_theirs(tmp_path: Path, order: tuple[int, ...]) -> None:
    lines = read(tmp_path, [ORDERS[n] for n in order], DOWN)
    told = {(line.invoice, line.sku): (line.at.day, line.customer, line.country) for line in lines}
    ann, guest, bob = (13, "ann", "DE"), (14, None, "AT"), (15, "bob", "DE")  # ann's name does not reach the guest
    assert told == {("1", "A"): ann, ("1", "B"): ann, ("2", "A"): guest, ("2", "C"): guest, ("3", "A"): bob}


def test_merged_cells_of_a_workbook_are_filled(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append([*HEADER, "clock"])
    for no, sku, units, day, price, who, land in ORDERS:
        when = [dt.date.fromisoformat(day), dt.time(9, 5)] if day else [None, None]
        book.active.append(
            [int(no) if day else None, sku, int(units), when[0], float(price), who or None, land, when[1]]
        )
    book.save(tmp_path / "a.xlsx")
    columns = {**COLUMNS["data.columns"], "invoiced_at": ["day", "clock"]}
    settings = {"data.columns": columns, "data.fill_down": [*DOWN["data.fill_down"], "invoice"]}
    lines = as_lines(read_shop(params_with({**settings, "data.path": str(tmp_path / "a.xlsx")})).cleaned.lines)
    told = [(line.invoice, line.sku, f"{line.at:%d %H:%M}", line.customer, line.country) for line in lines]
    ann, guest, bob = ("13 09:05", "ann", "DE"), ("14 09:05", None, "AT"), ("15 09:05", "bob", "DE")
    assert told == [("1", "A", *ann), ("1", "B", *ann), ("2", "A", *guest), ("2", "C", *guest), ("3", "A", *bob)]


NASTY: dict[str, tuple[list[str], list[tuple[str, ...]], str]] = {
    "numbers that start again": (
        ["invoiced_at", "customer_id", "country"],
        [*ORDERS, ("1", "Z", "2", "2025-06-20", "3", "", "")],
        "row 3: invoiced_at must have one value .* invoice 1 has, got '2025-05-13 and 2025-06-20'",
    ),
    "a guest of another day": (
        ["customer_id"],
        [*ORDERS[::2], ("1", "Z", "2", "2025-06-20", "3", "", "DE")],
        "row 5: invoiced_at must have one value .* invoice 1 has",
    ),
    "two customers": (
        ["customer_id"],
        [ORDERS[4], ("3", "B", "2", "2025-05-15", "3", "eve", "DE"), ("3", "C", "2", "2025-05-15", "3", "", "DE")],
        "row 4: customer_id must have one value .* invoice 3 has, got 'bob and eve'",
    ),
    "a number below another invoice": (
        ["invoice", "customer_id"],
        [ORDERS[0], ORDERS[4], ("", "B", "1", "2025-05-13", "3", "ann", "DE")],
        "row 4: customer_id must have one value .* invoice 3 has, got 'bob and ann'",
    ),
    "a number below another day": (
        ["invoice"],
        [ORDERS[0], ORDERS[4], ("", "B", "1", "2025-05-13", "3", "", "")],
        "row 4: invoiced_at must have one value .* invoice 3 has",
    ),
}


@pytest.mark.parametrize("name", NASTY)
def test_a_blank_that_could_be_two_things_is_refused(tmp_path: Path, name: str) -> None:
    down, rows, rule = NASTY[name]
    with pytest.raises(SourceError, match=rf"a\.csv: {rule}"):
        read(tmp_path, rows, {"data.fill_down": down})


def test_guests_of_two_days_may_share_a_number(tmp_path: Path) -> None:
    rows = [(no, sku, units, day, price, "", land) for no, sku, units, day, price, _, land in ORDERS if day]
    again = [*rows, ("1", "Z", "2", "2025-06-20", "3", "", "DE")]
    assert read(tmp_path, again, {"data.fill_down": ["customer_id"]}) == read(tmp_path, again, {})


def test_an_invoice_is_one_however_its_number_is_spaced(tmp_path: Path) -> None:
    rows = [ORDERS[0], (" 1 ", *ORDERS[1][1:]), *ORDERS[2:]]
    assert read(tmp_path, rows, DOWN) == read(tmp_path, ORDERS, DOWN)


def test_a_line_above_the_first_number_goes_to_quarantine(tmp_path: Path) -> None:
    rows = [("", "Z", "2", "2025-05-13", "3", "", ""), *ORDERS]
    settings = {"data.fill_down": [*DOWN["data.fill_down"], "invoice"], "data.max_bad_share": 0.2}
    assert read(tmp_path, rows, settings) == read(tmp_path, ORDERS, DOWN)


def test_an_order_that_goes_on_in_the_next_file_is_refused(tmp_path: Path) -> None:
    rows = [ORDERS[0], ("1", "B", "1", "2025-05-13", "4", "", ""), *ORDERS[2:]]
    (tmp_path / "a.csv").write_text(csv_text(rows[:1], HEADER))
    (tmp_path / "b.csv").write_text(csv_text(rows[1:], HEADER))
    params = params_with({**COLUMNS, "data.fill_down": ["customer_id"], "data.path": str(tmp_path)})
    with pytest.raises(SourceError, match=r"b\.csv: row 2: must have customer_id on its first line: .* got '?1"):
        read_shop(params)


def test_a_file_whose_numbers_are_all_blank_goes_to_quarantine(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(csv_text([("", *row[1:]) for row in ORDERS[:1]], HEADER))
    (tmp_path / "a.csv").write_text(csv_text(ORDERS, HEADER))
    params = params_with({**COLUMNS, **DOWN, "data.path": str(tmp_path), "data.max_bad_share": 0.2})
    assert len(read_shop(params).cleaned.lines) == len(ORDERS)


def test_an_invoice_number_comes_from_the_line_above(tmp_path: Path) -> None:
    rows = [(no if n in {0, 2, 4} else "", *rest) for n, (no, *rest) in enumerate(ORDERS)]
    down = {"data.fill_down": [*DOWN["data.fill_down"], "invoice"]}
    assert read(tmp_path, rows, down) == read(tmp_path, ORDERS, DOWN)


def test_filling_nothing_changes_nothing(tmp_path: Path) -> None:
    whole = [row for row in ORDERS if all(row[3:5])]
    assert read(tmp_path, whole, DOWN) == read(tmp_path, whole, {})


def test_a_file_without_lines_gives_none(tmp_path: Path) -> None:
    (tmp_path / "0.csv").write_text(csv_text([], HEADER))
    (tmp_path / "a.csv").write_text(csv_text(ORDERS, HEADER))
    params = params_with({**COLUMNS, **DOWN, "data.path": str(tmp_path)})
    assert len(read_shop(params).cleaned.lines) == len(ORDERS)


def test_day_and_time_apart_are_one(tmp_path: Path) -> None:
    header = (*HEADER, "clock")
    settings = {"data.columns": {**COLUMNS["data.columns"], "invoiced_at": ["day", "clock"]}}
    settings |= {"data.datetime_format": "%Y-%m-%d %I:%M %p", "data.max_bad_share": 0.5}
    rows = [
        (*row, clock) for row, clock in zip(ORDERS, ("09:05 AM", "10:00 AM", "12:30 PM", "", "11:59 PM"), strict=True)
    ]
    lines = read(tmp_path, rows, settings, header)  # a row without a day, or without a time, has no place in time
    assert [f"{line.at:%d %H:%M}" for line in lines] == ["13 09:05", "14 12:30", "15 23:59"]


def test_a_total_is_divided_by_its_units(tmp_path: Path) -> None:
    rows = [("1", "A", "3", "2025-05-13", "10.00", "", "DE"), ("1", "B", "4", "2025-05-14", "5", "", "DE")]
    rows += [("2", "A", "100", "2025-05-15", "129.00", "", "DE"), ("3", "A", "0", "2025-05-15", "7", "", "DE")]
    total = {**COLUMNS["data.columns"], "unit_price": None, "line_total": "price"}
    settings = {"data.columns": total, "data.max_dropped_share": 0.3}  # the line of no units is dropped
    assert [line.unit_price for line in read(tmp_path, rows, settings)] == [3.333333, 1.25, 1.29]


@pytest.mark.parametrize("total", [None, "total"])
def test_one_price_is_named_and_not_two(total: str | None) -> None:
    columns = {**COLUMNS["data.columns"], "unit_price": total and "price", "line_total": total}
    with pytest.raises(ParamsError, match="must name unit_price or line_total"):
        params_with({"data.columns": columns})


def test_only_what_the_shop_has_is_filled() -> None:
    with pytest.raises(ParamsError, match=r"fill_down must list columns that data\.columns names, status is null"):
        params_with({"data.fill_down": ["status"]})
    with pytest.raises(ParamsError, match=r"data\.fill_down\.0 must be 'invoice', .* got 'quantity'"):
        params_with({"data.fill_down": ["quantity"]})  # of a line, not of its order


def test_a_price_in_another_currency_is_refused(tmp_path: Path) -> None:
    settings = {"data.columns": {**COLUMNS["data.columns"], "currency": "cur"}, "shop.currency": "EUR"}
    whole = [row for row in ORDERS if row[3]]
    rows = [(*row, currency) for row, currency in zip(whole, ("EUR", " ", "eur"), strict=True)]
    assert len(read(tmp_path, rows, settings, (*HEADER, "cur"))) == 3
    rows[1] = (*rows[1][:-1], "USD")
    with pytest.raises(SourceError, match=r"a.csv: row 3: currency must be shop.currency EUR, .* 1 of 3 .*, got 'USD'"):
        read(tmp_path, rows, settings, (*HEADER, "cur"))


@pytest.mark.parametrize("preset", ["generic", "uci"])
def test_no_sku_is_no_product_or_dirt_as_the_preset_says(tmp_path: Path, preset: str) -> None:
    rows = [(no, sku and f"1000{n}", *rest) for n, (no, sku, *rest) in enumerate(ORDERS)] + [
        ("3", "", "1", "2025-05-15", "2", "", "")
    ]
    (tmp_path / "a.csv").write_text(csv_text(rows, HEADER))
    limits = {"data.max_bad_share": 0.5, "data.max_dropped_share": 0.5, "data.path": str(tmp_path / "a.csv")}
    reading = read_shop(params_with({**COLUMNS, **DOWN, **limits, "shop.preset": preset}))
    counts = reading.cleaned.dropped["not_a_product"], len(reading.parsed.quarantine)
    assert counts == ((1, 0) if preset == "generic" else (0, 1))
