"""Stage ``inference_primary_model``: the test days predicted, scored, explained and priced."""

from pathlib import Path

import torch

from pricetrail.base import files
from pricetrail.base.random_streams import stream
from pricetrail.checks import errors_and_intervals
from pricetrail.data.features import TARGET
from pricetrail.model import inference
from pricetrail.model.bundle import Bundle
from pricetrail.model.explain import figures
from pricetrail.model.trust import trust_this_run
from pricetrail.pricing import recommend
from pricetrail.stages import run_stage

SPLITS, BUNDLE, SHAP_PLOTS = Path("data/splits"), Path("models/candidate"), Path("reports/shap")
PREDICTIONS, SHAP_VALUES = Path("data/predictions.parquet"), Path("data/shap_values.parquet")
PRICES, METRICS, PRICE_METRICS = Path("data/prices.parquet"), Path("metrics/test.json"), Path("metrics/prices.json")
INTERVAL_METRICS, PRICE_CURVES = Path("metrics/intervals.json"), Path("reports/price_curves.csv")


def main() -> None:
    """Predict the test rows, and write everything that follows from it."""
    params = files.read_params()
    torch.set_num_threads(params.threads)
    bundle = Bundle.load(BUNDLE, trust_this_run(BUNDLE))
    train, test = (files.read_table(SPLITS / name) for name in ("train", "test"))

    predictions = inference.prediction_table(bundle, test, baseline=float(train[TARGET].median()))
    scores = errors_and_intervals.score(predictions, params.gates, stream(params.seed, "skill"))
    explained, explanation = inference.explain_sample(bundle, train, test, params.explain, params.seed)
    inference.require_same_rows(predictions, explanation)
    context = recommend.context_lines(test, params.pricing.window_days, params.pricing.min_lines)
    curves = recommend.price_curves(context, bundle.product_state, bundle.predict, params.pricing)
    prices = recommend.recommend(curves, params.pricing.objective)
    files.write_table(PREDICTIONS, predictions)
    files.write_table(SHAP_VALUES, explanation.stored().reset_index(names="test_row"))
    files.write_table(PRICES, prices)
    files.write_csv(PRICE_CURVES, recommend.top_curves(curves, prices, context))
    files.write_folder(SHAP_PLOTS, figures.shap_plots(explanation, explained))
    files.write_record(METRICS, inference.accuracy_result(scores, explanation))
    files.write_record(PRICE_METRICS, recommend.summarise(prices))
    files.write_json(INTERVAL_METRICS, inference.coverage_record(bundle, predictions, params.gates, params.seed))


if __name__ == "__main__":
    run_stage("inference_primary_model", main)
