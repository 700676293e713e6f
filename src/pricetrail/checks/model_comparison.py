"""The primary model beside all others on the same rows: errors, and whether the difference is more than chance."""

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd

from pricetrail.base import typed_json
from pricetrail.base.json_type import Json
from pricetrail.base.params_schema import Gates
from pricetrail.checks.errors_and_intervals import Floats, errors, interval, resample_days, resampled_mean
from pricetrail.checks.results import ModelsResult, Rival
from pricetrail.data.features import DAY, TARGET

IN_A_ROW = ("mse_log_quantity", "mae_units", "rmsle")  # of `dvc metrics show`, which has room for 100 characters


def compare(
    predictions: pd.DataFrame, others: Mapping[str, Floats], primary: str, settings: Gates, rng: np.random.Generator
) -> tuple[Rival, ...]:
    """Every model on the same rows and the same resampled days, lowest error first; the primary is one of them.

    Args:
        predictions: the table of ``model.inference.prediction_table``, shape (n, …).
        others: predictions of the other models by name, log1p(units), each of shape (n,).
        primary: name for the model whose predictions the table has.
        settings: bootstrap.
        rng: draws the days.
    """
    truth = predictions[TARGET].to_numpy(np.float64)
    models = {primary: predictions[f"predicted_{TARGET}"].to_numpy(np.float64), **others}
    codes, times = resample_days(predictions[DAY], settings.bootstrap_samples, rng)
    resampled = {name: resampled_mean(codes, times, (truth - predicted) ** 2) for name, predicted in models.items()}
    scored = {name: errors(truth, predicted) for name, predicted in models.items()}
    ours = scored[primary].mse_log_quantity
    rivals = [
        Rival(
            name=name,
            errors=found,
            mse=interval(found.mse_log_quantity, resampled[name], settings.confidence),
            difference=interval(
                ours - found.mse_log_quantity, resampled[primary] - resampled[name], settings.confidence
            ),
            ratio=ours / found.mse_log_quantity if found.mse_log_quantity > 0 else None,
        )
        for name, found in scored.items()
    ]
    return tuple(sorted(rivals, key=lambda rival: rival.errors.mse_log_quantity))


def model_table(rivals: tuple[Rival, ...]) -> pd.DataFrame:
    """One row a model, lowest error first, for ``reports/models.csv``."""
    rows = [
        {
            "model": rival.name,
            **asdict(rival.errors),
            "mse_low": rival.mse.low,
            "mse_high": rival.mse.high,
            "ratio": rival.ratio,
            "difference": rival.difference.value,
            "difference_low": rival.difference.low,
            "difference_high": rival.difference.high,
        }
        for rival in rivals
    ]
    return pd.DataFrame(rows)


def metric_rows(rivals: tuple[Rival, ...]) -> dict[str, Json]:
    """The errors of each model for its row of ``dvc metrics show``, by a name short enough for its Path."""
    return {
        rival.name.replace("customer_sku", "pair"): {name: getattr(rival.errors, name) for name in IN_A_ROW}
        for rival in rivals
    }


def record(rivals: tuple[Rival, ...], primary: str) -> Json:
    """The errors of the others for ``metrics/models.json``, and as a list every figure with its interval.

    The primary's own error is in ``metrics/test.json`` (law 7).
    """
    short = {
        rival.name: {"mse_log_quantity": rival.errors.mse_log_quantity, "ratio_of_network": rival.ratio}
        for rival in rivals
        if rival.name != primary
    }
    return typed_json.record(ModelsResult(short, rivals))
