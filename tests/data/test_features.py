"""Features against a slow, line by line oracle, and the future perturbed (law 2)."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricetrail.base.errors import DataError
from pricetrail.data.features import DAY, FEATURE_UNITS, PRICE_FEATURES, TARGET, build_features, reprice, select_sku
from support.source_tree import ROOT, SRC
from support.tables import HALF_LIFE_DAYS, make_lines


def oracle_row(lines: pd.DataFrame, row: int) -> dict[str, float]:
    """The features of one line by filtering the table: days strictly before its own."""
    line = lines.iloc[row]
    day = line["invoiced_at"].normalize()
    past = lines[lines["invoiced_at"] < day]
    registered = isinstance(line["customer_id"], str)
    of_customer = past[past["customer_id"] == line["customer_id"]] if registered else past.iloc[:0]
    subsets = {
        "sku": past[past["sku"] == line["sku"]],
        "customer": of_customer,
        "customer_sku": of_customer[of_customer["sku"] == line["sku"]],
        "country": past[past["country"] == line["country"]],
    }
    found: dict[str, float] = {}
    for name, subset in subsets.items():
        logs = [math.log(1 + q) for q in subset["quantity"]]
        found[f"{name}_mean"] = sum(logs) / len(logs) if logs else math.nan
        found[f"{name}_log_lines"] = math.log(1 + len(logs))
        ages = [(day - at.normalize()).days for at in subset["invoiced_at"]]
        weights = [0.5 ** (age / HALF_LIFE_DAYS) for age in ages]
        total = sum(weights)
        found[f"{name}_recent_mean"] = (
            sum(w * x for w, x in zip(weights, logs, strict=True)) / total if logs else math.nan
        )
    prices = list(subsets["sku"]["unit_price"])
    log_price = math.log(line["unit_price"])
    found["log_unit_price"] = log_price
    found["log_price_vs_mean"] = log_price - math.log(sum(prices) / len(prices)) if prices else math.nan
    found["log_price_vs_min"] = log_price - math.log(min(prices)) if prices else math.nan
    found["log_price_vs_max"] = log_price - math.log(max(prices)) if prices else math.nan
    found["registered"] = float(registered)
    at = line["invoiced_at"]
    found |= {"hour": at.hour, "weekday": at.isoweekday() - 1, "month": at.month}
    return {name: found[name] for name in FEATURE_UNITS}


@given(size=st.integers(2, 60), seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_features_equal_the_slow_oracle(size: int, seed: int) -> None:
    lines = make_lines(size, seed)
    features = build_features(lines, HALF_LIFE_DAYS).lines
    for row in range(size):
        expected = oracle_row(lines, row)
        actual = features.iloc[row][list(FEATURE_UNITS)].astype(float)
        np.testing.assert_allclose(actual, list(expected.values()), rtol=2e-6, atol=2e-6, err_msg=str(row))


@given(seed=st.integers(0, 10_000), cut=st.integers(1, 8))
@settings(max_examples=25, deadline=None)
def test_no_feature_of_the_past_changes_when_the_future_does(seed: int, cut: int) -> None:
    lines = make_lines(80, seed)
    day = lines["invoiced_at"].dt.normalize()
    boundary = day.iloc[0] + pd.Timedelta(days=cut)
    future = day >= boundary
    perturbed = lines.assign(
        quantity=lines["quantity"].where(~future, lines["quantity"] * 7 + 1),
        unit_price=lines["unit_price"].where(~future, 99.0),
        sku=lines["sku"].where(~future, "10001"),
        customer_id=lines["customer_id"].where(~future, "c9"),
    )
    names = list(FEATURE_UNITS)
    before = build_features(lines, HALF_LIFE_DAYS).lines.loc[~future, names]
    after = build_features(perturbed, HALF_LIFE_DAYS).lines.loc[~future, names]
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    first_day = day == boundary
    if first_day.any():
        own_quantity = lines.assign(quantity=lines["quantity"].where(~first_day, 5))
        own = build_features(own_quantity, HALF_LIFE_DAYS).lines.loc[first_day, names]
        same_day = build_features(lines, HALF_LIFE_DAYS).lines.loc[first_day, names]
        pd.testing.assert_frame_equal(own, same_day, check_exact=True)


def test_the_target_is_log1p_and_the_day_is_midnight() -> None:
    lines = make_lines(30, 3)
    table = build_features(lines, HALF_LIFE_DAYS).lines
    np.testing.assert_allclose(table[TARGET], [math.log(1 + q) for q in lines["quantity"]], rtol=1e-6)
    assert list(table[DAY]) == [pd.Timestamp(at.date()) for at in lines["invoiced_at"]]


def test_product_state_is_what_the_next_morning_knows() -> None:
    lines = make_lines(60, 5)
    tomorrow = lines.iloc[[-1]].assign(invoiced_at=lines["invoiced_at"].max().normalize() + pd.Timedelta(days=1))
    for sku, state in build_features(lines, HALF_LIFE_DAYS).product_state.set_index("sku").iterrows():
        asked = pd.concat([lines, tomorrow.assign(sku=sku)], ignore_index=True)
        features = build_features(asked, HALF_LIFE_DAYS).lines.iloc[-1]
        assert state["mean_log_quantity"] == pytest.approx(features["sku_mean"], rel=1e-6)
        assert state["recent_mean_log_quantity"] == pytest.approx(features["sku_recent_mean"], rel=1e-6)
        price = math.log(asked.iloc[-1]["unit_price"])
        assert math.log(state["price_min"]) == pytest.approx(price - features["log_price_vs_min"], abs=1e-6)
        own = lines[lines["sku"] == sku]
        assert state["price_last"] == own["unit_price"].iloc[-1]
        assert state["lines"] == len(own)


def test_repricing_equals_features_built_at_the_other_price() -> None:
    lines = make_lines(50, 8)
    last_day = lines["invoiced_at"].dt.normalize() == lines["invoiced_at"].max().normalize()
    dearer = lines.assign(unit_price=lines["unit_price"].where(~last_day, lines["unit_price"] * 1.25))
    expected = build_features(dearer, HALF_LIFE_DAYS).lines.loc[last_day, list(PRICE_FEATURES)]
    now = build_features(lines, HALF_LIFE_DAYS).lines.loc[last_day]
    actual = reprice(now, math.log(1.25))
    np.testing.assert_allclose(actual[list(PRICE_FEATURES)], expected, atol=1e-6)
    assert actual["sku_mean"].equals(now["sku_mean"])


def test_an_unknown_sku_is_an_error_and_none_means_all() -> None:
    lines = make_lines(20, 1)
    assert len(select_sku(lines, "")) == 20
    assert set(select_sku(lines, "10003a")["sku"]) == {"10003A"}
    with pytest.raises(DataError, match=r"params.yaml: data.sku must be one of the 3 SKUs of the data, got '99'"):
        select_sku(lines, "99")


HASH = """
import hashlib, numpy as np
from support.tables import HALF_LIFE_DAYS, make_lines
from pricetrail.data.features import build_features
from pricetrail.base.parquet import table_to_bytes
table = build_features(make_lines(20_000, 1, days=300), HALF_LIFE_DAYS)
print(hashlib.md5(table_to_bytes(table.lines) + table_to_bytes(table.product_state)).hexdigest())
"""


def test_features_do_not_depend_on_the_cpus_kernels() -> None:
    """Law 1 also where a machine has AVX-512, with which numpy's logarithms differ in their last bits."""

    def hashed(**env: str) -> str:
        path = os.pathsep.join([str(SRC), str(ROOT / "tests")])
        command = [sys.executable, "-c", HASH]
        done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path, **env}, capture_output=True, check=True)
        return done.stdout.decode()

    assert hashed(NPY_ENABLE_CPU_FEATURES="X86_V3") == hashed()
