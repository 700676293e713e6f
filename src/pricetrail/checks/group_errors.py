"""Errors by group of the test rows (fairlearn), each with an interval over days.

A group is a value of one sensitive column, or a cell of several. Rows whose value is not known are a group of their
own, ``missing``: nobody is left out of the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, mean_squared_error, root_mean_squared_log_error

from pricetrail.base.errors import DataError
from pricetrail.base.params_schema import Gates
from pricetrail.checks.errors_and_intervals import Floats, percentiles, resample_days, sum_by, units
from pricetrail.data.features import DAY, TARGET

AND = " & "  # between the columns, and the values, of an intersection
MISSING = "missing"
PREDICTED = f"predicted_{TARGET}"
COUNTS = ("rows", "days")
METRICS = {
    "rows": lambda y, p: float(len(y)),
    "mse": mean_squared_error,
    "mae": mean_absolute_error,
    "mae_units": lambda y, p: float(mean_absolute_error(units(y), units(p))),
    "rmsle": lambda y, p: float(root_mean_squared_log_error(units(y), units(p))),
    "mean_prediction": lambda y, p: float(np.mean(p)),
    "mean_truth": lambda y, p: float(np.mean(y)),
    "bias": lambda y, p: float(np.mean(p) - np.mean(y)),
}


@dataclass(frozen=True)
class GroupErrors:
    """Errors of each group, on the data and on each bootstrap sample.

    Attributes:
        column: name of the sensitive column, or of several joined by ``&``.
        by_group: index the group; ``rows``, ``days``; ``mse, mae, mean_prediction, mean_truth, bias`` of log1p(units),
            ``mae_units`` and ``rmsle`` of units; ``mse_low, mse_high, bias_low, bias_high``, the intervals.
        empty: cells of an intersection without a row.
        resampled: ``mse``, ``mean_prediction``, ``mean_truth`` and ``bias``, each of shape (samples, groups); NaN where
            a sample has no row of the group, or all its rows are of one day: no day tells how much days differ.
    """

    column: str
    by_group: pd.DataFrame
    empty: tuple[str, ...]
    resampled: Mapping[str, Floats]


def require_predictions(predictions: pd.DataFrame, columns: Sequence[str]) -> None:
    """Check that errors by group can be computed; a row that cannot be judged is no row to leave out.

    Raises:
        DataError: there is no row, a column is not there, or a truth or prediction is no finite number.
    """
    if predictions.empty:
        raise DataError("predictions", "must have at least one row")
    for column in (DAY, TARGET, PREDICTED, *columns):
        if column not in predictions:
            raise DataError("predictions", f"must have the column {column}")
    for column in (TARGET, PREDICTED):
        unknown = int((~np.isfinite(predictions[column].to_numpy(np.float64))).sum())
        if unknown:
            raise DataError("predictions", f"{column} must be a finite number in every row, {unknown} are not")


def group_errors(
    predictions: pd.DataFrame, columns: Sequence[str], settings: Gates, rng: np.random.Generator
) -> GroupErrors:
    """Errors by the values of one sensitive column, or by the cells of several.

    Args:
        predictions: the table of ``model.inference.prediction_table``, shape (n, …).
        columns: the sensitive columns.
        settings: bootstrap of the intervals.
        rng: draws the days.

    Raises:
        DataError: see ``require_predictions``.
    """
    require_predictions(predictions, columns)
    groups = pd.DataFrame({name: known(predictions[name]).to_numpy() for name in columns})
    truth, prediction = (predictions[name].to_numpy(np.float64) for name in (TARGET, PREDICTED))
    table = MetricFrame(metrics=METRICS, y_true=truth, y_pred=prediction, sensitive_features=groups).by_group
    found = table[table["rows"] > 0].astype(float)
    codes = pd.MultiIndex.from_frame(found.index.to_frame()).get_indexer(pd.MultiIndex.from_frame(groups))
    days = predictions[DAY].groupby(codes).nunique().to_numpy()
    resampled = _resample(codes, truth, prediction, predictions[DAY], settings.bootstrap_samples, rng)
    resampled = {name: np.where(days > 1, sample, np.nan) for name, sample in resampled.items()}
    by_group = found.assign(days=days, **_intervals(found, resampled, settings.confidence))
    return GroupErrors(
        column=AND.join(columns),
        by_group=by_group.astype(dict.fromkeys(COUNTS, int)).set_axis(pd.Index(_labels(found.index), name="group")),
        empty=_labels(table.index[~(table["rows"] > 0)]),
        resampled=resampled,
    )


def _labels(index: pd.Index) -> tuple[str, ...]:
    return tuple(AND.join(names) if isinstance(names, tuple) else str(names) for names in index)


def known(values: pd.Series) -> pd.Series:
    """The values as text, those that are not known as ``missing``; fairlearn refuses or drops them.

    >>> known(pd.Series(["guest", None])).tolist()
    ['guest', 'missing']
    """
    return values.astype(object).where(values.notna(), MISSING).astype(str)


def known_percentiles(sample: Floats, confidence: float) -> tuple[float, float]:
    """Ends of the interval over the resamples that have the figure; NaN where none has."""
    present = sample[~np.isnan(sample)]
    return percentiles(present, confidence) if len(present) else (float("nan"), float("nan"))


def _intervals(by_group: pd.DataFrame, resampled: Mapping[str, Floats], confidence: float) -> dict[str, list[float]]:
    """``mse_low`` and so on, one value a group."""
    bounds: dict[str, list[float]] = {}
    for name in ("mse", "bias"):
        ends = [known_percentiles(resampled[name][:, i], confidence) for i in range(len(by_group))]
        bounds |= {f"{name}_low": [low for low, _ in ends], f"{name}_high": [high for _, high in ends]}
    return bounds


def _resample(
    group: NDArray[np.intp],
    truth: Floats,
    prediction: Floats,
    days: pd.Series,
    samples: int,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Means by group of each bootstrap sample, shape (samples, groups)."""
    day, times = resample_days(days, samples, rng)
    shape = (times.shape[1], int(group.max()) + 1)
    cell = day * shape[1] + group

    def resampled_sum(values: Floats) -> Floats:  # without a matrix product, as in resampled_mean
        per_cell = sum_by(cell, values, shape[0] * shape[1]).reshape(shape)
        return np.stack([(times * per_cell[:, i]).sum(axis=1) for i in range(shape[1])], axis=1)

    rows = resampled_sum(np.ones(len(truth)))
    rows = np.where(rows > 0, rows, np.nan)
    mean_truth, mean_prediction = resampled_sum(truth) / rows, resampled_sum(prediction) / rows
    mse = resampled_sum((truth - prediction) ** 2) / rows
    return {
        "mse": mse,
        "mean_prediction": mean_prediction,
        "mean_truth": mean_truth,
        "bias": mean_prediction - mean_truth,
    }
