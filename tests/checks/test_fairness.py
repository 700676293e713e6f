"""Errors by group and differences between groups against scikit-learn, fairlearn and numbers worked out by hand."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, mean_prediction
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, mean_squared_error, mean_squared_log_error

from pricetrail.base.errors import DataError
from pricetrail.base.files import csv_bytes, write_json
from pricetrail.base.params_schema import Fairness, Gates
from pricetrail.base.typed_json import record
from pricetrail.checks.fairness import FairnessReport, GroupFigures, assess_fairness, compare_groups
from pricetrail.checks.gates import require_sound
from pricetrail.checks.group_errors import group_errors
from pricetrail.data.features import DAY, TARGET

GATES = Gates(min_skill=0.1, bootstrap_samples=60, confidence=0.9, overrides={})
COLUMNS = ("registered", "country_group")


def dials(**changes: Any) -> Fairness:
    shipped: dict[str, Any] = {"metric": "added_disparity", "threshold": 0.1, "min_rows": 2, "intersections": True}
    return Fairness(**{"columns": COLUMNS, **shipped, **changes})


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def shop(seed: int = 1, rows: int = 400, days: int = 12) -> pd.DataFrame:
    """Predictions with two sensitive columns; the model is off by another amount in each cell."""
    gen = np.random.default_rng(seed)
    registered = gen.choice(["guest", "registered"], rows, p=[0.3, 0.7])
    country_group = gen.choice(["home", "abroad"], rows, p=[0.8, 0.2])
    truth = np.log1p(gen.integers(1, 30, rows)) + (registered == "registered")
    off = 0.2 * (registered == "guest") + 0.3 * (country_group == "abroad")
    return pd.DataFrame(
        {
            DAY: pd.Timestamp("2011-11-01") + pd.to_timedelta(np.sort(gen.integers(0, days, rows)), unit="D"),
            TARGET: truth,
            f"predicted_{TARGET}": truth + off + gen.normal(0, 0.4, rows) - 0.4 * (gen.random(rows) < 0.02),
            "registered": registered,
            "country_group": country_group,
        }
    )


def assess(predictions: pd.DataFrame, earlier: pd.DataFrame | None = None, **changes: Any) -> FairnessReport:
    before = predictions if earlier is None else earlier
    return assess_fairness(predictions, before, dials(**changes), GATES, seed=7)


def cells(report: FairnessReport) -> GroupFigures:
    (found,) = report.intersections
    return found


def split(predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return predictions[TARGET].to_numpy(), predictions[f"predicted_{TARGET}"].to_numpy()


def test_errors_of_every_group_are_those_of_its_rows_alone() -> None:
    """scikit-learn on each subset; units are whole, so RMSLE of units is the root of the MSE of log1p(units)."""
    predictions = shop()
    table = group_errors(predictions, COLUMNS, GATES, rng()).by_group
    assert len(table) == 4
    for (registered, country_group), rows in predictions.groupby(list(COLUMNS)):
        truth, predicted = split(rows)
        found = table.loc[f"{registered} & {country_group}"]
        assert found["rows"] == len(rows)
        assert found["days"] == rows[DAY].nunique()
        assert found["mse"] == pytest.approx(mean_squared_error(truth, predicted))
        assert found["mae"] == pytest.approx(mean_absolute_error(truth, predicted))
        sold, told = np.exp(truth) - 1, np.clip(np.exp(predicted) - 1, 0, None)
        assert found["mae_units"] == pytest.approx(np.abs(sold - told).mean())
        assert found["rmsle"] == pytest.approx(math.sqrt(mean_squared_log_error(sold, told)))
        assert found["bias"] == pytest.approx(np.mean(predicted - truth))
        assert found["mean_truth"] == pytest.approx(truth.mean())
        assert found["mean_prediction"] == pytest.approx(predicted.mean())


def test_differences_are_those_of_fairlearn() -> None:
    predictions = shop()
    truth, predicted = split(predictions)
    report = assess(predictions)
    for entry in (*report.columns, cells(report)):
        frame = MetricFrame(
            metrics={"mod": mean_prediction, "mse": mean_squared_error, "bias": lambda y, p: np.mean(p - y)},
            y_true=truth,
            y_pred=predicted,
            sensitive_features=predictions[entry.column.split(" & ")],
        )
        difference, ratio = frame.difference(method="between_groups"), frame.ratio(method="between_groups")
        assert entry.figures["prediction_mod"].value == pytest.approx(difference["mod"])
        assert entry.figures["added_disparity"].value == pytest.approx(difference["bias"])
        assert entry.figures["mse_ratio"].value == pytest.approx(1 / ratio["mse"])
        truths = predictions.groupby(entry.column.split(" & "))[TARGET].mean()
        assert entry.figures["truth_mod"].value == pytest.approx(truths.max() - truths.min())


def test_the_interval_of_a_group_is_that_of_its_mean_over_days() -> None:
    """Each day has one error, so the bootstrap is of the mean of independent numbers: sd / sqrt(days)."""
    gen = np.random.default_rng(5)
    off = gen.normal(0, 1, 600)
    predictions = pd.DataFrame(
        {
            DAY: pd.date_range("2010-01-01", periods=600).repeat(2),
            TARGET: 2.0,
            f"predicted_{TARGET}": 2.0 + np.stack([off, 0 * off], axis=1).ravel(),
            "registered": ["guest", "registered"] * 600,
        }
    )
    many = GATES.model_copy(update={"bootstrap_samples": 500, "confidence": 0.95})
    found = group_errors(predictions, ("registered",), many, rng()).by_group.loc["guest"]
    for name, values in (("bias", off), ("mse", off**2)):
        half = 1.96 * values.std() / math.sqrt(600)
        assert found[f"{name}_low"] == pytest.approx(found[name] - half, abs=0.2 * half)
        assert found[f"{name}_high"] == pytest.approx(found[name] + half, abs=0.2 * half)


def test_a_differences_interval_holds_it_and_may_pass_zero() -> None:
    """Two groups of the same errors: the difference is chance, and the interval says so."""
    predictions = shop(rows=4000, days=40)
    gen = np.random.default_rng(2)
    predictions[f"predicted_{TARGET}"] = predictions[TARGET] + gen.normal(0, 0.4, len(predictions))
    for entry in assess(predictions).columns:
        for name in ("added_disparity", "mse_ratio"):
            figure = entry.figures[name]
            assert figure.low < figure.value < figure.high
            assert figure.low < (1 if name == "mse_ratio" else 0)
            assert {figure.highest, figure.lowest} == set(entry.by_group.index)


def test_a_group_of_one_day_has_no_interval() -> None:
    predictions = shop()
    predictions.loc[predictions["registered"] == "guest", DAY] = pd.Timestamp("2011-11-03")
    found = group_errors(predictions, ("registered",), GATES, rng()).by_group
    assert found.loc["guest", "days"] == 1
    assert found.loc["guest", ["mse_low", "mse_high", "bias_low", "bias_high"]].isna().all()
    assert found.loc["registered"].notna().all()


def test_resamples_without_a_group_are_left_out_of_its_interval() -> None:
    """Guests buy on two days of twelve, so that about one resample in nine has none of them."""
    predictions = shop()
    early = predictions[DAY] < pd.Timestamp("2011-11-03")
    predictions = predictions[early | (predictions["registered"] != "guest")]
    found = group_errors(predictions, ("registered",), GATES, rng())
    sample = found.resampled["bias"][:, found.by_group.index.get_loc("guest")]
    assert 0 < np.isnan(sample).sum() < len(sample) / 2
    truth, predicted = split(predictions[predictions["registered"] == "guest"])
    daily = pd.Series(predicted - truth).groupby((predictions[predictions["registered"] == "guest"][DAY]).to_numpy())
    low, high = found.by_group.loc["guest", ["bias_low", "bias_high"]]
    assert (low, high) == pytest.approx((daily.mean().min(), daily.mean().max())), "one day alone, or the other"


@settings(max_examples=15)  # each bootstraps
@given(seed=st.integers(0, 1000), order=st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_groups_change_nothing(seed: int, order: Any) -> None:
    predictions = shop(seed, rows=60, days=5)
    places = list(range(len(predictions)))
    order.shuffle(places)
    other = predictions.iloc[places].assign(registered=lambda rows: rows["registered"].map({"guest": "z"}).fillna("b"))
    found = [assess(table, intersections=False).columns for table in (predictions, other)]
    for old, new in zip(*found, strict=True):
        for name, figure in old.figures.items():
            again = new.figures[name]
            assert (again.value, again.low, again.high) == pytest.approx((figure.value, figure.low, figure.high))


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), apart=st.floats(0.01, 3))
def test_swapped_groups_are_found_though_both_mods_stay(seed: int, apart: float) -> None:
    """A model that takes guests for registered and the other way round: MODs equal, added disparity twice the MOD."""
    gen = np.random.default_rng(seed)
    truth = np.concatenate([np.full(20, 2.0), np.full(20, 2.0 + apart)]) + np.tile(gen.normal(0, 1, 20), 2)
    predictions = pd.DataFrame(
        {
            DAY: np.tile(pd.date_range("2011-11-01", periods=20), 2),
            TARGET: truth,
            f"predicted_{TARGET}": np.roll(truth, 20),
            "registered": ["guest"] * 20 + ["registered"] * 20,
        }
    )
    figures = compare_groups(predictions, ("registered",), dials(), GATES, rng()).figures
    assert figures["prediction_mod"].value == pytest.approx(apart)
    assert figures["truth_mod"].value == pytest.approx(apart)
    assert figures["added_disparity"].value == pytest.approx(2 * apart)
    honest = predictions.assign(**{f"predicted_{TARGET}": truth})
    assert compare_groups(honest, ("registered",), dials(), GATES, rng()).figures["added_disparity"].value == 0


@pytest.mark.parametrize("unknown", [None, np.nan, pd.NA])
def test_rows_of_an_unknown_group_are_a_group_and_never_fair(unknown: object) -> None:
    """fairlearn itself refuses them. Here their errors are in the figures, and too few of them close the gate."""
    predictions = shop()
    predictions[f"predicted_{TARGET}"] = predictions[TARGET]
    lost = predictions.index[:50]
    predictions["registered"] = predictions["registered"].astype(object)
    predictions.loc[lost, "registered"] = unknown
    predictions.loc[lost, f"predicted_{TARGET}"] += 1
    with pytest.raises(ValueError, match="missing"):
        MetricFrame(
            metrics=mean_squared_error,
            y_true=predictions[TARGET],
            y_pred=predictions[TARGET],
            sensitive_features=predictions["registered"],
        )
    found = compare_groups(predictions, ("registered",), dials(), GATES, rng())
    assert found.by_group["rows"].sum() == len(predictions)
    assert found.by_group.loc["missing", "rows"] == 50
    assert found.worst_group == "missing"
    assert found.figures["added_disparity"].value == pytest.approx(1)
    assert not found.verdict.passed
    assert compare_groups(predictions, ("registered",), dials(min_rows=50), GATES, rng()).not_assessed == ()
    closed = compare_groups(predictions, ("registered",), dials(threshold=9.0, min_rows=51), GATES, rng())
    assert closed.not_assessed == ("missing",)
    assert not closed.verdict.passed
    assert closed.verdict.value is None


def test_only_assessed_groups_compare_and_none_is_not_zero() -> None:
    predictions = shop()
    predictions["registered"] = np.where(np.arange(len(predictions)) < 3, "few", predictions["registered"])
    predictions.loc[:2, f"predicted_{TARGET}"] += 50
    found = compare_groups(predictions, ("registered",), dials(min_rows=10), GATES, rng())
    assert found.by_group.loc["few", "mse"] > 2000
    assert found.figures["added_disparity"].value < 1
    assert found.worst_group != "few"
    assert not found.verdict.passed
    single = compare_groups(predictions.assign(registered="guest"), ("registered",), dials(), GATES, rng())
    assert all(figure.value is None for figure in single.figures.values())
    assert "one group only" in single.verdict.reason


def one_group(rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """The same shop, in which these columns have one group."""
    return rows.assign(country="France", **dict.fromkeys(columns, "home")).replace({"registered": {"home": "guest"}})


def test_a_shop_of_one_group_is_not_assessed_and_may_pass() -> None:
    """No customers in any day: the other column decides alone, as it does where it alone is asked for."""
    report = assess(one_group(shop(), "registered"), threshold=0.5)
    alone = assess(shop(), columns=("country_group",), threshold=0.5)
    assert report.intersections == (), "its cells are the groups of the other column"
    assert report.verdict.value == alone.verdict.value
    assert report.verdict.reason == f"{alone.verdict.reason}; not assessed: no line has a customer"
    found = report.result().columns[0]
    assert (found.passed, found.has_object, found.reason) == (True, False, "no line has a customer")
    assert set(found.groups) == {"guest"}, "its errors are told"
    closed = assess(one_group(shop(), "registered"), threshold=0.1)
    assert not closed.verdict.passed, "what the shop has is held as ever"


def test_a_shop_with_no_groups_at_all_has_nothing_to_assess() -> None:
    report = assess(one_group(shop(), *COLUMNS), columns=(*COLUMNS, "country"), metric="mse_ratio")
    assert report.verdict.passed
    require_sound(report.verdict, "metrics/fairness.json", "fairness")
    words = "no line has a customer; all lines are of one country, France; all lines are of one country, France"
    assert report.verdict.reason == f"nothing to assess: {words}"
    assert report.verdict.word == "nothing to assess"
    assert report.worst_group is None
    assert not report.plot_rows()["assessed"].any()


@pytest.mark.parametrize("column", COLUMNS)
def test_a_group_that_was_there_and_is_lost_fails_closed(column: str) -> None:
    """The test days of a shop of one group, behind days that had two: one line of it is enough."""
    now = one_group(shop(), *COLUMNS)
    before = now.copy()
    before.loc[0, column] = "lost"
    report = assess(now, earlier=before)
    assert not report.verdict.passed
    assert report.verdict.value is None
    assert "no line of lost in the test days, which the days before have" in report.verdict.reason
    lost = next(entry for entry in report.columns if entry.column == column)
    assert lost.result().has_object


def test_a_new_group_is_compared_and_a_small_one_fails_closed() -> None:
    """Days before had guests alone; the test days have both, or three registered lines."""
    before = one_group(shop(), "registered")
    assert cells(assess(shop(), earlier=before)).column == "registered & country_group"
    few = before.assign(registered=np.where(np.arange(400) < 3, "registered", "guest"))
    assert not assess(few, earlier=before, min_rows=10, threshold=9.0).verdict.passed


def test_a_small_cell_is_named_and_only_the_others_are_held() -> None:
    """Guests abroad: three rows, far off. Their column's groups are large enough, and they are in those."""
    predictions = shop()
    few = (predictions["registered"] == "guest") & (predictions["country_group"] == "abroad")
    predictions = pd.concat([predictions[~few], predictions[few].head(3)])
    predictions[f"predicted_{TARGET}"] = predictions[TARGET] + 9 * few.loc[predictions.index]
    report = assess(predictions, min_rows=10, threshold=0.5)
    found = cells(report)
    assert found.not_assessed == ("guest & abroad",)
    assert found.by_group.loc["guest & abroad", "bias"] == pytest.approx(9)
    assert found.figures["added_disparity"].value == pytest.approx(0, abs=1e-12)
    assert found.verdict.passed
    assert report.verdict.reason.endswith("; not assessed: guest & abroad (3 rows)")
    assert report.columns[0].figures["added_disparity"].value > 0.2, "the groups of a column hold every row"
    none_left = cells(assess(predictions, min_rows=len(predictions)))
    assert not none_left.verdict.passed
    assert none_left.verdict.value is None
    assert "fewer than two cells have fairness.min_rows" in none_left.verdict.reason


