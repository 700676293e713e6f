"""The models beside each other: errors by hand, on the same resampled days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pricetrail.base.files import read_params
from pricetrail.checks.model_comparison import compare, metric_rows, model_table, record
from pricetrail.checks.results import Rival
from pricetrail.data.features import DAY, TARGET
from support.source_tree import ROOT

DIALS = read_params(ROOT / "params.yaml").gates.model_copy(update={"bootstrap_samples": 300, "confidence": 0.9})
TRUTH = np.array([1.0, 2.0, 3.0, 4.0])
SMALL = pd.DataFrame(
    {
        DAY: pd.to_datetime(["2011-11-01", "2011-11-01", "2011-11-02", "2011-11-03"]),
        TARGET: TRUTH,
        f"predicted_{TARGET}": TRUTH + np.array([1.0, -1.0, 0.0, 2.0]),
    }
)
FLAT = np.full(4, 2.0)


def rivals_of(table: pd.DataFrame, others: dict[str, np.ndarray], seed: int = 1) -> dict[str, Rival]:
    return {rival.name: rival for rival in compare(table, others, "network", DIALS, np.random.default_rng(seed))}


def many(size: int = 600) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Thirty days whose noise is each day's own; two models share it, and the second is a little worse."""
    rng = np.random.default_rng(4)
    day = np.sort(rng.integers(0, 30, size))
    truth = rng.normal(3, 1, size)
    noise = rng.normal(size=size) * rng.uniform(0.1, 3, 30)[day]
    days = pd.Timestamp("2011-11-01") + pd.to_timedelta(day, unit="D")
    table = pd.DataFrame({DAY: days, TARGET: truth, f"predicted_{TARGET}": truth + noise})
    return table, {"alike": truth + 1.05 * noise, "wild": truth + rng.normal(0, 3, size)}


def test_errors_ratio_and_difference_by_hand() -> None:
    """Squared errors of the network 1, 1, 0, 4; of the flat model 1, 0, 1, 4; of a perfect one none."""
    rivals = rivals_of(SMALL, {"flat": FLAT, "perfect": TRUTH, "far": TRUTH + 3})
    assert {name: rival.mse.value for name, rival in rivals.items()} == {
        "network": 1.5, "flat": 1.5, "perfect": 0.0, "far": 9.0
    }  # fmt: skip
    assert {name: rival.difference.value for name, rival in rivals.items()} == {
        "network": 0.0, "flat": 0.0, "perfect": 1.5, "far": -7.5
    }  # fmt: skip
    assert rivals["far"].ratio == pytest.approx(1 / 6)
    assert rivals["flat"].ratio == rivals["network"].ratio == 1
    assert rivals["perfect"].ratio is None, "no number is made of a division by zero"
    assert rivals["flat"].errors.rows == 4
    assert rivals["far"].errors.mae_units == pytest.approx(np.mean(np.expm1(TRUTH + 3) - np.expm1(TRUTH)))


def test_lowest_error_first_and_no_model_differs_from_itself() -> None:
    table, others = many()
    same = table[f"predicted_{TARGET}"].to_numpy(copy=True)
    rivals = compare(table, {**others, "twin": same}, "network", DIALS, np.random.default_rng(1))
    assert [rival.name for rival in rivals] == ["network", "twin", "alike", "wild"]
    for rival in rivals[:2]:
        assert (rival.difference.value, rival.difference.low, rival.difference.high) == (0.0, 0.0, 0.0)
        assert rival.mse == rivals[0].mse


def test_intervals_resample_whole_days_and_the_same_for_all() -> None:
    """The oracle draws days with the same generator, and lists the lines of each drawn day."""
    table, others = many()
    rivals = rivals_of(table, others)
    labels = sorted(table[DAY].unique())
    squared = {name: (table[TARGET] - value) ** 2 for name, value in others.items()}
    squared["network"] = (table[TARGET] - table[f"predicted_{TARGET}"]) ** 2
    by_day = {name: [values[table[DAY] == label].to_numpy() for label in labels] for name, values in squared.items()}
    draws = np.random.default_rng(1).integers(0, len(labels), size=(300, len(labels)))
    means = {
        name: np.array([np.concatenate([values[day] for day in draw]).mean() for draw in draws])
        for name, values in by_day.items()
    }
    for name, rival in rivals.items():
        low, high = np.quantile(means[name], [0.05, 0.95])
        assert (rival.mse.low, rival.mse.high) == (pytest.approx(low), pytest.approx(high))
        low, high = np.quantile(means["network"] - means[name], [0.05, 0.95])
        found = rival.difference
        assert (found.low, found.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))


def test_paired_days_tell_apart_what_intervals_do_not() -> None:
    rivals = rivals_of(*many())
    assert rivals["network"].mse.high > rivals["alike"].mse.low
    assert rivals["alike"].difference.high < 0
    assert rivals["wild"].difference.high < 0
    assert rivals_of(*many()) == rivals != rivals_of(*many(), seed=2)


def test_the_order_of_the_lines_is_nothing() -> None:
    table, others = many()
    order = np.random.default_rng(0).permutation(len(table))
    shuffled = rivals_of(table.iloc[order], {name: values[order] for name, values in others.items()})
    for name, rival in rivals_of(table, others).items():
        assert shuffled[name].mse.low == pytest.approx(rival.mse.low)
        assert shuffled[name].difference.high == pytest.approx(rival.difference.high, abs=1e-12)


def test_the_table_and_the_record_say_what_was_found() -> None:
    rivals = compare(SMALL, {"far": TRUTH + 3, "flat": FLAT + 1}, "network", DIALS, np.random.default_rng(1))
    table = model_table(rivals).set_index("model")
    assert list(table.index) == [rival.name for rival in rivals]
    for rival in rivals:
        row = table.loc[rival.name]
        assert row["mse_log_quantity"] == rival.mse.value
        assert [row["mse_low"], row["mse_high"]] == [rival.mse.low, rival.mse.high]
        assert [row["difference"], row["ratio"]] == [rival.difference.value, rival.ratio]
        assert [row["difference_low"], row["difference_high"]] == [rival.difference.low, rival.difference.high]
    far = {"mse_log_quantity": 9.0, "mae_units": rivals[-1].errors.mae_units, "rmsle": 3.0}
    assert metric_rows(rivals)["far"] == pytest.approx(far)
    assert metric_rows((replace(rivals[0], name="customer_sku_median"),)).keys() == {"pair_median"}
    found = record(rivals, "network")
    assert set(found) == {"far", "flat", "models"}, "the primary's own error has another owner"
    assert found["far"] == {"mse_log_quantity": 9.0, "ratio_of_network": pytest.approx(1 / 6)}
    assert [entry["name"] for entry in found["models"]] == list(table.index)
    assert record((replace(rivals[0], name="x"),), "network").keys() == {"x", "models"}
