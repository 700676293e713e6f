"""Model drift against hand-computed ratios: constant errors give an exact interval, and no figure has drifted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pricetrail.base.files import read_params
from pricetrail.checks.errors_and_intervals import error_ratio
from pricetrail.checks.model_drift import check_model_drift
from pricetrail.checks.results import ModelDriftResult
from pricetrail.data.features import DAY, TARGET
from support.source_tree import ROOT

PARAMS = read_params(ROOT / "params.yaml")
DRIFT = PARAMS.drift.model_copy(update={"current_days": 10, "max_error_growth": 0.1})


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def rows(first_day: str, days: int, off: float, seed: int) -> pd.DataFrame:
    """Five rows a day, each predicted too low by ``off``."""
    truth = np.random.default_rng(seed).normal(2, 1, 5 * days)
    day = np.repeat(pd.date_range(first_day, periods=days), 5)
    return pd.DataFrame({DAY: day, TARGET: truth, f"predicted_{TARGET}": truth - off})


def check(validation: pd.DataFrame, test: pd.DataFrame) -> ModelDriftResult:
    predicted = validation[f"predicted_{TARGET}"].to_numpy()
    return check_model_drift(validation, predicted, test, DRIFT, PARAMS.gates, rng())


@pytest.mark.parametrize(("off", "ratio", "drifted"), [(0.5, 1.0, False), (0.52, 1.0816, False), (0.6, 1.44, True)])
def test_constant_errors_give_their_ratio_without_width(off: float, ratio: float, drifted: bool) -> None:
    found = check(rows("2011-09-01", 20, 0.5, 1), rows("2011-10-01", 15, off, 2))
    assert (found.validation_mse_log_quantity, found.current_mse_log_quantity) == pytest.approx((0.25, off**2))
    assert (found.error_ratio, *found.error_ratio_interval) == pytest.approx((ratio, ratio, ratio))
    assert found.drifted is drifted


def test_only_the_last_days_of_the_test_count() -> None:
    test = pd.concat([rows("2011-10-01", 20, 3.0, 1), rows("2011-10-21", 10, 0.5, 2)])
    found = check(rows("2011-09-01", 20, 0.5, 3), test)
    assert found.current_rows == 50
    assert found.validation_rows == 100
    assert found.error_ratio == pytest.approx(1.0), "the days before the window are wrong by 3, and none of them counts"
    assert found.current_days == ("2011-10-21", "2011-10-30")


@pytest.mark.parametrize(("days_now", "days_before"), [(12, 25), (40, 8)])
def test_the_interval_is_that_of_two_day_bootstraps(days_now: int, days_before: int) -> None:
    """Of ratios drawn by hand: whole days with replacement, numerator and denominator each for itself."""
    draw, samples = np.random.default_rng(11), 4000
    now = {day: draw.gamma(2.0, size=draw.integers(1, 40)) * (1 + day % 3) for day in range(days_now)}
    before = {day: draw.gamma(2.0, size=draw.integers(1, 40)) * (1 + day % 4) for day in range(days_before)}

    def table(errors: dict[int, np.ndarray]) -> tuple[np.ndarray, pd.Series]:
        days = np.repeat(list(errors), [len(values) for values in errors.values()])
        return np.concatenate(list(errors.values())), pd.Series(pd.Timestamp("2011-01-01") + pd.to_timedelta(days, "D"))

    def resampled(errors: dict[int, np.ndarray]) -> float:
        chosen = draw.choice(list(errors), len(errors))
        return float(np.concatenate([errors[day] for day in chosen]).mean())

    found = error_ratio(*table(now), *table(before), samples, 0.9, rng())
    by_hand = np.quantile([resampled(now) / resampled(before) for _ in range(samples)], [0.05, 0.95])
    assert found.value == pytest.approx(table(now)[0].mean() / table(before)[0].mean())
    assert (found.low, found.high) == pytest.approx(tuple(by_hand), rel=0.03)
    assert by_hand[1] - by_hand[0] > 0.3, "3% of the ends is little beside the width"


def test_the_bootstraps_are_independent() -> None:
    """The same rows twice: days drawn together would give a ratio of 1 without width."""
    draw = np.random.default_rng(5)
    days = pd.Series(np.repeat(pd.date_range("2011-01-01", periods=10), 4))
    values = np.repeat(draw.gamma(1.0, size=10), 4)
    found = error_ratio(values, days, values, days, 500, 0.95, rng())
    assert found.value == pytest.approx(1)
    assert found.low < 0.8
    assert found.high > 1.25


def test_a_growth_that_may_be_chance_is_no_drift() -> None:
    quiet = rows("2011-09-01", 20, 0.5, 1)
    test = pd.concat([rows("2011-10-01", 9, 0.5, 2), rows("2011-10-10", 1, 1.5, 3)])
    found = check(quiet, test)
    assert found.error_ratio == pytest.approx((9 * 0.25 + 2.25) / 10 / 0.25)
    assert found.error_ratio > 1.1
    assert found.error_ratio_interval[0] <= 1.1
    assert not found.drifted


def test_what_cannot_be_computed_has_drifted() -> None:
    for off in (0.0, 0.5):
        found = check(rows("2011-09-01", 20, 0.0, 1), rows("2011-10-01", 15, off, 2))
        assert found.error_ratio is None
        assert found.drifted
        assert "could not be computed" in found.reasons[0]
