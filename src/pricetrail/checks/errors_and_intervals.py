"""Errors, baselines and bootstrap intervals.

Each figure is the field's own (scikit-learn). Intervals resample whole days, because lines of one day are
not independent (block bootstrap; Künsch 1989).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, mean_squared_error, root_mean_squared_log_error

from pricetrail.base.params_schema import Gates
from pricetrail.checks.estimates import Errors, Interval, known
from pricetrail.checks.gates import Verdict, hold
from pricetrail.data.features import DAY, TARGET

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Errors on the test days beside those of the naive baseline, and the verdict of the accuracy gate."""

    primary: Errors
    baseline: Errors
    skill: Interval
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


def resample_days(days: pd.Series, samples: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
    """Code of each row's day, shape (n,), and how often each day is drawn, shape (samples, days)."""
    codes, labels = pd.factorize(days, sort=True)
    draws = rng.integers(0, len(labels), size=(samples, len(labels)))
    times = np.stack([np.bincount(draw, minlength=len(labels)) for draw in draws]).astype(np.float64)
    return codes.astype(np.int64), times


def sum_by(codes: NDArray[np.int64], values: Floats, size: int) -> Floats:
    """Sum of the values of each code, shape (size,)."""
    return np.bincount(codes, weights=values, minlength=size).astype(np.float64)


def resampled_mean(codes: NDArray[np.int64], times: Floats, values: Floats) -> Floats:
    """Mean of the rows of each bootstrap sample, shape (samples,).

    Summed without a matrix product, since BLAS differs between CPUs (law 1).

    Args:
        codes: day of each row, shape (n,).
        times: how often each day is drawn, shape (samples, days).
        values: of each row, shape (n,).
    """
    days = times.shape[1]
    rows = (times * sum_by(codes, np.ones(len(values)), days)).sum(axis=1)
    mean: Floats = (times * sum_by(codes, values, days)).sum(axis=1) / rows
    return mean


def interval(value: float, sample: Floats, confidence: float) -> Interval:
    """Percentile interval; None where the data, or a resample, had no figure."""
    low, high = percentiles(sample, confidence)
    return Interval(known(value), known(low), known(high))


def percentiles(sample: Floats, confidence: float) -> tuple[float, float]:
    """The ends of the percentile interval; NaN where a resample had no figure."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(sample, [tail, 1 - tail])
    return float(low), float(high)


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
    codes, times = resample_days(days, samples, rng)
    size = times.shape[1]
    error = sum_by(codes, (truth - prediction) ** 2, size)
    error_baseline = sum_by(codes, (truth - baseline) ** 2, size)
    mse, mse_baseline = mean_squared_error(truth, prediction), mean_squared_error(truth, baseline)
    with np.errstate(invalid="ignore", divide="ignore"):  # a baseline without error gives NaN, which fails closed
        sample = 1 - (times * error).sum(axis=1) / (times * error_baseline).sum(axis=1)
        value = 1 - float(np.float64(mse) / np.float64(mse_baseline))
    return interval(value, sample, confidence)


def error_ratio(
    current: Floats,
    current_days: pd.Series,
    before: Floats,
    before_days: pd.Series,
    samples: int,
    confidence: float,
    rng: np.random.Generator,
) -> Interval:
    """Mean error of some days over that of others, each with a day bootstrap of its own, since no day is in both.

    Args:
        current: squared error of each row, shape (n,).
        current_days: the day of each row, shape (n,).
        before: the same of the rows that it is held against, shape (m,).
        before_days: their days, shape (m,).
        samples: bootstrap resamples.
        confidence: of the interval, such as 0.95.
        rng: draws the days of both, one after the other.
    """
    means = [
        resampled_mean(*resample_days(days, samples, rng), values)
        for values, days in ((current, current_days), (before, before_days))
    ]
    with np.errstate(invalid="ignore", divide="ignore"):  # rows before without error give NaN or infinity
        value = np.float64(current.mean()) / np.float64(before.mean())
        return interval(float(value), means[0] / means[1], confidence)


def score(predictions: pd.DataFrame, settings: Gates, rng: np.random.Generator) -> Scores:
    """Errors, skill and the accuracy verdict of the test rows.

    Args:
        predictions: the table of ``model.inference.prediction_table``, shape (n, …).
        settings: threshold and bootstrap of the gate.
        rng: draws the days.
    """
    truth, prediction, baseline = (
        predictions[name].to_numpy() for name in (TARGET, f"predicted_{TARGET}", f"baseline_{TARGET}")
    )
    gained = skill(truth, prediction, baseline, predictions[DAY], settings.bootstrap_samples, settings.confidence, rng)
    verdict = hold("accuracy", gained.value, settings.min_skill, "skill over the training median")
    if verdict.passed and not (gained.low is not None and gained.low > 0):
        reached = "could not be computed" if gained.low is None else f"reaches down to {gained.low:.4g}"
        reason = f"{verdict.reason}, but its interval {reached}"
        verdict = replace(verdict, passed=False, reason=reason)
    return Scores(errors(truth, prediction), errors(truth, baseline), gained, verdict)
