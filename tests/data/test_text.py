"""Laws of text: words for nothing are nothing, and a code is the same code however a file holds it, or is refused."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from pricetrail.base.errors import ContractError
from pricetrail.data import contract
from pricetrail.data.shop_rules import shop_rules
from support.tables import SHOP, raw_table, shop_settings


def with_column(column: str, values: list[str], file: str = "a.csv") -> pd.DataFrame:
    at = contract.LINE_COLUMNS.index(column)
    return raw_table([(*SHOP[0][:at], value, *SHOP[0][at + 1 :]) for value in values], file)


def parsed(*tables: pd.DataFrame, sku_width: int = 0, **dials: object) -> contract.Parsed:
    params = shop_settings(**dials)  # type: ignore[arg-type]
    raw = pd.concat(tables, ignore_index=True)
    written = {name: params.data.format_of(name) for name in raw["source_file"]}
    return contract.parse(raw, written, dataclasses.replace(shop_rules(params), sku_width=sku_width))


def read(column: str, values: list[str], **dials: object) -> list[object]:
    read = parsed(with_column(column, values), **dials).lines[column]
    return read.astype(object).where(read.notna(), None).tolist()


def refusal(*tables: pd.DataFrame) -> str:
    with pytest.raises(ContractError) as caught:
        parsed(*tables)
    return str(caught.value)


WORDS = ["NULL", "null", " N/A ", "#n/a", "None", "-", "\\N", "<NA>", "(null)", "\u200b", "\u00a0"]


def test_a_word_for_nothing_is_nothing() -> None:
    assert read("customer_id", [*WORDS, "12"]) == [*[None] * len(WORDS), "12"]
    assert read("country", [*WORDS, "France"]) == [*["Unspecified"] * len(WORDS), "France"]


@pytest.mark.parametrize("column", ["invoice", "sku", "quantity", "invoiced_at", "unit_price"])
def test_nothing_in_a_required_column_is_dirt(column: str) -> None:
    quarantine = parsed(with_column(column, WORDS)).quarantine
    assert [reason.split(" must ")[0] for reason in quarantine["reason"]] == [column] * len(WORDS)


def test_the_words_for_nothing_are_a_parameter() -> None:
    assert read("customer_id", ["guest", "NULL"], missing=["Guest"]) == [None, "NULL"]


def test_namibia_is_a_country_among_codes() -> None:
    assert read("country", ["NA", "GB", "FR", "", "Total"]) == ["NA", "GB", "FR", "Unspecified", "Total"]
    assert read("country", ["NA", "France", "EIRE"]) == ["Unspecified", "France", "EIRE"]
    assert read("country", ["NA", "na"]) == ["Unspecified", "Unspecified"]
    assert read("sku", ["NA", "AB"]) == ["AB"]


@pytest.mark.parametrize("column", ["invoice", "sku", "customer_id"])
@pytest.mark.parametrize(
    ("written", "codes"),
    [
        (["02003", "1e5", "10E10", "A-1"], ["02003", "1E5", "10E10", "A-1"]),
        (['="02003"', "'02003", "\u200b02003\ufeff", "\u00a002003 ", "020\u200b03"], ["02003"] * 5),
        (["12345.0", "12346.0", "A1.0"], ["12345", "12346", "A1.0"]),
        (["1.0", "1.5", "2"], ["1.0", "1.5", "2"]),
    ],
)
def test_a_code_is_text(column: str, written: list[str], codes: list[str]) -> None:
    read_as = [str(code).upper() if column != "sku" else code for code in read(column, written)]
    assert read_as == codes


@pytest.mark.parametrize("column", ["invoice", "sku", "customer_id"])
@pytest.mark.parametrize(
    ("values", "row"),
    [(["A1", "5.01E+12"], 3), (["5,01e+12"], 2), (["1e+16"], 2), (["12345", "12346.0"], 3)],
)
def test_a_code_that_a_spreadsheet_changed_is_refused(column: str, values: list[str], row: int) -> None:
    said = refusal(with_column(column, values))
    assert said.startswith(f"a.csv: row {row}: {column} must ")
    assert "format the column as text and export it again" in said


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("n", "12345", "12345"),
        ("n", "8939010102358479872", None),
        ("d", "2011-03-01 00:00:00", None),
        ("t", "1234567890123456", "1234567890123456"),
    ],
)
def test_a_cell_s_type_tells_what_its_code_was(kind: str, value: str, code: str | None) -> None:
    raw = with_column("sku", [value, "7"]).assign(cell_types=[f"t{kind}tttttt", None])
    if code:
        assert parsed(raw).lines["sku"].tolist() == [code, "7"]
    else:
        assert "sku must be a code, and a spreadsheet changed it" in refusal(raw)


def test_a_column_of_nothing_has_no_types() -> None:
    raw = with_column("customer_id", ["", ""]).assign(cell_types=["tttttt-t", None])
    assert parsed(raw).lines["customer_id"].isna().all()


@pytest.mark.parametrize("values", [[22423.0, 7.0], [Decimal("22423.00"), Decimal("7.00")], [22423, 7]])
def test_a_typed_code_is_its_digits(values: list[object]) -> None:
    raw = with_column("sku", ["1", "2"]).assign(sku=values)
    assert parsed(raw).lines["sku"].tolist() == ["22423", "7"]


@pytest.mark.parametrize("column", ["sku", "customer_id"])
def test_codes_that_differ_in_zeros_only_are_refused(column: str) -> None:
    csv, book = with_column(column, ["7", "02003"]), with_column(column, ["2003"], "b.xlsx")
    assert refusal(csv, book).startswith(
        f"b.xlsx: row 2: {column} must not differ from '02003' (a.csv: row 3) in leading zeros only: "
    )


def test_the_width_of_skus_puts_zeros_back() -> None:
    csv, book = with_column("sku", ["02003", "A1", "123456"]), with_column("sku", ["2003"], "b.xlsx")
    assert parsed(csv, book, sku_width=5).lines["sku"].tolist() == ["02003", "A1", "123456", "02003"]


def test_files_of_two_formats_are_read_each_by_its_own() -> None:
    german = with_column("unit_price", ["2,5", "1.000,0"], "old/b.csv").assign(quantity="1.000")
    files = {"old/*.csv": {"decimal": ",", "thousands": "."}}
    lines = parsed(with_column("unit_price", ["2.5"]), german, files=files).lines
    np.testing.assert_array_equal(lines["unit_price"], [2.5, 2.5, 1000])
    assert lines["quantity"].tolist() == [6, 1000, 1000]
