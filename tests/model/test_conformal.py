"""Conformal intervals against ranks counted by hand and the exact law of their coverage."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import betabinom  # type: ignore[import-untyped]

from pricetrail.base.errors import BundleError, DataError
from pricetrail.base.typed_json import record
from pricetrail.data.features import DAY, TARGET
from pricetrail.model.conformal import SMALLEST_CELL, Cell, Conformal, coverage, fit_conformal

Floats = NDArray[np.float64]
N = SMALLEST_CELL
STATE = Conformal(
    (0.8, 0.95), (2.0,), (Cell("guest", 0, 300, (0.1, 0.2)), Cell("guest", 1, 300, (0.5, 0.75))), (1.0, 1.5)
)


def fit(truth: Floats, prediction: Floats, groups: list[str] | None = None, **dials: object) -> Conformal:
    return fit_conformal(truth, prediction, groups or ["guest"] * len(truth), **dials)  # type: ignore[arg-type]


def shop(rows: int, seed: int) -> tuple[Floats, Floats, list[str]]:
    """Truth, prediction and group: registered customers buy more, and their errors are three times as wide."""
    gen = np.random.default_rng(seed)
    registered = gen.random(rows) < 0.5
    prediction = np.where(registered, 4.0, 2.0) + gen.uniform(-0.5, 0.5, rows)
    truth = prediction + gen.normal(0, np.where(registered, 0.3, 0.1))
    return truth, prediction, np.where(registered, "registered", "guest").tolist()


def predictions(days: list[str], truth: list[float], prediction: list[float], group: list[str]) -> pd.DataFrame:
    """Rows as ``prediction_table`` writes them."""
    columns = {DAY: pd.to_datetime(days), TARGET: truth, f"predicted_{TARGET}": prediction, "registered": group}
    return pd.DataFrame({**columns, "country_group": "home"})


@pytest.mark.parametrize(
    ("rows", "level", "rank"),
    [(19, 0.95, 19), (20, 0.95, 20), (39, 0.95, 38), (9, 0.8, 8), (10, 0.8, 9), (4, 0.8, 4), (99, 0.55, 55)],
)
def test_an_offsets_rank_counts_the_row_to_come(rows: int, level: float, rank: int) -> None:
    """Residuals 1, 2, … rows, in no order and of both signs: the k-th smallest is k itself."""
    residual = np.random.default_rng(rows).permutation(np.arange(1.0, rows + 1)) * np.where(np.arange(rows) % 2, 1, -1)
    assert fit(residual, np.zeros(rows), levels=(level,)).pooled == pytest.approx((rank,))


def test_cells_by_hand() -> None:
    """Two bins, each with residuals 0.001 … 0.200 (guests) and ten times these (registered): ranks 161 and 191."""
    residual = np.arange(1, N + 1) / 1000
    prediction = np.concatenate([np.full(2 * N, 2.0), np.full(2 * N, 5.0)])
    truth = prediction + np.tile(np.concatenate([residual, -10 * residual]), 2)
    found = fit(truth, prediction, (["guest"] * N + ["registered"] * N) * 2, bins=2)
    assert found.edges == (3.5,)
    assert [(cell.group, cell.bin, cell.rows) for cell in found.cells] == [
        ("guest", 0, N),
        ("guest", 1, N),
        ("registered", 0, N),
        ("registered", 1, N),
    ]
    for cell in found.cells:
        unit = 0.001 if cell.group == "guest" else 0.01
        assert cell.offsets == pytest.approx((161 * unit, 191 * unit))


def test_bounds_by_hand() -> None:
    """Offsets of a row's own cell; those of all rows for a group that calibration never saw."""
    low, high = STATE.bounds(np.array([1.5, 2.0, 3.0]), ["guest", "guest", "registered"])
    assert low == pytest.approx(np.array([[1.4, 1.3], [1.5, 1.25], [2.0, 1.5]]))
    assert high == pytest.approx(np.array([[1.6, 1.7], [2.5, 2.75], [4.0, 4.5]]))