def test_a_reason_names_the_first_of_many_small_cells() -> None:
    predictions = shop()
    predictions["country"] = [f"land {i % 20:02d}" for i in range(len(predictions))]
    report = assess(predictions, columns=("registered", "country"), min_rows=15)
    small = cells(report).not_assessed
    assert len(small) > 4
    rows = predictions.groupby(["registered", "country"]).size()
    first = ", ".join(f"{name} ({rows[tuple(name.split(' & '))]} rows)" for name in small[:3])
    assert report.verdict.reason.endswith(f"; not assessed: {first} and {len(small) - 3} more")


def test_cells_find_what_no_column_shows() -> None:
    """+1 where both or neither hold, -1 elsewhere: each column's groups have no bias, its cells are 2 apart."""
    cell = [(r, c) for r in ("guest", "registered") for c in ("home", "abroad")]
    sign = [1.0, -1.0, -1.0, 1.0]
    rows = [(day, r, c, s) for day in range(10) for (r, c), s in zip(cell, sign, strict=True)]
    predictions = pd.DataFrame(rows, columns=[DAY, *COLUMNS, f"predicted_{TARGET}"]).assign(**{TARGET: 0.0})
    predictions[DAY] = pd.Timestamp("2011-11-01") + pd.to_timedelta(predictions[DAY], unit="D")
    report = assess(predictions)
    assert all(column.verdict.passed for column in report.columns)
    assert cells(report).figures["added_disparity"].value == 2
    assert not report.verdict.passed
    assert "registered & country_group" in report.verdict.reason
    assert assess(predictions, intersections=False).verdict.passed
    assert assess(predictions, intersections=False).intersections == ()


