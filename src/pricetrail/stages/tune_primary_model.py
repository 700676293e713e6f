"""Stage ``tune_primary_model``: the study, then its best network trained on all training rows, as a bundle."""

from dataclasses import asdict
from pathlib import Path

import pandas as pd
import torch

from pricetrail import evaluation, files
from pricetrail.encoding import Encoder
from pricetrail.features import TARGET
from pricetrail.model.bundle import Bundle
from pricetrail.model.search import search
from pricetrail.model.training import Epoch, Trained, TrainingData, train
from pricetrail.progress import watching
from pricetrail.stages import run_stage
from pricetrail.streams import stream_seed

SPLITS, ENCODER, STATE = Path("data/splits"), Path("models/encoder.json"), Path("data/product_state.parquet")
BUNDLE, REPORTS, METRICS = Path("models/candidate"), Path("reports/tuning"), Path("metrics/validation.json")


def main() -> None:
    """Search, train, write bundle, plots and validation figures."""
    params = files.read_params()
    torch.set_num_threads(params.threads)
    encoder = Encoder.from_json(files.read_text(ENCODER))
    train_rows, validation_rows = (files.read_table(SPLITS / f"{name}.parquet") for name in ("train", "validation"))
    data = TrainingData(*_tensors(train_rows, encoder), *_tensors(validation_rows, encoder))
    with watching() as watch:
        study = search(data, encoder, params.tuning, params.seed, watch)
        best = study.best

        def on_epoch(epoch: Epoch) -> None:
            watch.epoch("all rows", epoch, best.training.max_epochs)

        seed = stream_seed(params.seed, "candidate")
        trained = train(best.network, best.training, encoder.column_edges, data, seed, on_epoch)
    bundle = Bundle.of(trained, encoder, best.network, files.read_table(STATE))
    errors = evaluation.errors(validation_rows[TARGET].to_numpy().astype("float64"), bundle.predict(validation_rows))
    files.write_folder(BUNDLE, bundle.files())
    files.write_folder(
        REPORTS, {"trials.csv": files.csv_bytes(study.trials), "curve.csv": files.csv_bytes(_curve(trained))}
    )
    chosen = {**asdict(best.network), **asdict(best.training), "epochs": trained.best.number + 1}
    files.write_json(METRICS, {**asdict(errors), "chosen": [chosen]})


def _tensors(rows: pd.DataFrame, encoder: Encoder) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(encoder.transform(rows)), torch.from_numpy(rows[TARGET].to_numpy(copy=True))


def _curve(trained: Trained) -> pd.DataFrame:
    return pd.DataFrame([asdict(epoch) for epoch in trained.curve]).rename(columns={"number": "epoch"})


if __name__ == "__main__":
    run_stage("tune_primary_model", main)
