"""The real stages on shops of which something is not there: nothing is no failure, and what was lost is one.

A shop with one customer, one SKU or no countries at all can be released without an override; the same shop that loses
its customers for the last days cannot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pricetrail.checks.decision import read_decision
from pricetrail.checks.gates import Decision
from support.small_shop import STAGES, Shop, run_shop, shop_lines

pytestmark = pytest.mark.long
GUESTS = ("customer_mean", "customer_recent_mean", "customer_sku_mean")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def decided(lines: pd.DataFrame, **changes: Any) -> Decision:
    run_shop(Path.cwd(), lines, **changes)
    return read_decision(json.loads(Path("metrics/decision.json").read_text()), "metrics/decision.json")


def reasons(decision: Decision) -> dict[str, str]:
    return {gate.gate: gate.reason for gate in decision.gates}


@pytest.mark.parametrize(
    ("shop", "drift", "fairness"),
    [
        (Shop(customers=0), f"nothing on both sides: {', '.join(GUESTS)}", "not assessed: no line has a customer"),
        (Shop(guests=0.0), "", "not assessed: every line has a customer, so there are no guests"),
        (Shop(customers=1), f"too few to compare: {', '.join(GUESTS)}", ""),
        (Shop(customers=1, guests=0.0), f"too few to compare: {', '.join(GUESTS)}", "not assessed: every line has"),
        (Shop(skus=1), "too few to compare: sku_recent_mean, customer_sku_mean", ""),
        (Shop(line_a_sku=True), "log_price_vs_mean, sku_recent_mean, customer_sku_mean", ""),
        (Shop(countries=()), "", "not assessed: no line has a country"),
        (Shop(countries=("France",), descriptions=False), "", "not assessed: all lines are of one country, France"),
        (Shop(prices=1), "", ""),
    ],
    ids=[
        "guests",
        "no guests",
        "one customer",
        "he alone",
        "one SKU",
        "a line a SKU",
        "no country",
        "one country",
        "one price",
    ],
)
def test_a_shop_without_it_can_be_released(shop: Shop, drift: str, fairness: str) -> None:
    decision = decided(shop_lines(shop))
    assert decision.may_be_released, reasons(decision)
    assert not decision.overridden
    assert drift in reasons(decision)["drift"]
    assert fairness in reasons(decision)["fairness"]


def test_a_shop_with_hardly_anything_is_told_what_it_lacks() -> None:
    """No customers, countries, descriptions and price changes: no feature of them reaches a model or a plot."""
    decision = decided(shop_lines(Shop(customers=0, countries=(), descriptions=False, prices=1)))
    assert decision.may_be_released
    assert reasons(decision)["fairness"] == "nothing to assess: no line has a customer; no line has a country"
    absent = ("customer", "country", "registered", "price_vs")
    features = [state["name"] for state in json.loads(Path("models/encoder.json").read_text())["numeric"]]
    features += pd.read_csv("reports/shap/importance.csv")["feature"].tolist()
    features += pd.read_csv("reports/models.csv")["model"].tolist()
    assert not [name for name in features if any(part in name for part in absent)]
    groups = json.loads(Path("metrics/intervals.json").read_text())["groups"]
    assert {group["column"] for group in groups} == {"overall", "month"}
    prices = pd.read_parquet("data/prices.parquet")
    assert (prices["recommended_price"] == prices["current_price"]).all()


@pytest.mark.parametrize("lost", ["CustomerID", "Country"])
def test_the_same_shop_that_lost_it_is_withheld(lost: str) -> None:
    """The last ten days, the test days among them, without what the days before have."""
    lines = shop_lines(Shop())
    late = lines["InvoiceDate"].str[:10] > "2024-02-28"
    decision = decided(lines.assign(**{lost: np.where(late, "", lines[lost])}))
    assert {"drift", "fairness"} <= set(decision.closed), reasons(decision)
    assert "nothing" not in "".join(reasons(decision).values())
    assert "in the test days, which the days before have" in reasons(decision)["fairness"]


def test_no_column_is_as_an_empty_one() -> None:
    """A shop that says it has no customers writes the same files as one whose lines have none."""
    lines = shop_lines(Shop(customers=0, per_day=8))
    found = []
    for table, column in ((lines, "CustomerID"), (lines.drop(columns="CustomerID"), None)):
        run_shop(Path.cwd(), table, STAGES[:2], data__columns__customer_id=column)
        outs = [Path("metrics/drift.json"), *Path("data/processed").iterdir()]
        found.append({str(out): out.read_bytes() for out in outs})
    assert found[0] == found[1]
    assert len(found[0]) > 5
