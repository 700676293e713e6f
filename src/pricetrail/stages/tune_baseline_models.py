"""Stage ``tune_baseline_models``: the models that stand beside the network, and behind it as backups."""

import json
from pathlib import Path

import pandas as pd
from sklearn.metrics import mean_squared_error

from pricetrail.base import files
from pricetrail.base.json_type import Json
from pricetrail.data.encoder import Encoder
from pricetrail.data.features import TARGET
from pricetrail.model.baselines.naive import INDEX
from pricetrail.model.baselines.search import TunedBaseline, tune_baselines
from pricetrail.stages import run_stage

SPLITS, ENCODER = Path("data/splits"), Path("models/encoder.json")
BASELINES, REPORTS = Path("models/baselines"), Path("reports/baselines")


def main() -> None:
    """Tune, fit, score on the validation days, and write each as data."""
    params = files.read_params()
    encoder = Encoder.from_json(files.read_text(ENCODER))
    train, validation = (files.read_table(SPLITS / name) for name in ("train", "validation"))
    tuned = tune_baselines(train, validation, encoder, params.baselines, params.seed, params.threads)
    index = [_entry(found, validation, encoder) for found in tuned]
    contents = {name: content for found in tuned for name, content in found.baseline.to_files().items()}
    files.write_folder(BASELINES, {**contents, INDEX: (json.dumps(index, indent=1) + "\n").encode()})
    trials = pd.concat([found.trials for found in tuned if len(found.trials)] or [tuned[0].trials])
    files.write_folder(REPORTS, {"trials.csv": files.csv_bytes(trials)})


def _entry(found: TunedBaseline, validation: pd.DataFrame, encoder: Encoder) -> dict[str, Json]:
    mse = mean_squared_error(validation[TARGET], found.baseline.predict(validation, encoder))
    chosen = {name: float(f"{value:.6g}") for name, value in found.chosen.items()}
    return {"name": found.baseline.name, "validation_mse_log_quantity": float(f"{mse:.6g}"), "chosen": chosen}


if __name__ == "__main__":
    run_stage("tune_baseline_models", main)
