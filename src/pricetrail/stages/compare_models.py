"""Stage ``compare_models``: the network beside the baselines on the test days, in one table."""

from pathlib import Path

from pricetrail.base import files
from pricetrail.base.random_streams import stream
from pricetrail.checks import model_comparison
from pricetrail.model.bundle import PRIMARY, Bundle
from pricetrail.model.inference import backup_predictions
from pricetrail.model.trust import trust_this_run
from pricetrail.stages import run_stage

PREDICTIONS, TEST, BUNDLE = Path("data/predictions.parquet"), Path("data/splits/test"), Path("models/candidate")
METRICS, TABLE, ROWS = Path("metrics/models.json"), Path("reports/models.csv"), Path("metrics/test")


def main() -> None:
    """Predict with every backup, and compare."""
    params = files.read_params()
    bundle = Bundle.load(BUNDLE, trust_this_run(BUNDLE))
    others = backup_predictions(bundle, files.read_table(TEST))
    predictions = files.read_table(PREDICTIONS)
    rivals = model_comparison.compare(predictions, others, PRIMARY, params.gates, stream(params.seed, "models"))
    files.write_json(METRICS, model_comparison.record(rivals, PRIMARY))
    files.write_csv(TABLE, model_comparison.model_table(rivals))
    for name, row in model_comparison.metric_rows(rivals).items():
        files.write_json(ROWS / f"{name}.json", row)


if __name__ == "__main__":
    run_stage("compare_models", main)
