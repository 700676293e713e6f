"""The files that the page is made of, by path, and their texts as facts."""

from __future__ import annotations

from collections.abc import Mapping

from pricetrail.lineage.ledger import Lineage, parse_ledger
from pricetrail.report.page.facts import (
    Coverage,
    Decision,
    DriftColumn,
    Facts,
    Fairness,
    InputDrift,
    ModelDrift,
    ModelScore,
    PricePoint,
    PriceSummary,
    Skill,
)
from pricetrail.report.read_results import parse_json, parse_rows, parse_series, parse_trials

DECISION, TEST, MODELS = "metrics/decision.json", "metrics/test.json", "reports/models.csv"
INTERVALS, FAIRNESS, PRICES = "metrics/intervals.json", "metrics/fairness.json", "metrics/prices.json"
DRIFT, MODEL_DRIFT, DRIFT_COLUMNS = "metrics/drift.json", "metrics/model_drift.json", "reports/drift_columns.csv"
TRAIN_MSE = "reports/training/plots/metrics/train_mse.tsv"
VALIDATION_MSE = "reports/training/plots/metrics/validation_mse.tsv"
TRIALS, DIALS = "reports/tuning/trials.csv", "reports/tuning/importances.csv"
SHAP, PRICE_CURVES = "reports/shap/importance.csv", "reports/price_curves.csv"
LINEAGE, LEDGER = "reports/lineage.json", "reports/runs.jsonl"
TEXTS = (
    *(DECISION, TEST, MODELS, INTERVALS, FAIRNESS, PRICES, DRIFT, DRIFT_COLUMNS, TRAIN_MSE, VALIDATION_MSE),
    *(TRIALS, DIALS, SHAP, PRICE_CURVES, MODEL_DRIFT, LINEAGE, LEDGER),
)
BEESWARM, DEPENDENCE = "beeswarm.png", "dependence.png"
IMAGES = (BEESWARM, DEPENDENCE)


def read_facts(texts: Mapping[str, str], images: Mapping[str, bytes]) -> Facts:
    """Texts by path, and the images beside ``reports/shap/importance.csv`` by name, as facts.

    Raises:
        DataError: a text is not what its stage writes; the place names the file, and the row of a table.
        KeyError: one of ``TEXTS`` is not there.
    """
    curves = {path: parse_series(texts[path], path, "step", name, "\t") for path, name in _CURVES.items()}
    return Facts(
        decision=parse_json(Decision, texts[DECISION], DECISION),
        skill=parse_json(Skill, texts[TEST], TEST),
        models=parse_rows(ModelScore, texts[MODELS], MODELS),
        coverage=None if texts[INTERVALS].split() == ["{}"] else parse_json(Coverage, texts[INTERVALS], INTERVALS),
        train_mse=tuple(curves[TRAIN_MSE].values()),
        validation_mse=tuple(curves[VALIDATION_MSE].values()),
        trials=parse_trials(texts[TRIALS], TRIALS),
        dials=parse_series(texts[DIALS], DIALS, "dial", "importance"),
        drift_columns=parse_rows(DriftColumn, texts[DRIFT_COLUMNS], DRIFT_COLUMNS),
        input_drift=parse_json(InputDrift, texts[DRIFT], DRIFT),
        model_drift=parse_json(ModelDrift, texts[MODEL_DRIFT], MODEL_DRIFT),
        shap=parse_series(texts[SHAP], SHAP, "feature", "mean_abs_shap"),
        fairness=parse_json(Fairness, texts[FAIRNESS], FAIRNESS),
        price_points=parse_rows(PricePoint, texts[PRICE_CURVES], PRICE_CURVES),
        price_summary=parse_json(PriceSummary, texts[PRICES], PRICES),
        lineage=parse_json(Lineage, texts[LINEAGE], LINEAGE),
        ledger=parse_ledger(texts[LEDGER], LEDGER),
        images=images,
    )


_CURVES = {TRAIN_MSE: "train_mse", VALIDATION_MSE: "validation_mse"}
