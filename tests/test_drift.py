"""Drift against SciPy's distances; no drift on equal windows; what cannot be computed has failed."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from house import ROOT
from pricetrail.drift import (
    CATEGORICAL_COLUMNS,
    LEFT_OUT,
    NUMERIC_COLUMNS,
    Windows,
    check_drift,
    find_windows,
    without_random_ids,
)
from pricetrail.features import COUNT_FEATURES, DAY, FEATURE_UNITS, TARGET, TIME_FEATURES
from pricetrail.files import read_params
from pricetrail.splits import Boundaries

DIALS = read_params(ROOT / "params.yaml").drift.model_copy(update={"max_rows": 100_000})
NAMES = [*NUMERIC_COLUMNS, *CATEGORICAL_COLUMNS]


def window(size: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(size, len(NUMERIC_COLUMNS))), columns=list(NUMERIC_COLUMNS))
    countries = rng.choice(["United Kingdom", "France"], size, p=[0.9, 0.1])
    return table.assign(registered=rng.choice([0.0, 1.0], size, p=[0.25, 0.75]), country=countries)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_input_is_checked_or_left_out_by_name() -> None:
    assert {*NAMES} | LEFT_OUT == {*FEATURE_UNITS, "country", TARGET}
    assert not {*NAMES} & LEFT_OUT
    assert {*TIME_FEATURES, *COUNT_FEATURES} <= LEFT_OUT


def test_figures_are_scipys_distances() -> None:
    reference, current = window(3000, 1), window(3000, 2)
    current = current.assign(log_unit_price=current["log_unit_price"] * 1.5 + 0.4, country="France")
    report = check_drift(Windows(reference, current), DIALS, rng())
    found = {column.column: column for column in report.columns}
    before, after = reference["log_unit_price"], current["log_unit_price"]
    assert found["log_unit_price"].distance == pytest.approx(
        wasserstein_distance(before, after) / before.std(ddof=0), rel=1e-3
    )
    shares = reference["country"].value_counts(normalize=True)
    expected = jensenshannon([shares["France"], shares["United Kingdom"]], [1.0, 0.0])
    assert found["country"].distance == pytest.approx(expected, rel=1e-6)
    assert {name for name, column in found.items() if column.drifted} == {"log_unit_price", "country"}
    inputs = len(NAMES) - 1
    assert report.input_share == pytest.approx(2 / inputs)
    assert report.verdict.passed
    assert report.target is not None
    assert not report.target.drifted


def test_a_drifted_target_is_told_and_does_not_close_the_gate() -> None:
    current = window(1000, 2)
    report = check_drift(Windows(window(1000, 1), current.assign(**{TARGET: current[TARGET] + 3})), DIALS, rng())
    assert report.target is not None
    assert report.target.drifted
    assert report.input_share == 0
    assert report.verdict.passed


def test_too_many_drifted_columns_fail_the_verdict() -> None:
    current = window(1000, 2)
    report = check_drift(
        Windows(window(1000, 1), current.assign(**{n: current[n] + 3 for n in NUMERIC_COLUMNS})), DIALS, rng()
    )
    assert not report.verdict.passed
    assert report.verdict.value == report.input_share > DIALS.max_share


def test_a_column_without_values_and_an_empty_window_fail_closed() -> None:
    blank = window(500, 2).assign(sku_mean=np.nan)
    report = check_drift(Windows(window(500, 1), blank), DIALS, rng())
    column = next(c for c in report.columns if c.column == "sku_mean")
    assert column.drifted
    assert math.isnan(column.distance)
    empty = check_drift(Windows(window(500, 1).iloc[:0], blank), DIALS, rng())
    assert not empty.verdict.passed
    assert empty.verdict.value is None


def test_a_columns_own_threshold_wins() -> None:
    current = window(2000, 2)
    shifted = Windows(window(2000, 1), current.assign(sku_mean=current["sku_mean"] + 0.3))
    own = DIALS.model_copy(update={"thresholds": {"sku_mean": 0.5}})
    drifted = [{c.column for c in check_drift(shifted, dials, rng()).columns if c.drifted} for dials in (DIALS, own)]
    assert drifted == [{"sku_mean"}, set()]


def test_windows_never_share_a_day() -> None:
    days = pd.DataFrame({DAY: pd.date_range("2011-01-01", periods=30)})
    boundaries = Boundaries(pd.Timestamp("2011-01-20"), pd.Timestamp("2011-01-25"))
    short = find_windows(days, boundaries, current_days=5)
    assert (short.reference[DAY].max(), short.current[DAY].min()) == (
        pd.Timestamp("2011-01-19"),
        pd.Timestamp("2011-01-26"),
    )
    long = find_windows(days, boundaries, current_days=20)
    assert (long.reference[DAY].max(), long.current[DAY].min()) == (
        pd.Timestamp("2011-01-10"),
        pd.Timestamp("2011-01-11"),
    )
    assert find_windows(days, boundaries, current_days=99).reference.empty


def test_the_page_repeats_and_needs_no_network() -> None:
    pages = [check_drift(Windows(window(300, 1), window(300, 2)), DIALS, rng()).html for _ in range(2)]
    assert pages[0] == pages[1]
    assert 'src="http' not in pages[0]
    a, b = "0190c0de-aaaa-7bbb-8ccc-0123456789ab", "f5c0e19bc6b442409e528b7e04c1043b"
    numbered = without_random_ids(f"{a} {b} {a}").split()
    assert numbered[0] == numbered[2] != numbered[1]
    assert a not in numbered
