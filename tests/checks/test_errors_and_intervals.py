"""Errors, skill, intervals and fairness figures against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pricetrail.base.params_schema import Fairness, Gates
from pricetrail.checks.errors_and_intervals import errors, score, skill
from pricetrail.checks.fairness import compare_groups
from pricetrail.checks.gates import worst
from pricetrail.data.features import DAY, TARGET

GATES = Gates(min_skill=0.1, bootstrap_samples=200, confidence=0.95, overrides={})
FAIR = Fairness(columns=("registered",), intersections=False, metric="added_disparity", threshold=0.1, min_rows=2)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def table(truth: list[float], prediction: list[float], group: list[str], days: list[int] | None = None) -> pd.DataFrame:
    """Predictions as ``prediction_table`` writes them."""
    day = [pd.Timestamp("2011-11-01") + pd.Timedelta(days=d) for d in days or range(len(truth))]
    columns = {DAY: day, TARGET: truth, f"predicted_{TARGET}": prediction, "registered": group}
    return pd.DataFrame({**columns, f"baseline_{TARGET}": 2.0})


def test_errors_by_hand() -> None:
    """Truth 1 and 3 units, predicted 3 and 1: log errors are -ln 2 and ln 2, unit errors 2 and 2."""
    found = errors(np.log1p([1.0, 3.0]), np.log1p([3.0, 1.0]))
    assert found.rows == 2
    assert found.mse_log_quantity == pytest.approx(math.log(2) ** 2)
    assert found.rmsle == pytest.approx(math.log(2))
    assert found.mae_units == pytest.approx(2.0)


def test_a_prediction_below_zero_units_counts_as_zero_units() -> None:
    found = errors(np.log1p([1.0]), np.array([-1.0]))
    assert found.mae_units == 1.0
    assert found.rmsle == pytest.approx(math.log(2))


def test_skill_by_hand_and_its_interval() -> None:
    """Errors 0.25 a line against the baseline's 1: skill 0.75 on every resample, so the interval is a point."""
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    days = pd.Series(pd.date_range("2011-01-01", periods=4))
    found = skill(truth, truth + 0.5, truth - 1, days, 50, 0.9, rng())
    assert (found.value, found.low, found.high) == pytest.approx((0.75, 0.75, 0.75))


def test_intervals_resample_whole_days() -> None:
    """With all lines on one day, no resample differs from the data; with a day each, they do."""
    gen = np.random.default_rng(3)
    truth, noise = gen.normal(size=200), gen.normal(size=200)
    one_day = pd.Series([pd.Timestamp("2011-01-01")] * 200)
    own_day = pd.Series(pd.date_range("2011-01-01", periods=200))
    narrow = skill(truth, truth + noise, np.zeros(200), one_day, 100, 0.95, rng())
    wide = skill(truth, truth + noise, np.zeros(200), own_day, 100, 0.95, rng())
    assert narrow.low == pytest.approx(narrow.high)
    assert wide.low < wide.value < wide.high


def test_bootstrap_interval_is_near_the_normal_one() -> None:
    """Independent errors, so the standard error of the mean is known: sd / sqrt(n)."""
    gen = np.random.default_rng(4)
    squared = gen.uniform(0, 1, 2000)
    truth = np.zeros(2000)
    days = pd.Series(pd.date_range("2000-01-01", periods=2000))
    found = skill(truth, np.sqrt(squared), np.ones(2000), days, 500, 0.95, rng())
    half_width = 1.96 * squared.std() / math.sqrt(2000)
    assert found.high - found.low == pytest.approx(2 * half_width, rel=0.15)


def test_accuracy_fails_closed() -> None:
    assert score(table([1, 1, 3, 4], [1, 1, 3, 4], ["a"] * 4), GATES, rng()).verdict.passed
    worse = score(table([1, 2, 3, 4], [4, 3, 2, 1], ["a"] * 4), GATES, rng())
    assert not worse.verdict.passed
    constant = score(table([2, 2, 2, 2], [2, 2, 2, 2], ["a"] * 4), GATES, rng())
    assert not constant.verdict.passed, "no skill can be computed over a baseline without error"
    lucky = table([1, 1, 1, 9], [2, 2, 2, 9], ["a"] * 4)
    found = score(lucky, GATES, rng())
    assert found.skill.value > 0.9
    assert found.skill.low <= 0
    assert not found.verdict.passed
    assert "interval reaches down to" in found.verdict.reason


def test_fairness_figures_by_hand() -> None:
    """Guests: truth 1, predicted 1.5. Registered: truth 3, predicted 3.1. MODs 1.6 and 2; biases 0.5 and 0.1."""
    found = compare_groups(
        table([1, 1, 3, 3], [1.5, 1.5, 3.1, 3.1], ["guest", "guest", "registered", "registered"], [0, 1, 0, 1]),
        ("registered",),
        FAIR,
        GATES,
        rng(),
    )
    values = {name: figure.value for name, figure in found.figures.items()}
    assert values == pytest.approx(
        {"prediction_mod": 1.6, "truth_mod": 2.0, "added_disparity": 0.4, "mse_ratio": 0.25 / 0.01}
    )
    assert found.by_group.loc["guest", "rows"] == 2
    assert found.by_group.loc["guest", "bias"] == pytest.approx(0.5)
    assert not found.verdict.passed
    for name, figure in found.figures.items():
        assert (figure.low, figure.high) == pytest.approx((values[name], values[name])), "every day is the same"


def test_a_model_that_repeats_the_truth_adds_no_disparity() -> None:
    found = compare_groups(table([1, 1, 3, 3], [1, 1, 3, 3], ["a", "a", "b", "b"]), ("registered",), FAIR, GATES, rng())
    assert found.figures["added_disparity"].value == 0
    assert found.figures["truth_mod"].value == 2
    assert found.verdict.passed


def test_opposite_biases_add_up_instead_of_cancelling() -> None:
    """Prediction swaps the groups: both MODs are 2, so their difference is 0, yet each group is off by 2."""
    found = compare_groups(table([1, 1, 3, 3], [3, 3, 1, 1], ["a", "a", "b", "b"]), ("registered",), FAIR, GATES, rng())
    assert found.figures["prediction_mod"].value == found.figures["truth_mod"].value == 2
    assert found.figures["added_disparity"].value == 4


def test_small_and_missing_groups_fail_closed() -> None:
    small = compare_groups(table([1, 1, 3], [1, 1, 3], ["a", "a", "b"]), ("registered",), FAIR, GATES, rng())
    assert small.not_assessed == ("b",)
    assert not small.verdict.passed
    assert small.verdict.value is None
    single = compare_groups(table([1, 1], [1, 1], ["a", "a"]), ("registered",), FAIR, GATES, rng())
    assert not single.verdict.passed
    good = compare_groups(table([1, 1, 3, 3], [1, 1, 3, 3], ["a", "a", "b", "b"]), ("registered",), FAIR, GATES, rng())
    assert worst([good.verdict, small.verdict]) == small.verdict
