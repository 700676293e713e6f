"""The study: which network and training, chosen on validation days only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import optuna
import pandas as pd

from pricetrail.encoding import Encoder
from pricetrail.errors import TrainingError
from pricetrail.model.network import NetworkSpec
from pricetrail.model.training import Epoch, TrainingData, TrainingSpec, train
from pricetrail.params import Tuning
from pricetrail.streams import stream_seed

log = logging.getLogger(__name__)

STARTUP_TRIALS = 3
WARM_UP_EPOCHS = 2


class Watch(Protocol):
    """Who is told of the progress of a study."""

    def epoch(self, task: str, epoch: Epoch, max_epochs: int) -> None:
        """An epoch of a trial, or of the final fit, has ended."""


@dataclass(frozen=True)
class Choice:
    """A network and how to train it."""

    network: NetworkSpec
    training: TrainingSpec


@dataclass(frozen=True)
class Study:
    """The result of a search.

    Attributes:
        best: what had the lowest validation error.
        trials: one row a trial: ``trial, state, validation_mse, epochs, reason`` and the values tried.
    """

    best: Choice
    trials: pd.DataFrame


def suggest(trial: optuna.trial.BaseTrial, tuning: Tuning) -> Choice:
    """Draw a network and its training from the space."""
    space = tuning.space
    network = NetworkSpec(
        layers=trial.suggest_int("layers", *space.layers),
        width=int(trial.suggest_categorical("width", space.width)),
        dropout=trial.suggest_float("dropout", *space.dropout),
    )
    training = TrainingSpec(
        learning_rate=trial.suggest_float("learning_rate", *space.learning_rate, log=True),
        weight_decay=trial.suggest_float("weight_decay", *space.weight_decay, log=True),
        batch_size=int(trial.suggest_categorical("batch_size", space.batch_size)),
        max_epochs=tuning.max_epochs,
        patience_epochs=tuning.patience_epochs,
    )
    return Choice(network, training)


def search(data: TrainingData, encoder: Encoder, tuning: Tuning, seed: int, watch: Watch) -> Study:
    """Run the study: seeded TPE, median pruning after the first epochs, one trial at a time.

    Args:
        data: rows to train on and to select by; only the latest ``tuning.search_rows`` training rows are used.
        encoder: gives the bins of the columns.
        tuning: budget and space.
        seed: of the sampler and of every trial.
        watch: told of every epoch.

    Raises:
        TrainingError: where every trial failed, with the last reason.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seen = TrainingData(
        data.x_train[-tuning.search_rows :],
        data.y_train[-tuning.search_rows :],
        data.x_validation,
        data.y_validation,
    )
    study = optuna.create_study(
        direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=stream_seed(seed, "study"), n_startup_trials=STARTUP_TRIALS),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARM_UP_EPOCHS),
    )
    study.optimize(_objective(seen, encoder, tuning, seed, watch), n_trials=tuning.n_trials)
    trials = _trial_table(study)
    if not (trials["state"] == "complete").any():
        raise TrainingError("tuning", "must have one trial that ends well", str(trials["reason"].iloc[-1]))
    log.info("best trial %d: validation MSE %.4f", study.best_trial.number, study.best_value)
    return Study(suggest(optuna.trial.FixedTrial(study.best_params), tuning), trials)


def _objective(
    data: TrainingData, encoder: Encoder, tuning: Tuning, seed: int, watch: Watch
) -> Callable[[optuna.Trial], float]:
    """The validation error of a trial's best epoch."""

    def objective(trial: optuna.Trial) -> float:
        choice = suggest(trial, tuning)

        def on_epoch(epoch: Epoch) -> None:
            watch.epoch(f"trial {trial.number + 1}/{tuning.n_trials}", epoch, tuning.max_epochs)
            trial.report(epoch.validation_mse, epoch.number)
            if trial.should_prune():
                raise optuna.TrialPruned

        trial_seed = stream_seed(seed, f"trial {trial.number}")
        try:
            trained = train(choice.network, choice.training, encoder.column_edges, data, trial_seed, on_epoch)
        except TrainingError as error:
            trial.set_user_attr("reason", str(error))
            log.warning("trial %d failed: %s", trial.number, error)
            return float("nan")
        return trained.best.validation_mse

    return objective


def _trial_table(study: optuna.Study) -> pd.DataFrame:
    """Every trial, with the reason where it gave no error; no clock in it."""
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "validation_mse": min(trial.intermediate_values.values(), default=float("nan")),
            "epochs": len(trial.intermediate_values),
            "reason": trial.user_attrs.get("reason", ""),
            **trial.params,
        }
        for trial in study.trials
    ]
    return pd.DataFrame(rows)
