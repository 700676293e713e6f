"""Small shops written by hand: rows as the UCI columns hold them, and the dials that read them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pricetrail.base.params import Params, parse_params
from pricetrail.base.params_data import Data
from pricetrail.data import contract
from pricetrail.data.cleaning import Cleaned, clean
from pricetrail.data.contract import LINE_COLUMNS, Parsed
from pricetrail.data.shop_rules import shop_rules
from pricetrail.data.source_files import read_lines
from pricetrail.data.text import SOURCE_FILE, SOURCE_ROW

PARAMS = (Path(__file__).resolve().parent.parent.parent / "params.yaml").read_text()
SHIPPED = parse_params(PARAMS)  # frozen, so that it is read once: that takes as long as many a test
HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
Row = tuple[str, ...]

# Three days, quantities that differ: the smallest shop that the pipeline takes.
SHOP: tuple[Row, ...] = (
    ("536365", "85123A", "WHITE HEART", "6", "2010-12-01 08:26:00", "2.55", "17850", "United Kingdom"),
    ("536365", "22423", "CAKESTAND", "2", "2010-12-01 08:26:00", "12.75", "17850", "United Kingdom"),
    ("536370", "22423", "CAKESTAND", "1", "2010-12-02 10:03:00", "12.75", "", "France"),
    ("536371", "85123A", "", "12", "2010-12-03 17:59:30", "2.1", "13047", "United Kingdom"),
)


def csv_text(rows: Sequence[Row], header: Sequence[str] = HEADER, delimiter: str = ",") -> str:
    """A CSV file's text, header first."""
    sink = io.StringIO()
    csv.writer(sink, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])
    return sink.getvalue()


def data_settings(path: Path | str, **dials: object) -> Data:
    """The shipped dials of ``data`` with another path, and some of them changed."""
    return Data.model_validate({**SHIPPED.data.model_dump(), "path": str(path), **dials})


def raw_table(rows: Sequence[Row], file: str = "a.csv") -> pd.DataFrame:
    """Rows as ``sources.read_lines`` hands them over: text in our columns, empty cells missing, where each row was."""
    cells = {name: pd.Series([row[i] or None for row in rows], dtype="str") for i, name in enumerate(LINE_COLUMNS)}
    return pd.DataFrame({**cells, SOURCE_FILE: file, SOURCE_ROW: range(2, len(rows) + 2)})


def shop_settings(path: Path | str = "lines", preset: str = "uci", **dials: object) -> Params:
    """The shipped parameters with another path, the rules of a preset, and some of section ``data`` changed."""
    shop = SHIPPED.shop.model_copy(update={"preset": preset})
    return SHIPPED.model_copy(update={"data": data_settings(path, **dials), "shop": shop})


def parsed_table(raw: pd.DataFrame, **dials: object) -> Parsed:
    """A raw table, parsed by the UCI shop's rules."""
    params = shop_settings(**dials)  # type: ignore[arg-type]
    written = {str(name): params.data.format_of(str(name)) for name in raw[SOURCE_FILE].unique()}
    return contract.parse(raw, written, shop_rules(params))


def parsed_files(data: Data, preset: str = "uci") -> Parsed:
    """The files of ``data.path``, parsed."""
    raw = read_lines(data)
    rules = shop_rules(shop_settings(preset=preset))
    return contract.parse(raw.table, {source.name: source.written for source in raw.sources}, rules)


def cleaned_table(parsed: Parsed, preset: str = "uci") -> Cleaned:
    """The same, cleaned."""
    return clean(parsed, shop_rules(shop_settings(preset=preset)))


HALF_LIFE_DAYS = 5.0


def make_lines(size: int, seed: int, days: int = 9) -> pd.DataFrame:
    """Random clean lines in order of time, few keys so that histories overlap."""
    rng = np.random.default_rng(seed)
    minutes = np.sort(rng.integers(0, days * 24 * 60, size))
    customer = rng.choice(["c1", "c2", "c3", None], size)
    return pd.DataFrame(
        {
            "invoice": [f"i{i}" for i in range(size)],
            "sku": rng.choice(["10001", "10002", "10003A"], size),
            "description": "thing",
            "quantity": rng.integers(1, 200, size),
            "invoiced_at": (pd.Timestamp("2011-02-25") + pd.to_timedelta(minutes, unit="min")).astype("datetime64[us]"),
            "unit_price": rng.integers(50, 900, size) / 100,
            "customer_id": pd.array(customer, dtype="str"),
            "country": rng.choice(["United Kingdom", "France"], size),
        }
    )
