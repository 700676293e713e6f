"""Helper of benchmarks of the training: what the stage ``tune_primary_model`` trains on, of the folder it runs in."""

from __future__ import annotations

from pathlib import Path

import torch

from pricetrail.base import files
from pricetrail.base.params import Params
from pricetrail.data.encoder import Encoder
from pricetrail.data.past_lines import History
from pricetrail.model.candidate import TrainingTables
from pricetrail.model.inputs import LookBack

SPLITS, ENCODER = Path("data/splits"), Path("models/encoder.json")


def read() -> tuple[Params, TrainingTables]:
    """The dials and the rows; torch gets the threads that the dials say."""
    params = files.read_params()
    torch.set_num_threads(params.threads)
    train, validation, history = (files.read_table(SPLITS / name) for name in ("train", "validation", "history"))
    look_back = LookBack(params.tuning.sku_lines, params.tuning.customer_lines)
    encoder = Encoder.from_json(files.read_text(ENCODER))
    return params, TrainingTables(train, validation, encoder, History(history), look_back)
