"""The candidate's error on the last days held against its error on the validation days: model drift.

Inputs may drift and the model stay right, or nothing drift that is measured and the model be wrong, so this figure is
told apart from ``drift.py``. It is reported, and no gate (``docs/decisions/0010-drift-calibration.md``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pricetrail.base.json_type import Json
from pricetrail.base.params import Drift, Gates
from pricetrail.checks.errors_and_intervals import Floats, Interval, error_ratio
from pricetrail.data.features import DAY, TARGET


@dataclass(frozen=True)
class ModelDrift:
    """Errors on two spans of days, and their ratio.

    Attributes:
        validation_mse: MSE of log1p(units) on the validation days.
        current_mse: the same on the last days of the test days.
        ratio: the second over the first, with its interval over days.
        max_growth: by how much the error may surely have grown, a share.
        days: first and last day of the current rows.
    """

    validation_rows: int
    current_rows: int
    validation_mse: float
    current_mse: float
    ratio: Interval
    max_growth: float
    days: tuple[pd.Timestamp, pd.Timestamp]

    @property
    def drifted(self) -> bool:
        """The whole interval is above 1 + ``max_growth``, or there is none."""
        return not self.ratio.low <= 1 + self.max_growth

    @property
    def reason(self) -> str:
        """One sentence a person can act on."""
        low, high, most = self.ratio.low, self.ratio.high, 1 + self.max_growth
        if not np.isfinite([low, high]).all():
            return "model drift could not be computed: the validation rows have no error to hold it against"
        ratio = f"the error is {self.ratio.value:.3g} times that of validation ({low:.3g} to {high:.3g})"
        return f"{ratio}, {'surely above' if self.drifted else 'not surely above'} {most:g} times"

    def record(self) -> Json:
        """For ``metrics/model_drift.json``."""
        return {
            "error_ratio": self.ratio.value,
            "drifted": self.drifted,
            "validation_mse_log_quantity": self.validation_mse,
            "current_mse_log_quantity": self.current_mse,
            "validation_rows": self.validation_rows,
            "current_rows": self.current_rows,
            "error_ratio_interval": [self.ratio.low, self.ratio.high],
            "current_days": [f"{day:%Y-%m-%d}" for day in self.days],
            "reasons": [self.reason],
        }


def check_model_drift(
    validation: pd.DataFrame,
    predicted: Floats,
    predictions: pd.DataFrame,
    dials: Drift,
    bootstrap: Gates,
    rng: np.random.Generator,
) -> ModelDrift:
    """Compare the errors.

    Args:
        validation: the validation rows, with day and target, shape (n, …).
        predicted: the candidate's log quantities of them, shape (n,).
        predictions: the test rows, the table of ``model.inference.prediction_table``, shape (m, …).
        dials: length of the current window, at most the test days; the growth that is allowed.
        bootstrap: resamples and confidence.
        rng: draws the days.
    """
    last = predictions[DAY].max()
    current = predictions[predictions[DAY] > last - pd.Timedelta(days=dials.current_days)]
    now = _squared(current[TARGET], current[f"predicted_{TARGET}"])
    before = _squared(validation[TARGET], predicted)
    ratio = error_ratio(
        now, current[DAY], before, validation[DAY], bootstrap.bootstrap_samples, bootstrap.confidence, rng
    )
    return ModelDrift(
        validation_rows=len(before),
        current_rows=len(now),
        validation_mse=float(before.mean()),
        current_mse=float(now.mean()),
        ratio=ratio,
        max_growth=dials.max_error_growth,
        days=(current[DAY].min(), last),
    )


def _squared(truth: pd.Series, predicted: pd.Series | Floats) -> Floats:
    return (truth.to_numpy(np.float64) - np.asarray(predicted, dtype=np.float64)) ** 2