def test_an_interval_above_the_threshold_closes_the_gate() -> None:
    found = cells(assess(shop(), threshold=1e-9))
    figure = found.figures["added_disparity"]
    assert found.verdict.value == figure.low < figure.value
    between = cells(assess(shop(), threshold=(figure.low + figure.value) / 2))
    assert between.verdict.passed, "more than the threshold, but no more than chance"
    below = cells(assess(shop(), threshold=0.99 * figure.low))
    assert not below.verdict.passed


def test_a_cell_without_rows_is_named() -> None:
    predictions = shop()
    kept = predictions[(predictions["registered"] != "guest") | (predictions["country_group"] != "abroad")]
    found = cells(assess(kept))
    assert found.empty == ("guest & abroad",)
    assert "guest & abroad" not in found.by_group.index
    assert all(column.empty == () for column in assess(kept).columns)


def test_the_worst_group_is_named_by_column_and_over_all() -> None:
    predictions = shop()
    squared = (predictions[TARGET] - predictions[f"predicted_{TARGET}"]) ** 2
    by_hand = {
        f"{' & '.join(names)}: {' & '.join(group)}": mse
        for names in (["registered"], ["country_group"], list(COLUMNS))
        for group, mse in squared.groupby([predictions[name] for name in names]).mean().items()
        for group in [group if isinstance(group, tuple) else (group,)]
    }
    report = assess(predictions)
    worst = max(by_hand, key=lambda name: by_hand[name])
    assert report.worst_group == (worst, pytest.approx(by_hand[worst]))
    tree: Any = record(report.result())
    assert tree["worst_group"] == worst
    assert tree["worst_group_mse_log_quantity"] == pytest.approx(by_hand[worst])
    for entry in (*tree["columns"], *tree["intersections"]):
        own = {name: mse for name, mse in by_hand.items() if name.startswith(f"{entry['column']}: ")}
        assert f"{entry['column']}: {entry['worst_group']}" == max(own, key=lambda name: own[name])
    assert assess(predictions, min_rows=10**6).result().worst_group is None


