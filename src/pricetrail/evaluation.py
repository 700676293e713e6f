"""Errors, baselines, bootstrap intervals and errors by group.

Each figure is the field's own (scikit-learn, fairlearn). Intervals resample whole days, because lines of one day are
not independent (block bootstrap; Künsch 1989).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, mean_squared_error, root_mean_squared_log_error

from pricetrail.features import DAY, TARGET
from pricetrail.gates import Verdict, at_least, at_most, not_computed, worst
from pricetrail.params import Fairness, Gates

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """Errors of predictions on rows.

    Attributes:
        mse_log_quantity: of log1p(units).
        mae_units: of units.
        rmsle: root mean squared logarithmic error of units; predictions below zero count as zero.
    """

    rows: int
    mse_log_quantity: float
    mae_units: float
    rmsle: float


@dataclass(frozen=True)
class Interval:
    """A figure with its bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Scores:
    """Errors on the test days beside those of the naive baseline, and the verdict of the accuracy gate."""

    primary: Errors
    baseline: Errors
    skill: Interval
    verdict: Verdict


@dataclass(frozen=True)
class GroupFigures:
    """One sensitive column: figures by group, and the differences between groups.

    Attributes:
        by_group: index the group; ``rows, mse, mae, mean_prediction, mean_truth, bias`` in log1p(units).
        not_assessed: groups with too few rows.
        figures: ``prediction_mod``, ``truth_mod``, ``added_disparity`` (log1p(units)) and ``mse_ratio``.
        verdict: of the figure that ``fairness.metric`` picks.
    """

    column: str
    by_group: pd.DataFrame
    not_assessed: tuple[str, ...]
    figures: Mapping[str, Interval]
    verdict: Verdict


def units(log_quantity: Floats) -> Floats:
    """log1p(units) back to units, not below zero."""
    return np.maximum(np.expm1(log_quantity), 0.0)


def errors(truth: Floats, prediction: Floats) -> Errors:
    """Errors of predicted log quantities.

    Args:
        truth: log1p(units), shape (n,).
        prediction: the same.
    """
    return Errors(
        rows=len(truth),
        mse_log_quantity=float(mean_squared_error(truth, prediction)),
        mae_units=float(mean_absolute_error(units(truth), units(prediction))),
        rmsle=float(root_mean_squared_log_error(units(truth), units(prediction))),
    )


