"""What must come of each input of ``../shared/cases`` and of the example shops, written down without `pricetrail`.

A trial is a folder of files, settings of ``params.yaml``, and the true lines or the words of a refusal. The lines of
the cases are those of ``00_control``, changed as their README says; files are read by Python's csv module alone.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pricetrail.base.errors import PricetrailError
from pricetrail.base.limits import load_yaml
from pricetrail.base.params import Params, parse_params
from pricetrail.data.reading import read_shop
from support import example_shops
from support.tables import PARAMS

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


class Line(NamedTuple):
    """One line as a person reads it."""

    invoice: str
    sku: str
    description: str | None
    quantity: float
    at: dt.datetime
    unit_price: float
    customer: str | None = None
    country: str = "Unspecified"


@dataclass(frozen=True)
class Trial:
    """An input, the settings to read it by, and what must come.

    Attributes:
        lines: the true lines; None where it must be refused.
        refused: words that a refusal must have, as a pattern; empty where none may come.
    """

    name: str
    folder: Path
    settings: Mapping[str, Any]
    lines: Sequence[Line] | None
    refused: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came: `equal`, `refused` (with the words that it must have) or `wrong`, and why."""

    verdict: str
    said: str


def params_with(settings: Mapping[str, Any], **shipped: object) -> Params:
    """The shipped parameters with some of them changed, by dotted key."""
    tree = load_yaml(PARAMS)
    for key, value in {**settings, **shipped}.items():
        *sections, last = key.split(".")
        node = tree
        for section in sections:
            node = node[section]
        node[last] = value
    return parse_params(json.dumps(tree))


def try_out(trial: Trial) -> Outcome:
    """Read the input as the ETL does, and hold what came against the truth."""
    try:
        reading = read_shop(params_with({**trial.settings, "data.path": str(trial.folder)}))
    except PricetrailError as error:
        said = str(error).replace(f"{trial.folder}/", "")
        is_meant = bool(trial.refused) and re.search(trial.refused, said) is not None
        return Outcome("refused" if is_meant else "wrong", said)
    came = Counter(as_lines(reading.cleaned.lines))
    if trial.lines is None:
        return Outcome("wrong", f"read {came.total()} lines, where it must be refused")
    true = Counter(trial.lines)
    if came == true:
        return Outcome("equal", f"{came.total()} lines")
    lost, made = list((true - came).elements()), list((came - true).elements())
    example = f"; not {tuple(lost[0])}" if lost else ""
    return Outcome(
        "wrong", f"{len(lost)} lines lost, {len(made)} made up{f', {tuple(made[0])}' if made else ''}{example}"
    )


def as_lines(table: Any) -> Iterator[Line]:
    """Clean lines as a person reads them."""
    for row in table.itertuples(index=False):
        description, customer = (None if cell != cell else cell for cell in (row.description, row.customer_id))
        at = row.invoiced_at.to_pydatetime()
        yield Line(row.invoice, row.sku, description, row.quantity, at, row.unit_price, customer, row.country)


def _read(file: Path) -> list[Line]:
    with file.open(encoding="utf-8", newline="") as opened:
        return [
            Line(
                row["InvoiceNo"],
                row["StockCode"],
                row["Description"],
                float(row["Quantity"]),
                dt.datetime.fromisoformat(row["InvoiceDate"]),
                float(row["UnitPrice"]),
                row["CustomerID"] or None,
                row["Country"],
            )
            for row in csv.DictReader(opened)
        ]


def _each(change: Callable[[int, Line], dict[str, Any]]) -> list[Line]:
    return [line._replace(**change(number, line)) for number, line in enumerate(control())]


def control() -> list[Line]:
    """The lines of the case that is right."""
    return _read(CASES / "00_control" / "a.csv")


def _old_code(line: Line, least: int) -> dict[str, Any]:
    return {"sku": f"FUR-{int(line.sku) - 19000}" if int(line.sku) % 2 >= least else str(int(line.sku) - 10000)}


def _thousands(number: int, line: Line) -> dict[str, Any]:
    wholesale = {"quantity": 1000.0, "unit_price": 0.42}
    return wholesale if number in {5, 50, 150, 250, 350} else {"quantity": line.quantity}


