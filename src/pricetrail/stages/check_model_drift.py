"""Stage ``check_model_drift``: the candidate's error on the last days against its validation error; no gate."""

import logging
from pathlib import Path

import torch

from pricetrail.base import files
from pricetrail.base.random_streams import stream
from pricetrail.checks.model_drift import check_model_drift
from pricetrail.model.bundle import Bundle
from pricetrail.model.trust import trust_this_run
from pricetrail.stages import run_stage

PREDICTIONS, VALIDATION = Path("data/predictions.parquet"), Path("data/splits/validation")
BUNDLE, METRICS = Path("models/candidate"), Path("metrics/model_drift.json")

log = logging.getLogger(__name__)


def main() -> None:
    """Predict the validation rows, and hold the errors against each other."""
    params = files.read_params()
    torch.set_num_threads(params.threads)
    bundle, validation = Bundle.load(BUNDLE, trust_this_run(BUNDLE)), files.read_table(VALIDATION)
    predictions = files.read_table(PREDICTIONS)
    rng = stream(params.seed, "model drift")
    predicted = bundle.predict(validation)
    found = check_model_drift(validation, predicted, predictions, params.drift, params.gates, rng)
    log.log(logging.WARNING if found.drifted else logging.INFO, "%s", found.reasons[0])
    files.write_record(METRICS, found)


if __name__ == "__main__":
    run_stage("check_model_drift", main)