def _resample_days(days: pd.Series, samples: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
    """Code of each row's day, shape (n,), and how often each day is drawn, shape (samples, days)."""
    codes, labels = pd.factorize(days, sort=True)
    draws = rng.integers(0, len(labels), size=(samples, len(labels)))
    times = np.stack([np.bincount(draw, minlength=len(labels)) for draw in draws]).astype(np.float64)
    return codes.astype(np.int64), times


def _sum_by(codes: NDArray[np.int64], values: Floats, size: int) -> Floats:
    return np.bincount(codes, weights=values, minlength=size).astype(np.float64)


def _interval(value: float, sample: Floats, confidence: float) -> Interval:
    """Percentile interval; NaN where a resample had no figure."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(sample, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def skill(
    truth: Floats,
    prediction: Floats,
    baseline: Floats,
    days: pd.Series,
    samples: int,
    confidence: float,
    rng: np.random.Generator,
) -> Interval:
    """Skill score 1 - MSE / MSE of a baseline (Murphy 1988), with its interval.

    Args:
        truth: log1p(units), shape (n,).
        prediction: the same.
        baseline: the same.
        days: the day of each row, shape (n,).
        samples: bootstrap resamples.
        confidence: of the interval, such as 0.95.
        rng: draws the days.
    """
    codes, times = _resample_days(days, samples, rng)
    size = times.shape[1]
    error = _sum_by(codes, (truth - prediction) ** 2, size)
    error_baseline = _sum_by(codes, (truth - baseline) ** 2, size)
    sample = 1 - (times * error).sum(axis=1) / (times * error_baseline).sum(axis=1)
    value = 1 - float(mean_squared_error(truth, prediction)) / float(mean_squared_error(truth, baseline))
    return _interval(value, sample, confidence)


def score(predictions: pd.DataFrame, dials: Gates, rng: np.random.Generator) -> Scores:
    """Errors, skill and the accuracy verdict of the test rows.

    Args:
        predictions: the table of ``model.inference.prediction_table``, shape (n, …).
        dials: threshold and bootstrap of the gate.
        rng: draws the days.
    """
    truth, prediction, baseline = (
        predictions[name].to_numpy() for name in (TARGET, f"predicted_{TARGET}", f"baseline_{TARGET}")
    )
    gained = skill(truth, prediction, baseline, predictions[DAY], dials.bootstrap_samples, dials.confidence, rng)
    verdict = at_least("accuracy", gained.value, dials.min_skill, "skill over the training median")
    if verdict.passed and not gained.low > 0:
        reason = f"{verdict.reason}, but its interval reaches down to {gained.low:.4g}"
        verdict = Verdict("accuracy", gained.value, dials.min_skill, False, reason)
    return Scores(errors(truth, prediction), errors(truth, baseline), gained, verdict)


def fairness_by_group(
    predictions: pd.DataFrame, column: str, dials: Fairness, gates: Gates, rng: np.random.Generator
) -> GroupFigures:
    """Compare groups of one sensitive column.

    The mean outcome difference (MOD) is the largest difference of group means (fairlearn's ``difference``). The
    disparity the model adds is the largest difference of group *biases* (mean prediction - mean truth): zero for a
    model that repeats the truth's own differences, also where there are more than two groups.

    Args:
        predictions: the table of ``model.inference.prediction_table``, shape (n, …).
        column: the sensitive column.
        dials: threshold and smallest group.
        gates: bootstrap of the intervals.
        rng: draws the days.
    """
    groups, days = predictions[column], predictions[DAY]
    truth, prediction = predictions[TARGET].to_numpy(), predictions[f"predicted_{TARGET}"].to_numpy()
    frame = MetricFrame(
        metrics={
            "rows": lambda y, p: float(len(y)),
            "mse": mean_squared_error,
            "mae": mean_absolute_error,
            "mean_prediction": lambda y, p: float(np.mean(p)),
            "mean_truth": lambda y, p: float(np.mean(y)),
            "bias": lambda y, p: float(np.mean(p) - np.mean(y)),
        },
        y_true=truth,
        y_pred=prediction,
        sensitive_features=groups,
    )
    by_group, difference = frame.by_group.astype(float), frame.difference()
    values = {
        "prediction_mod": float(difference["mean_prediction"]),
        "truth_mod": float(difference["mean_truth"]),
        "added_disparity": float(difference["bias"]),
        "mse_ratio": float(by_group["mse"].max() / by_group["mse"].min())
        if by_group["mse"].min() > 0
        else float("nan"),
    }
    resampled = _resample_groups(groups, truth, prediction, days, gates.bootstrap_samples, rng)
    figures = {name: _interval(value, resampled[name], gates.confidence) for name, value in values.items()}
    small = tuple(str(name) for name, rows in by_group["rows"].items() if rows < dials.min_rows)
    return GroupFigures(column, by_group, small, figures, _verdict(column, by_group, small, figures, dials))


def _resample_groups(
    groups: pd.Series, truth: Floats, prediction: Floats, days: pd.Series, samples: int, rng: np.random.Generator
) -> dict[str, Floats]:
    """Each figure on every bootstrap sample, shape (samples,); groups absent from a sample are left out of it."""
    day, times = _resample_days(days, samples, rng)
    group, labels = pd.factorize(groups, sort=True)
    cell, shape = day * len(labels) + group, (times.shape[1], len(labels))

    def resampled_sum(values: Floats) -> Floats:
        per_cell = _sum_by(cell, values, shape[0] * shape[1]).reshape(shape)
        return np.stack([(times * per_cell[:, i]).sum(axis=1) for i in range(shape[1])], axis=1)

    rows = resampled_sum(np.ones(len(truth)))
    rows = np.where(rows > 0, rows, np.nan)
    mean_truth, mean_prediction = resampled_sum(truth) / rows, resampled_sum(prediction) / rows
    mse = resampled_sum((truth - prediction) ** 2) / rows
    smallest_mse = np.nanmin(mse, axis=1)
    return {
        "prediction_mod": np.nanmax(mean_prediction, axis=1) - np.nanmin(mean_prediction, axis=1),
        "truth_mod": np.nanmax(mean_truth, axis=1) - np.nanmin(mean_truth, axis=1),
        "added_disparity": np.nanmax(mean_prediction - mean_truth, axis=1)
        - np.nanmin(mean_prediction - mean_truth, axis=1),
        "mse_ratio": np.nanmax(mse, axis=1) / np.where(smallest_mse > 0, smallest_mse, np.nan),
    }


def _verdict(
    column: str, by_group: pd.DataFrame, small: tuple[str, ...], figures: Mapping[str, Interval], dials: Fairness
) -> Verdict:
    """Hold the chosen figure against its threshold; too small a group, or a single one, fails closed."""
    if len(by_group) < 2:
        return not_computed("fairness", dials.threshold, f"{column} has one group only, nothing to compare")
    if small:
        reason = f"{column}: {', '.join(small)} not assessed, fewer than fairness.min_rows = {dials.min_rows} rows"
        return not_computed("fairness", dials.threshold, reason)
    value = figures[dials.metric].value - (1 if dials.metric == "mse_ratio" else 0)
    return at_most("fairness", value, dials.threshold, f"{dials.metric} by {column}")


def fairness_verdict(columns: list[GroupFigures]) -> Verdict:
    """The verdict of the fairness gate over all sensitive columns."""
    return worst([figures.verdict for figures in columns])