def test_a_line_sells_a_unit_at_least() -> None:
    low, high = STATE.bounds(np.array([0.75, 0.0]), ["guest", "guest"])
    one_unit = math.log(2)
    assert low == pytest.approx(np.full((2, 2), one_unit))
    assert high == pytest.approx(np.array([[0.85, 0.95], [one_unit, one_unit]])), "never empty"
    assert low.max() <= np.float32(one_unit), "the truth comes from float32 columns"


def test_a_small_cell_uses_the_offsets_of_all_rows() -> None:
    truth, prediction, groups = shop(4 * N, seed=1)
    rare = (["rare"] * (N - 1)) + groups[N - 1 :]
    found = fit(truth, prediction, rare, bins=1)
    assert "rare" not in {cell.group for cell in found.cells}
    low, high = found.bounds(np.array([5.0]), ["rare"])
    assert (high - low)[0] / 2 == pytest.approx(found.pooled)
    enough = fit(truth, prediction, ["rare"] * N + groups[N:], bins=1)
    assert "rare" in {cell.group for cell in enough.cells}


def test_each_group_is_covered_though_their_errors_differ() -> None:
    """The point of cells: one offset for all would cover guests nearly always, and registered far too rarely."""
    found = fit(*shop(20_000, seed=2))
    truth, prediction, groups = shop(20_000, seed=3)
    low, high = found.bounds(prediction, groups)
    covered = (low <= truth[:, None]) & (truth[:, None] <= high)
    share = pd.DataFrame(covered).groupby(np.array(groups)).mean()
    assert share.to_numpy() == pytest.approx(np.array([[0.8, 0.95], [0.8, 0.95]]), abs=0.015)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(19, 400),
    shape=st.sampled_from(["normal", "standard_cauchy", "exponential"]),
)
def test_coverage_of_exchangeable_rows_keeps_its_exact_law(seed: int, rows: int, shape: str) -> None:
    """Whatever the errors, rows covered are beta-binomial (Angelopoulos & Bates 2021, sec. 3.2): rank, n + 1 - rank."""
    gen, fresh = np.random.default_rng(seed), 2000
    prediction = np.full(rows + fresh, 1e3)  # far above one unit, where bounds are cut
    truth = prediction + getattr(gen, shape)(size=rows + fresh)
    found = fit(truth[:rows], prediction[:rows], bins=1)
    low, high = found.bounds(prediction[rows:], ["guest"] * fresh)
    covered = ((low <= truth[rows:, None]) & (truth[rows:, None] <= high)).sum(axis=0)
    for level, count in zip(found.levels, covered, strict=True):
        rank = -(-(rows + 1) * round(100 * level) // 100)
        law = betabinom(fresh, rank, rows + 1 - rank)
        assert law.ppf(1e-6) <= count <= law.isf(1e-6)


@pytest.mark.parametrize("rows", [19, 50])
def test_mean_coverage_is_neither_below_nor_above_its_promise(rows: int) -> None:
    """Over many calibrations the mean is rank / (n + 1), here to three standard errors; n + 1 is what a plain
    quantile forgets, and at these rows that is 4 points."""
    gen, repeats = np.random.default_rng(rows), 2000
    truth = 1e3 + gen.normal(size=(repeats, rows + 50))
    flat = np.full(rows + 50, 1e3)
    share = np.empty((repeats, 2))
    for i in range(repeats):
        low, high = fit(truth[i, :rows], flat[:rows], bins=1).bounds(flat[rows:], ["guest"] * 50)
        new = truth[i, rows:, None]
        share[i] = ((low <= new) & (new <= high)).mean(axis=0)
    promised = np.array([-(-(rows + 1) * 80 // 100), -(-(rows + 1) * 95 // 100)]) / (rows + 1)
    assert share.mean(axis=0) == pytest.approx(promised, abs=3 * (share.std(axis=0) / math.sqrt(repeats)).max())


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(19, 1500), bins=st.integers(1, 6))
def test_levels_nest_and_calibration_rows_are_covered(seed: int, rows: int, bins: int) -> None:
    """Repeated residuals too, as whole units make them: the row that sets an offset is itself covered."""
    gen = np.random.default_rng(seed)
    prediction = gen.uniform(1, 6, rows).round(1)
    truth = np.log1p(gen.integers(1, 12, rows)).astype(np.float32).astype(np.float64)
    groups = gen.choice(["guest", "registered"], rows).tolist()
    found = fit(truth, prediction, groups, bins=bins)
    low, high = found.bounds(prediction, groups)
    assert (low[:, 1] <= low[:, 0]).all()
    assert (low[:, 0] <= high[:, 0]).all()
    assert (high[:, 0] <= high[:, 1]).all()
    covered = pd.DataFrame((low <= truth[:, None]) & (truth[:, None] <= high))
    cells = np.searchsorted(found.edges, prediction, side="right")
    for cell in found.cells:
        inside = (np.array(groups) == cell.group) & (cells == cell.bin)
        assert (covered[inside].mean() >= np.array(found.levels)).all()


def test_rounding_loses_no_row_that_sets_an_offset() -> None:
    """Four equal rows are their own offset; prediction + |truth - prediction| is a last bit off in one of a few."""
    gen = np.random.default_rng(9)
    for truth, prediction in zip(gen.uniform(5, 9, 100), gen.uniform(0.7, 2, 100), strict=True):
        rows = np.full(4, prediction)
        low, high = fit(np.full(4, truth), rows, levels=(0.8,)).bounds(rows, ["guest"] * 4)
        assert (low <= truth).all()
        assert (truth <= high).all()


def test_later_rows_change_nothing() -> None:
    """Law 2: what is calibrated on the validation days, and each row's bounds, do not look at any other row."""
    truth, prediction, groups = shop(3000, seed=4)
    past = slice(0, 2000)
    found = fit(truth[past], prediction[past], groups[past])
    low, high = found.bounds(prediction, groups)
    other = np.concatenate([prediction[past], prediction[2000:] * 3 + 1])
    assert fit(truth[past], other[past], groups[past]) == found
    again = found.bounds(other, groups)
    assert np.array_equal(again[0][past], low[past])
    assert np.array_equal(again[1][past], high[past])
    one_by_one = [found.bounds(prediction[i : i + 1], groups[i : i + 1]) for i in range(50)]
    assert np.array_equal(np.concatenate([one[0] for one in one_by_one]), low[:50])


def test_state_goes_through_json_and_back() -> None:
    found = fit(*shop(2000, seed=5))
    text = json.dumps(record(found))
    again = Conformal.from_record(json.loads(text))
    assert again == found
    assert json.dumps(record(again)) == text
    shuffled = np.random.default_rng(6).permutation(2000)
    truth, prediction, groups = shop(2000, seed=5)
    assert fit(truth[shuffled], prediction[shuffled], np.array(groups)[shuffled].tolist()) == found


@pytest.mark.parametrize(
    "damage",
    [
        {"pooled": [1.0]},
        {"pooled": [2.0, 1.0]},
        {"pooled": [-1.0, 1.0]},
        {"pooled": [1.0, float("nan")]},
        {"pooled": [1.0, float("inf")]},
        {"pooled": ["1", 2]},
        {"levels": [0.95, 0.8]},
        {"levels": [0.8, 1.0]},
        {"levels": []},
        {"edges": [2.0, 2.0]},
        {"edges": []},
        {"edges": None},
        {"cells": [{"group": "guest", "bin": 2, "rows": 300, "offsets": [1, 2]}]},
        {"cells": [{"group": "guest", "bin": 0, "rows": 300, "offsets": [1, float("inf")]}]},
    ],
)
def test_a_damaged_state_is_refused(damage: dict[str, object]) -> None:
    tree = json.loads(json.dumps(dataclasses.asdict(STATE)))
    assert Conformal.from_record(tree) == STATE
    with pytest.raises(BundleError, match=r"model\.json: must hold calibrated intervals: "):
        Conformal.from_record({**tree, **damage})
    with pytest.raises(BundleError):
        Conformal.from_record({name: value for name, value in tree.items() if name not in damage})


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_fails_closed(bad: float) -> None:
    truth, prediction, groups = shop(300, seed=7)
    spoiled = np.where(np.arange(300) == 7, bad, truth)
    with pytest.raises(DataError, match="validation rows: must be finite"):
        fit(spoiled, prediction, groups)
    with pytest.raises(DataError, match="validation rows: must be finite"):
        fit(truth, spoiled, groups)
    with pytest.raises(DataError, match="predictions: must be finite"):
        STATE.bounds(spoiled, groups)
    table = predictions(["2011-12-01"], [bad], [1.0], ["guest"])
    with pytest.raises(DataError, match="predictions: must be finite"):
        coverage(STATE, table, 20, 0.9, np.random.default_rng(0))
    with pytest.raises(DataError, match="must hold rows"):
        coverage(STATE, table.head(0), 20, 0.9, np.random.default_rng(0))


def test_too_few_rows_fail_closed() -> None:
    """With 18 rows, no residual is rare enough for 95%: the rank would be 19."""
    truth, prediction, groups = shop(18, seed=8)
    with pytest.raises(DataError, match=r"validation rows: must be at least 19 to calibrate 0\.95 intervals, got 18"):
        fit(truth, prediction, groups)
    assert fit(truth, prediction, groups, levels=(0.8,)).levels == (0.8,)


def test_coverage_by_hand() -> None:
    """Guests below 2: offsets 0.1 and 0.2. Errors 0, 0.15, 0.3 in November; 0, 0 in December, one by pooled offsets."""
    days = ["2011-11-29", "2011-11-29", "2011-11-30", "2011-12-01", "2011-12-01"]
    table = predictions(days, [1.5, 1.65, 1.2, 1.5, 3.0], [1.5, 1.5, 1.5, 1.5, 3.0], ["guest"] * 4 + ["registered"])
    found = coverage(STATE, table, 50, 0.9, np.random.default_rng(0))
    assert [found.interval_80.coverage, found.interval_95.coverage] == pytest.approx([0.6, 0.8])
    rows = {(row.column, row.group): dataclasses.asdict(row) for row in found.groups}
    assert list(rows) == [
        ("overall", "all"),
        ("month", "2011-11"),
        ("month", "2011-12"),
        ("registered", "guest"),
        ("registered", "registered"),
    ], "all lines are at home: that group would be the first row again"
    names = ("rows", "coverage_80", "mean_width_80", "coverage_95", "mean_width_95")
    by_hand = {
        ("overall", "all"): (5, 0.6, (4 * 0.2 + 2) / 5, 0.8, (4 * 0.4 + 3) / 5),
        ("month", "2011-11"): (3, 1 / 3, 0.2, 2 / 3, 0.4),
        ("month", "2011-12"): (2, 1, 1.1, 1, 1.7),
        ("registered", "guest"): (4, 0.5, 0.2, 0.75, 0.4),
        ("registered", "registered"): (1, 1, 2, 1, 3),
    }
    for key, figures in by_hand.items():
        assert [rows[key][name] for name in names] == pytest.approx(figures), key
    assert found.interval_95.mean_width_log_quantity == pytest.approx(0.92)


def test_the_interval_of_coverage_resamples_whole_days() -> None:
    """Half of the rows covered: on one day always half; by day all or none, with the standard error of 40 days."""
    truth, even = [1.5, 2.5] * 40, ["guest"] * 80
    days = pd.date_range("2011-11-01", periods=40).astype(str).tolist()
    one = coverage(STATE, predictions(days[:1] * 80, truth, [1.5] * 80, even), 100, 0.9, np.random.default_rng(0))
    assert (one.interval_80.coverage_low, one.interval_80.coverage_high) == pytest.approx((0.5, 0.5))
    by_day = predictions(sorted(days * 2), sorted(truth), [1.5] * 80, even)
    found = coverage(STATE, by_day, 1000, 0.9, np.random.default_rng(0)).interval_80
    error = 1.645 * 0.5 / math.sqrt(40)
    assert (found.coverage_low, found.coverage_high) == pytest.approx((0.5 - error, 0.5 + error), abs=0.03)
