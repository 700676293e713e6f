"""Stage ``tune_baseline_models``: the models that stand beside the network, and behind it as backups."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import pandas as pd
from sklearn.metrics import mean_squared_error

from pricetrail.base import files
from pricetrail.data.encoder import Encoder
from pricetrail.data.features import TARGET
from pricetrail.model.baselines.naive import INDEX
from pricetrail.model.baselines.search import Trial, TunedBaseline, tune_baselines
from pricetrail.stages import run_stage

SPLITS, ENCODER = Path("data/splits"), Path("models/encoder.json")
BASELINES, REPORTS = Path("models/baselines"), Path("reports/baselines")


log = logging.getLogger(__name__)


class Entry(TypedDict):
    """A baseline in the index."""

    name: str
    validation_mse_log_quantity: float
    chosen: Mapping[str, float]


def main() -> None:
    """Tune, fit, score on the validation days, and write each as data."""
    params = files.read_params()
    encoder = Encoder.from_json(files.read_text(ENCODER))
    train, validation = (files.read_table(SPLITS / name) for name in ("train", "validation"))
    tuned = tune_baselines(train, validation, encoder, params.baselines, params.seed, params.threads, _log_trial)
    index = [_entry(found, validation, encoder) for found in tuned]
    contents = {name: content for found in tuned for name, content in found.baseline.to_files().items()}
    files.write_folder(BASELINES, {**contents, INDEX: (json.dumps(index, indent=1) + "\n").encode()})
    trials = pd.concat([found.trials for found in tuned if len(found.trials)] or [tuned[0].trials])
    files.write_folder(REPORTS, {"trials.csv": files.csv_bytes(trials)})


def _log_trial(trial: Trial) -> None:
    log.info("%s trial %d: MSE over the folds %.4f", trial.model, trial.number + 1, trial.fold_mse)


def _entry(found: TunedBaseline, validation: pd.DataFrame, encoder: Encoder) -> Entry:
    mse = mean_squared_error(validation[TARGET], found.baseline.predict(validation, encoder))
    chosen = {name: float(f"{value:.6g}") for name, value in found.chosen.items()}
    return {"name": found.baseline.name, "validation_mse_log_quantity": float(f"{mse:.6g}"), "chosen": chosen}


if __name__ == "__main__":
    run_stage("tune_baseline_models", main)
