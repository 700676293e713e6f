"""Errors by group, and the differences between groups (fairlearn).

Definitions first. The mean outcome difference (MOD) of a table is the largest difference of its groups' means. The
truth has one of its own: wholesale customers do buy more. The disparity that the model *adds* is the largest difference
of the groups' biases (mean prediction - mean truth): zero for a model that repeats the truth's differences, whatever
these are, and also where there are more than two groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from fairlearn.metrics import MetricFrame
from sklearn.metrics import mean_absolute_error, mean_squared_error

from pricetrail.contract import Json
from pricetrail.evaluation import Floats, Interval, interval, resample_days, sum_by
from pricetrail.features import DAY, TARGET
from pricetrail.gates import Verdict, at_most, not_computed, worst
from pricetrail.params import Fairness, Gates


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

    def record(self) -> Json:
        """All of it as a tree for ``metrics/fairness.json``."""
        return {
            "column": self.column,
            "passed": self.verdict.passed,
            "reason": self.verdict.reason,
            "not_assessed": list(self.not_assessed),
            "figures": {name: asdict(figure) for name, figure in self.figures.items()},
            "groups": {str(name): dict(row) for name, row in self.by_group.iterrows()},
        }

    def plot_rows(self) -> pd.DataFrame:
        """One row a group, named ``column: group``."""
        groups = self.by_group.rename_axis("group").reset_index()
        return groups.assign(group=self.column + ": " + groups["group"].astype(str))


def fairness_by_group(
    predictions: pd.DataFrame, column: str, dials: Fairness, gates: Gates, rng: np.random.Generator
) -> GroupFigures:
    """Compare the groups of one sensitive column.

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
    figures = {name: interval(value, resampled[name], gates.confidence) for name, value in values.items()}
    small = tuple(str(name) for name, rows in by_group["rows"].items() if rows < dials.min_rows)
    return GroupFigures(column, by_group, small, figures, _verdict(column, by_group, small, figures, dials))


def _resample_groups(
    groups: pd.Series, truth: Floats, prediction: Floats, days: pd.Series, samples: int, rng: np.random.Generator
) -> dict[str, Floats]:
    """Each figure on every bootstrap sample, shape (samples,); groups absent from a sample are left out of it."""
    day, times = resample_days(days, samples, rng)
    group, labels = pd.factorize(groups, sort=True)
    cell, shape = day * len(labels) + group, (times.shape[1], len(labels))

    def resampled_sum(values: Floats) -> Floats:
        per_cell = sum_by(cell, values, shape[0] * shape[1]).reshape(shape)
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
