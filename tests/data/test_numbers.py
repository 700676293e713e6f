"""Laws of numbers: each is read as its land writes it, by setting; told to be in another notation; or no number at all.

The oracle is written by hand beside each text.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from pricetrail.base.errors import ContractError
from pricetrail.data import contract
from pricetrail.data.shop_rules import shop_rules
from support.tables import SHOP, raw_table, shop_settings

NAN = float("nan")


def with_column(column: str, values: list[str]) -> pd.DataFrame:
    at = contract.LINE_COLUMNS.index(column)
    row = (*SHOP[0][:3], "6", SHOP[0][4], "2", *SHOP[0][6:])
    return raw_table([(*row[:at], value, *row[at + 1 :]) for value in values])


def read(column: str, values: list[str], shop: dict[str, object] | None = None, **dials: object) -> list[float]:
    """What the values of a column are, NaN for those in quarantine."""
    params = shop_settings(**dials)  # type: ignore[arg-type]
    rules = dataclasses.replace(shop_rules(params), **{"whole_units": False, **(shop or {})})  # type: ignore[arg-type]
    parsed = contract.parse(with_column(column, values), {"a.csv": params.data.format_of("a.csv")}, rules)
    numbers = dict(zip(parsed.source_row, parsed.lines[column], strict=True))
    return [numbers.get(row, NAN) for row in range(2, len(values) + 2)]


def refusal(column: str, values: list[str], shop: dict[str, object] | None = None, **dials: object) -> str:
    with pytest.raises(ContractError) as caught:
        read(column, values, shop, **dials)
    return str(caught.value)


@pytest.mark.parametrize(
    ("dials", "values", "numbers"),
    [
        (
            {},
            ["2.5", ".5", "5.", "1e3", "-1", "1-", "(12.50)", "\u22122", "+2", "٣"],
            [2.5, 0.5, 5, 1000, -1, -1, -12.5, -2, 2, 3],
        ),
        ({}, ["1.000", "2.25", "12.345"], [1, 2.25, 12.345]),
        ({}, ["1.000", "0.125"], [1, 0.125]),
        ({"decimal": "."}, ["1.000", "12.345"], [1, 12.345]),
        ({"decimal": ","}, ["2,2", "1,000", "7"], [2.2, 1, 7]),
        (
            {"decimal": ",", "thousands": "."},
            ["1.234,56", "1.000", "12.345.678", "2,5"],
            [1234.56, 1000, 12345678, 2.5],
        ),
        ({"thousands": "."}, ["1.000", "12"], [1000, 12]),
        ({"thousands": "."}, ["2.2", "12"], [2.2, 12]),
        ({"thousands": ","}, ["1,234.5", "1,000", "0.5", "12.345"], [1234.5, 1000, 0.5, 12.345]),
        ({"decimal": ".", "thousands": ","}, ["1,234.5", "1,000", "0.5"], [1234.5, 1000, 0.5]),
        ({"decimal": ",", "thousands": " "}, ["1 234,5", "1\u202f234", "1\u00a0000"], [1234.5, 1234, 1000]),
        ({"thousands": "'"}, ["1'234.5", "1\u2019000"], [1234.5, 1000]),
    ],
)
@pytest.mark.parametrize("column", ["quantity", "unit_price"])
def test_each_land_s_numbers_by_its_setting(
    column: str, dials: dict[str, object], values: list[str], numbers: list[float]
) -> None:
    assert read(column, values, **dials) == numbers


@pytest.mark.parametrize(
    ("values", "dials", "fix"),
    [
        (["3", "1.000"], {}, "row 3: quantity could be two numbers"),
        (["3", "1.000"], {}, 'set data.decimal: "." (1) or data.thousands: "." (1000)'),
        (["12.345", "1.000"], {}, "row 2: quantity could be two numbers"),
        (["1.000", "2.2"], {"thousands": "."}, "row 2: quantity could be two numbers"),
        (["1.5", "2,2"], {}, 'set data.decimal: "," and data.thousands: "" (2.2); no notation reads all'),
        (["2,2"], {}, 'set data.decimal: "," and data.thousands: "" (2.2), got'),
        (["1,234"], {}, '"," and data.thousands: "" (1.234) or data.decimal: "." and data.thousands: "," (1234)'),
        (["1 234"], {"decimal": ","}, 'set data.decimal: "," and data.thousands: " " (1234)'),
        (["1,234", "0,5"], {}, 'set data.decimal: "," and data.thousands: "" (1.234), got'),
        (["1.234.567"], {}, 'set data.decimal: "," and data.thousands: "." (1234567)'),
        (["1,234.5"], {}, 'set data.decimal: "." and data.thousands: "," (1234.5)'),
        (["1.234,5"], {}, 'set data.decimal: "," and data.thousands: "." (1234.5)'),
        (["1 234"], {}, 'set data.decimal: "." and data.thousands: " " (1234)'),
        (["1'234"], {}, """set data.decimal: "." and data.thousands: "'" (1234)"""),
        (["2.5"], {"decimal": ","}, "set data.decimal: auto (2.5)"),
        (["1,23"], {"thousands": ","}, 'set data.decimal: "," and data.thousands: "" (1.23)'),
        (["1,00,000"], {}, "write lakhs without marks"),
    ],
)  # fmt: skip
def test_another_notation_is_no_dirt(values: list[str], dials: dict[str, object], fix: str) -> None:
    assert fix in refusal("quantity", [*values, *["6"] * 400], **dials)


@pytest.mark.parametrize(
    "value",
    [
        "six",
        "0x10",
        "1_000",
        "1/2",
        "inf",
        "nan",
        "True",
        "1.2.3",
        "2011-12-05",
        "12:30",
        "1 2",
        "--5",
        "PACK OF 12",
        "½",
    ],
)
def test_what_is_no_number_anywhere_goes_to_quarantine(value: str) -> None:
    assert np.isnan(read("quantity", [value, "2.5"])[0])


@pytest.mark.parametrize(
    ("currency", "values", "numbers"),
    [
        ("GBP", ["£2.2", "-£2.2", "£-2.2", "2.20 GBP", "(£12.50)", "gbp 3"], [2.2, -2.2, -2.2, 2.2, -12.5, 3]),
        ("EUR", ["2.2 €", "€2.2", "EUR 2.2"], [2.2] * 3),
        ("CAD", ["$2.2", "CA$2.2", "2.2 CAD"], [2.2] * 3),
        ("SEK", ["2.2 kr", "2.2 kr.", "SEK 2.2"], [2.2] * 3),
    ],
)
def test_prices_carry_the_sign_of_the_shop_s_currency(currency: str, values: list[str], numbers: list[float]) -> None:
    assert read("unit_price", values, {"currency": currency}) == numbers


@pytest.mark.parametrize("value", ["€2.2", "2.2 USD", "$2.2", "50%", "Rs.5", "5.-", "2.2/kg"])
def test_another_currency_is_refused(value: str) -> None:
    assert "row 2: unit_price must be in GBP, not" in refusal("unit_price", [value, "3.5"])


def test_a_unit_is_read_where_it_is_the_shop_s() -> None:
    assert read("quantity", ["2 kg", "0.750kg", "3"], {"unit": "kg"}) == [2, 0.75, 3]
    for value in ("2 pcs", "x2", "2.5 lb"):
        assert "quantity must be in kg, not" in refusal("quantity", [value], {"unit": "kg"})


def test_decimals_of_a_shop_of_whole_units_stop() -> None:
    assert read("quantity", ["6.0", "6.00", "7"], {"whole_units": True}) == [6, 6, 7]
    assert np.isnan(read("quantity", ["1.5", "7"], {"whole_units": True})[0])
    told = refusal("quantity", ["7", "0.750", "0.5", "1.5"], {"whole_units": True})
    assert told == "a.csv: row 3: quantity must be a whole number: set shop.whole_units: false, got '0.750'"


def test_a_number_cell_has_one_reading() -> None:
    raw = with_column("quantity", ["1.125", "12.345"])
    params = shop_settings(decimal=",", thousands=".")
    rules, written = (
        dataclasses.replace(shop_rules(params), whole_units=False),
        {"a.csv": params.data.format_of("a.csv")},
    )
    parsed = contract.parse(raw.assign(cell_types="tttntttt"), written, rules)
    assert parsed.lines["quantity"].tolist() == [1.125, 12.345]
    assert contract.parse(raw, written, rules).lines["quantity"].tolist() == [1125, 12345]