def test_the_ratio_is_held_from_one_on() -> None:
    predictions = shop()
    mse = ((predictions[TARGET] - predictions[f"predicted_{TARGET}"]) ** 2).groupby(predictions["registered"]).mean()
    found = compare_groups(predictions, ("registered",), dials(metric="mse_ratio"), GATES, rng())
    assert found.verdict.value == pytest.approx(mse.max() / mse.min() - 1)
    assert "mse_ratio less 1 by registered" in found.verdict.reason
    exact = predictions.assign(**{f"predicted_{TARGET}": predictions[TARGET]})
    assert not compare_groups(exact, ("registered",), dials(metric="mse_ratio"), GATES, rng()).verdict.passed


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (lambda t: t.head(0), "must have at least one row"),
        (lambda t: t.drop(columns="registered"), "must have the column registered"),
        (lambda t: t.drop(columns=TARGET), f"must have the column {TARGET}"),
        (
            lambda t: t.assign(**{f"predicted_{TARGET}": t[f"predicted_{TARGET}"].where(t.index > 2)}),
            f"predicted_{TARGET} must be a finite number in every row, 3 are not",
        ),
        (
            lambda t: t.assign(**{TARGET: t[TARGET].mask(t.index == 0, np.inf)}),
            f"{TARGET} must be a finite number in every row, 1 are not",
        ),
    ],
)
def test_predictions_that_cannot_be_judged_are_an_error(edit: Any, rule: str) -> None:
    with pytest.raises(DataError) as caught:
        assess(edit(shop()))
    assert str(caught.value) == f"predictions: {rule}"


def test_the_record_and_the_plot_say_the_same(tmp_path: Any) -> None:
    report = assess(shop(), min_rows=30)
    write_json(tmp_path / "fairness.json", record(report.result()))
    tree = json.loads((tmp_path / "fairness.json").read_text())
    (tmp_path / "plot.csv").write_bytes(csv_bytes(report.plot_rows()))
    plot = pd.read_csv(tmp_path / "plot.csv").set_index("group")
    entries = [*tree["columns"], *tree["intersections"]]
    assert [f"{e['column']}: {name}" for e in entries for name in e["groups"]] == list(plot.index)
    for entry in entries:
        for name, group in entry["groups"].items():
            row = plot.loc[f"{entry['column']}: {name}"]
            assert group == pytest.approx(row[list(group)].to_dict())
            assert row["assessed"] == (name not in entry["not_assessed"])
            assert isinstance(group["rows"], int)
    flat = {name: value for name, value in tree.items() if isinstance(value, float)}
    assert set(flat) == {
        "registered_added_disparity",
        "country_group_added_disparity",
        "intersections_added_disparity",
        "worst_group_mse_log_quantity",
    }
