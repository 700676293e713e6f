"""The candidate's error on the last days held against its error on the validation days: model drift.

Inputs may drift and the model stay right, or nothing drift that is measured and the model be wrong, so this figure is
told apart from ``data_drift``. It is reported, and no gate (``docs/decisions/0010-drift-calibration.md``).
"""

import numpy as np
import pandas as pd

from pricetrail.base.params_schema import Drift, Gates
from pricetrail.checks.errors_and_intervals import Floats, error_ratio
from pricetrail.checks.estimates import Interval, known
from pricetrail.checks.results import ModelDriftResult
from pricetrail.data.features import DAY, TARGET


def check_model_drift(
    validation: pd.DataFrame,
    predicted: Floats,
    predictions: pd.DataFrame,
    settings: Drift,
    bootstrap: Gates,
    rng: np.random.Generator,
) -> ModelDriftResult:
    """Compare the errors.

    Args:
        validation: the validation rows, with day and target, shape (n, …).
        predicted: the candidate's log quantities of them, shape (n,).
        predictions: the test rows, the table of ``model.inference.prediction_table``, shape (m, …).
        settings: length of the current window, at most the test days; the growth that is allowed.
        bootstrap: resamples and confidence.
        rng: draws the days.
    """
    last = predictions[DAY].max()
    current = predictions[predictions[DAY] > last - pd.Timedelta(days=settings.current_days)]
    now = _squared(current[TARGET], current[f"predicted_{TARGET}"])
    before = _squared(validation[TARGET], predicted)
    ratio = error_ratio(
        now, current[DAY], before, validation[DAY], bootstrap.bootstrap_samples, bootstrap.confidence, rng
    )
    most = 1 + settings.max_error_growth
    drifted = ratio.low is None or ratio.low > most
    return ModelDriftResult(
        error_ratio=ratio.value,
        drifted=drifted,
        validation_mse_log_quantity=known(float(before.mean())),
        current_mse_log_quantity=known(float(now.mean())),
        validation_rows=len(before),
        current_rows=len(now),
        error_ratio_interval=(ratio.low, ratio.high),
        current_days=(f"{current[DAY].min():%Y-%m-%d}", f"{last:%Y-%m-%d}"),
        reasons=(_reason(ratio, drifted, most),),
    )


def _reason(ratio: Interval, drifted: bool, most: float) -> str:
    """One sentence a person can act on."""
    if ratio.value is None or ratio.low is None or ratio.high is None:
        return "model drift could not be computed: the validation rows have no error to hold it against"
    found = f"the error is {ratio.value:.3g} times that of validation ({ratio.low:.3g} to {ratio.high:.3g})"
    return f"{found}, {'surely above' if drifted else 'not surely above'} {most:g} times"


def _squared(truth: pd.Series, predicted: pd.Series | Floats) -> Floats:
    return (truth.to_numpy(np.float64) - np.asarray(predicted, dtype=np.float64)) ** 2
