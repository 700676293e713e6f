"""Text from data in the tables and charts of the page: it stops no run, and holds none up."""

from __future__ import annotations

import time

import pandas as pd
import pytest

from pricetrail.base.escaping import LONGEST, seen
from pricetrail.base.files import csv_bytes
from pricetrail.report.page.charts import Axis, Item, Row, rows_chart
from pricetrail.report.page.svg import shortened
from support.hostile import TEXTS, Reader
from support.page_sample import page, results

POINT = {"sku": "2", "lines": 3, "unit_price": 1.0, "predicted_quantity": 2.0, "predicted_revenue": 2.0}
PRICES = {"current_price": 1.0, "recommended_price": 1.0}


@pytest.mark.attack
@pytest.mark.parametrize("name", TEXTS)
def test_a_description_is_read_back_from_the_table_and_shown(name: str) -> None:
    table = csv_bytes(pd.DataFrame([{**POINT, **PRICES, "description": TEXTS[name]}])).decode()
    assert "<" not in table
    (point,) = results(PRICE_CURVES=table).price_points
    assert point.description == (seen(TEXTS[name]) if name != "long" else f"{'W' * (LONGEST - 1)}…")
    plain = csv_bytes(pd.DataFrame([{**POINT, **PRICES, "description": "A"}])).decode()
    read = Reader(page(PRICE_CURVES=table))
    assert point.description in "".join(read.text)
    assert read.tags == Reader(page(PRICE_CURVES=plain)).tags
    assert len(read.scripts) == 1


@pytest.mark.attack
def test_a_long_name_does_not_hold_the_page_up() -> None:
    """It was measured again for each letter that was cut: 200,000 letters took hours."""
    began = time.process_time()
    rows = [Row(TEXTS["long"], (Item(0.5, "bar"),), "0.5")]
    chart = rows_chart("key", "title", "says", rows, Axis(0, 1, "share"))
    assert time.process_time() - began < 2
    assert all(len(mark.text) < 200 for mark in chart.wide.marks)
    assert shortened("W" * 300, 100) == "W" * 6 + "…"