SEMICOLON = {"data.delimiter": ";"}
FIRST_CASES: dict[str, Callable[[], list[tuple[dict[str, Any], list[Line] | None, str]]]] = {
    "00_control": lambda: [({}, control(), "")],
    "01_stray_quotes": lambda: [({}, None, r"row (102|122)\b")],
    "01b_stray_quotes_min": lambda: [({}, None, r"row [236]\b")],
    "02_two_sheets": lambda: [({}, control(), "")],
    "03_other_suffixes": lambda: [
        ({}, None, "repeats all its 100 lines"),
        ({"data.max_dropped_share": 0.3}, control(), ""),
    ],
    "04_invoice_CA": lambda: [
        ({}, _each(lambda n, at: {"invoice": f"{'US' if n % 5 == 4 else 'CA'}-2011-{int(at.invoice) - 436000}"}), "")
    ],
    "05_sku_letters": lambda: [({}, _each(lambda _, line: _old_code(line, 0)), "")],
    "05b_sku_mixed": lambda: [({}, _each(lambda _, line: _old_code(line, 1)), "")],
    "06_decimal_comma": lambda: [
        ({}, None, "delimiter"),
        (SEMICOLON, None, "data.decimal"),
        (SEMICOLON | {"data.decimal": "."}, None, "data.decimal"),
        (SEMICOLON | {"data.decimal": ","}, control(), ""),
    ],
    "07_thousands_dot": lambda: [
        (SEMICOLON, None, "1.000"),
        (SEMICOLON | {"data.thousands": "."}, _each(_thousands), ""),
        (SEMICOLON | {"data.decimal": ",", "data.thousands": "."}, None, r"'[0-9]\.[0-9]+'|data.decimal"),
    ],
    "09_ipynb_checkpoints": lambda: [({}, control(), "")],
    "11_no_customer_column": lambda: [
        ({}, None, "data.columns.customer_id: null"),
        ({"data.columns.customer_id": None}, _each(lambda *_: {"customer": None}), ""),
    ],
    "12_dmy_as_mdy": lambda: [
        ({}, None, "ISO8601"),
        ({"data.datetime_format": "%m/%d/%Y %H:%M"}, None, "data.prove_date_order"),
        ({"data.datetime_format": "%d/%m/%Y %H:%M"}, None, "data.prove_date_order"),
        ({"data.datetime_format": "%d/%m/%Y %H:%M", "data.prove_date_order": False}, _fifth_of_december(), ""),
    ],
    "17_blank_rows": lambda: [({}, control(), "")],
    "19_currency_sign": lambda: [({}, control(), ""), ({"shop.currency": "EUR"}, None, "shop.currency")],
    "20_kg": lambda: [
        ({}, None, "shop.whole_units"),
        ({"shop.whole_units": False}, _each(lambda n, line: {"quantity": line.quantity if n % 3 else 0.75}), ""),
    ],
    "38_scanned_twice": lambda: [({}, _one_by_one(control()), "")],
    "51_null_words": lambda: [({}, control(), "")],
    "55_leading_zeros": lambda: [
        ({}, None, "shop.sku_width"),
        ({"shop.sku_width": 5}, _each(lambda _, line: {"sku": f"0{line.sku[0]}{line.sku[2:]}"}), ""),
    ],
    "f03_all_guests": lambda: [({}, _read(CASES / "f03_all_guests" / "a.csv"), "")],
    "f07_future_year": lambda: [
        ({}, [line for line in _read(CASES / "f07_future_year" / "a.csv") if line.at.year == 2011], "")
    ],
}


def _one_by_one(lines: Sequence[Line]) -> list[Line]:
    """The first 300 lines, a row a unit; the rest as it was."""
    units = [line._replace(quantity=1) for line in lines[:300] for _ in range(int(line.quantity))]
    return [*units, *lines[300:]]


def _fifth_of_december() -> list[Line]:
    """The first fifty lines, ten a day from 5 December; 12:06 in place of 12:06:00."""
    days = [dt.date(2011, 12, 5 + number // 10) for number in range(50)]
    return [
        line._replace(at=dt.datetime.combine(day, line.at.time())) for line, day in zip(control(), days, strict=False)
    ]


def shared_trials() -> list[Trial]:
    """A trial for each case and each of its settings."""
    return [
        Trial(name, CASES / name, settings, lines, refused)
        for name, make in FIRST_CASES.items()
        for settings, lines, refused in make()
    ]


def example_trial(name: str) -> Trial:
    """An example shop by its settings: its true lines must come."""
    example = example_shops.EXAMPLES[name]()
    lines = [
        Line(
            sale.invoice,
            sale.sku,
            sale.description,
            sale.quantity,
            sale.at,
            sale.cents / 100,
            sale.customer,
            sale.country,
        )
        for sale in example.sales
    ]
    return Trial(name, example_shops.FOLDER / name, example.settings, lines)
