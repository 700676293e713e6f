"""The candidate: the study's best network fitted on all training rows, with its intervals and the models behind it."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
import torch

from pricetrail.base.errors import BundleError, DataError
from pricetrail.base.limits import load_json
from pricetrail.base.random_streams import stream_seed
from pricetrail.checks.errors_and_intervals import errors
from pricetrail.checks.estimates import ValidationResult
from pricetrail.data.encoder import Encoder
from pricetrail.data.features import TARGET
from pricetrail.data.groups import buyers
from pricetrail.data.past_lines import History
from pricetrail.model.baselines.naive import INDEX, load_baseline
from pricetrail.model.bundle import Bundle
from pricetrail.model.bundle_files import Backup, Primary
from pricetrail.model.conformal import fit_conformal
from pricetrail.model.inputs import Inputs, LookBack, TargetScale
from pricetrail.model.study import Choice
from pricetrail.model.training import Epoch, Trained, TrainingData, train

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingTables:
    """What the candidate is made from.

    Attributes:
        train, validation: rows with features and target.
        encoder: fitted on ``train``.
        history: all lines; a row sees those of earlier days.
        look_back: how many of them.
    """

    train: pd.DataFrame
    validation: pd.DataFrame
    encoder: Encoder
    history: History
    look_back: LookBack

    def tensors(self) -> TrainingData:
        """The rows as the network reads them, scaled by the training targets."""
        y_train, y_validation = (
            torch.from_numpy(rows[TARGET].to_numpy(copy=True)) for rows in (self.train, self.validation)
        )
        scale = TargetScale.of(y_train)
        train_inputs, validation_inputs = (
            Inputs.of(rows, self.encoder, self.history, self.look_back, scale) for rows in (self.train, self.validation)
        )
        events = torch.from_numpy(self.history.events(scale.mean, scale.std))
        return TrainingData(train_inputs, y_train, validation_inputs, y_validation, scale, events)


def fit(choice: Choice, data: TrainingData, encoder: Encoder, seed: int, on_epoch: Callable[[Epoch], None]) -> Trained:
    """Train the chosen network on all training rows."""
    stream = stream_seed(seed, "candidate")
    return train(choice.network, choice.training, encoder.column_edges, data, stream, on_epoch)


def read_backups(files: Mapping[str, bytes]) -> tuple[Backup, ...]:
    """The stored baselines, lowest validation error first.

    Args:
        files: by name: the models', and ``index.json``, a list of ``name`` and ``validation_mse_log_quantity``.

    Raises:
        BundleError: a file or the index is not what was stored.
    """
    try:
        found = {str(entry["name"]): float(entry["validation_mse_log_quantity"]) for entry in load_json(files[INDEX])}
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(INDEX, f"must list the baselines: {error}") from None
    backups = [Backup(load_baseline(name, files), error) for name, error in found.items()]
    return tuple(sorted(backups, key=lambda backup: backup.validation_mse_log_quantity))


def assemble(
    tables: TrainingTables, choice: Choice, trained: Trained, product_state: pd.DataFrame, backups: tuple[Backup, ...]
) -> Bundle:
    """The bundle, its intervals calibrated on the validation rows; without intervals where these are too few."""
    primary = Primary(choice.network, trained.weights, trained.scale, tables.look_back)
    bundle = Bundle(tables.encoder, tables.history, product_state, primary, backups)
    rows = tables.validation
    try:
        intervals = fit_conformal(rows[TARGET].to_numpy(np.float64), bundle.predict(rows), buyers(rows))
    except DataError as error:
        log.warning("no prediction intervals: %s", error)
        return bundle
    return replace(bundle, intervals=intervals)


def validation_result(rows: pd.DataFrame, bundle: Bundle, choice: Choice, trained: Trained) -> ValidationResult:
    """The bundle's errors on the validation rows, and what was chosen."""
    chosen = {**asdict(choice.network), **asdict(choice.training), "epochs": trained.best.number + 1}
    found = errors(rows[TARGET].to_numpy(np.float64), bundle.predict(rows))
    return ValidationResult(**asdict(found), chosen=(chosen,))
