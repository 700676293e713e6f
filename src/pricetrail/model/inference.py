"""The test rows through the bundle: one table of predictions, and SHAP values of a sample."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from pricetrail.base.errors import BundleError
from pricetrail.base.json_type import Json
from pricetrail.base.params_schema import Explain, Gates
from pricetrail.base.random_streams import draw_rows, stream
from pricetrail.base.typed_json import record
from pricetrail.checks.errors_and_intervals import Floats, Scores, units
from pricetrail.checks.results import AccuracyResult
from pricetrail.data.features import DAY, TARGET
from pricetrail.data.groups import sensitive_groups
from pricetrail.model.bundle import Bundle
from pricetrail.model.conformal import coverage
from pricetrail.model.explain.shap_values import LARGEST_GAP_LOG_QUANTITY, Explanation, explain


def prediction_table(bundle: Bundle, rows: pd.DataFrame, baseline: float) -> pd.DataFrame:
    """Id, truth, prediction, intervals, baseline and sensitive columns of every row, in order.

    Args:
        bundle: the model.
        rows: features, target and line columns, shape (n, …).
        baseline: the naive prediction, log1p(units).

    Raises:
        BundleError: the bundle was not loaded from a folder, so its predictions have no id.
    """
    predicted = bundle.predict(rows)
    table = pd.DataFrame(
        {
            "lineage_id": [str(bundle.lineage_id(number)) for number in range(len(rows))],
            DAY: rows[DAY],
            "invoice": rows["invoice"],
            "sku": rows["sku"],
            "unit_price": rows["unit_price"],
            "quantity": rows["quantity"],
            "predicted_quantity": units(predicted).astype(np.float32),
            TARGET: rows[TARGET].astype("float64"),
            f"predicted_{TARGET}": predicted,
            f"baseline_{TARGET}": baseline,
            **sensitive_groups(rows, bundle.encoder.home_country),
        }
    )
    if bundle.intervals is None:
        return table
    low, high = bundle.intervals.bounds(predicted, table["registered"])
    bounds = {
        f"{side}_{100 * level:g}_{TARGET}": values[:, place]
        for place, level in enumerate(bundle.intervals.levels)
        for side, values in (("low", low), ("high", high))
    }
    return table.assign(**bounds)


def backup_predictions(bundle: Bundle, rows: pd.DataFrame) -> dict[str, Floats]:
    """Log quantities of each backup, for the comparison of models.

    Args:
        bundle: the model with its backups.
        rows: as for ``Bundle.predict``, shape (n, …).
    """
    return {backup.model.name: backup.model.predict(rows, bundle.encoder) for backup in bundle.backups}


def require_same_rows(predictions: pd.DataFrame, explanation: Explanation) -> None:
    """Hold each explained row's prediction in the table against what its SHAP values add up to.

    Args:
        predictions: of ``prediction_table``, shape (n, …), index as the test rows.
        explanation: of some of these rows.

    Raises:
        BundleError: they part, so the table is not in the order of its rows.
    """
    explained = explanation.base_log_quantity + explanation.values.sum(axis=1, skipna=False)
    gaps = (predictions.loc[explained.index, f"predicted_{TARGET}"] - explained).abs()
    wrong = gaps.index[~(gaps <= LARGEST_GAP_LOG_QUANTITY)]
    if len(wrong):
        rule = f"must be what the row's SHAP values add up to; {len(wrong)} rows are not, the first by"
        raise BundleError(f"prediction of row {wrong[0]}", rule, float(f"{gaps[wrong[0]]:.3g}"))


def coverage_record(bundle: Bundle, predictions: pd.DataFrame, settings: Gates, seed: int) -> Json:
    """How many of the test rows the intervals cover, for ``metrics/intervals.json``; empty without intervals."""
    if bundle.intervals is None:
        return {}
    rng = stream(seed, "coverage")
    return record(coverage(bundle.intervals, predictions, settings.bootstrap_samples, settings.confidence, rng))


def accuracy_result(scores: Scores, explanation: Explanation) -> AccuracyResult:
    """Errors, skill and verdict of the test rows, and how well their SHAP values add up."""
    return AccuracyResult(
        **asdict(scores.primary),
        baseline_mse_log_quantity=scores.baseline.mse_log_quantity,
        skill=scores.skill.value,
        passed=scores.verdict.passed,
        shap_base_log_quantity=explanation.base_log_quantity,
        shap_largest_gap_log_quantity=explanation.largest_gap,
        skill_interval=(scores.skill.low, scores.skill.high),
        verdicts=(scores.verdict,),
    )


def explain_sample(
    bundle: Bundle, train: pd.DataFrame, test: pd.DataFrame, settings: Explain, seed: int
) -> tuple[pd.DataFrame, Explanation]:
    """Explain test rows against a background of training rows, both drawn with the seed.

    Returns:
        The rows explained, in their order and with their index in ``test``, and their explanation.
    """
    background = draw_rows(train, settings.background_rows, stream(seed, "shap background"))
    rows = draw_rows(test, settings.max_rows, stream(seed, "shap rows")) if settings.max_rows else test
    return rows, explain(bundle, rows, background)
