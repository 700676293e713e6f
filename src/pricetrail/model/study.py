"""The study: which network and training, chosen on validation days only."""

import logging
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar, cast

import optuna
import pandas as pd

from pricetrail.base.errors import TrainingError
from pricetrail.base.params_schema import Space, Tuning
from pricetrail.base.random_streams import stream, stream_seed
from pricetrail.model.inputs import Inputs
from pricetrail.model.network import NetworkSpec
from pricetrail.model.study_journal import REASON, Journal
from pricetrail.model.training import Epoch, TrainingData, TrainingSpec, train

Value = TypeVar("Value", bound=int | str)
Parameter = float | int | str | bool

log = logging.getLogger(__name__)

STARTUP_TRIALS = 3
WARM_UP_EPOCHS = 2
USUAL: Final[Mapping[str, Parameter]] = {
    "layers": 2,
    **{f"{parameter}_{layer}": value for layer in range(2) for parameter, value in (("width", 128), ("dropout", 0.2))},
    **{"bins": 16, "batch_norm": True, "residual": True, "ensemble_size": 1},
    **{"optimizer": "adamw", "learning_rate": 0.003, "weight_decay": 0.001, "batch_size": 1024},
}


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
        importances: share of the errors' variance by parameter (``parameter, importance``), largest first.
    """

    best: Choice
    trials: pd.DataFrame
    importances: pd.DataFrame


def suggest(trial: optuna.trial.BaseTrial, tuning: Tuning) -> Choice:
    """Draw a network and its training from the space; a choice of one is no parameter of the study."""
    space = tuning.space

    def pick(name: str, choices: Sequence[Value]) -> Value:
        if len(choices) == 1:
            return choices[0]
        return cast(Value, trial.suggest_categorical(name, choices))

    layers = trial.suggest_int("layers", *space.layers)
    network = NetworkSpec(
        widths=tuple(pick(f"width_{layer}", space.width) for layer in range(layers)),
        dropouts=tuple(trial.suggest_float(f"dropout_{layer}", *space.dropout) for layer in range(layers)),
        bins=pick("bins", space.bins),
        batch_norm=pick("batch_norm", space.batch_norm),
        residual=pick("residual", space.residual),
        ensemble_size=pick("ensemble_size", space.ensemble_size),
    )
    training = TrainingSpec(
        optimizer=pick("optimizer", space.optimizer),
        learning_rate=trial.suggest_float("learning_rate", *space.learning_rate, log=True),
        weight_decay=trial.suggest_float("weight_decay", *space.weight_decay, log=True),
        batch_size=pick("batch_size", space.batch_size),
        max_epochs=tuning.max_epochs,
        patience_epochs=tuning.patience_epochs,
        min_steps=tuning.min_steps,
    )
    return Choice(network, training)


def grid(space: Space, layers: int) -> dict[str, list[Parameter]]:
    """The values of each parameter of a network of so many layers: all choices, and ends and middle of the ranges.

    The middle is the geometric one where the range is searched on a logarithmic scale.
    """

    def places(low: float, high: float, is_log: bool = False) -> list[Parameter]:
        middle = math.sqrt(low * high) if is_log else (low + high) / 2
        return [low, middle, high] if low < high else [low]

    choices: Mapping[str, Sequence[Parameter]] = {
        **{f"width_{layer}": space.width for layer in range(layers)},
        **{name: getattr(space, name) for name in ("bins", "batch_norm", "residual", "ensemble_size")},
        "optimizer": space.optimizer,
        "batch_size": space.batch_size,
    }
    return {
        **{name: list(dict.fromkeys(values)) for name, values in choices.items()},
        **{f"dropout_{layer}": places(*space.dropout) for layer in range(layers)},
        "learning_rate": places(*space.learning_rate, is_log=True),
        "weight_decay": places(*space.weight_decay, is_log=True),
    }


def grid_trials(tuning: Tuning, seed: int) -> list[dict[str, Parameter]]:
    """Combinations of the grid in a drawn order, none twice, ``n_trials`` of them or all.

    They are counted and not listed: the shipped space has millions.
    """
    least, most = tuning.space.layers
    grids = {layers: grid(tuning.space, layers) for layers in range(least, most + 1)}
    sizes = {layers: math.prod(map(len, values.values())) for layers, values in grids.items()}
    total = sum(sizes.values())

    def at(place: int) -> dict[str, Parameter]:
        layers = least
        while place >= sizes[layers]:
            place -= sizes[layers]
            layers += 1
        chosen: dict[str, Parameter] = {"layers": layers}
        for name, values in grids[layers].items():
            place, digit = divmod(place, len(values))
            chosen[name] = values[digit]
        return chosen

    drawn = stream(seed, "study").choice(total, min(tuning.n_trials, total), replace=False)
    return [at(int(place)) for place in drawn]


def search(
    data: TrainingData,
    column_edges: Sequence[Sequence[float]],
    tuning: Tuning,
    seed: int,
    watch: Watch,
    journal: Journal | None = None,
) -> Study:
    """Run the study: seeded, one trial at a time, poor trials stopped early.

    Trial n draws from a sampler seeded for n, so that it depends on the trials before it and on nothing else, and a
    study that was cut off ends as an unbroken one does.

    Args:
        data: rows to train on and to select by; only the latest ``tuning.search_rows`` training rows are used.
        column_edges: bins of each column.
        tuning: budget and space.
        seed: of the sampler and of every trial.
        watch: told of every epoch.
        journal: keeps finished trials; none by default.

    Raises:
        TrainingError: where every trial failed, with the last reason.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = (journal or Journal(None)).open(_pruner(tuning))
    _run_trials(study, _objective(_latest(data, tuning.search_rows), column_edges, tuning, seed, watch), tuning, seed)
    trials = _trial_table(study)
    if not (trials["state"] == "complete").any():
        reasons = [reason for reason in trials["reason"] if reason]
        raise TrainingError("tuning", "must have one trial that ends well", reasons[-1] if reasons else "pruned ones")
    log.info("best trial %d: validation MSE %.4f", study.best_trial.number, study.best_value)
    best = suggest(optuna.trial.FixedTrial(study.best_params), tuning)
    return Study(best, trials, _importances(study))


def _run_trials(study: optuna.Study, objective: Callable[[optuna.Trial], float], tuning: Tuning, seed: int) -> None:
    """Run the trials that are still missing, one at a time, until the budget of trials or of minutes is spent."""
    if tuning.max_minutes:
        log.warning("tuning.max_minutes ends the study by the clock: another run may find another model")
    planned = grid_trials(tuning, seed) if tuning.method == "grid" else None
    for number in range(len(study.trials), tuning.n_trials if planned is None else len(planned)):
        study.sampler = _sampler(seed, number)
        if planned is not None:
            study.enqueue_trial(planned[number])
        elif number == 0:
            study.enqueue_trial(_usual(tuning.space))
        study.optimize(objective, n_trials=1)
        if tuning.max_minutes and _seconds(study) > tuning.max_minutes * 60:
            break


def _usual(space: Space) -> dict[str, Parameter]:
    """The first trial of a study: usual values, as far as the space has them."""

    def has(parameter: str, value: Parameter) -> bool:
        choices = getattr(space, parameter.rpartition("_")[0] if parameter[-1].isdigit() else parameter)
        if parameter.startswith(("dropout", "layers", "learning_rate", "weight_decay")):
            return bool(choices[0] <= value <= choices[1])
        return bool(value in choices)

    return {parameter: value for parameter, value in USUAL.items() if has(parameter, value)}


def _latest(data: TrainingData, rows: int) -> TrainingData:
    train_inputs: Inputs = data.train.last(rows)
    return TrainingData(train_inputs, data.y_train[-rows:], data.validation, data.y_validation, data.scale, data.events)


def _sampler(seed: int, number: int) -> optuna.samplers.BaseSampler:
    trial_seed = stream_seed(seed, f"study {number}")
    return optuna.samplers.TPESampler(seed=trial_seed, n_startup_trials=STARTUP_TRIALS)


def _pruner(tuning: Tuning) -> optuna.pruners.BasePruner:
    match tuning.pruner:
        case "median":
            return optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS, n_warmup_steps=WARM_UP_EPOCHS)
        case "hyperband":
            return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=tuning.max_epochs)
        case "none":
            return optuna.pruners.NopPruner()


def _seconds(study: optuna.Study) -> float:
    """Seconds that the finished trials took, those of an earlier attempt included."""
    return sum(trial.duration.total_seconds() for trial in study.trials if trial.duration is not None)


def _objective(
    data: TrainingData, column_edges: Sequence[Sequence[float]], tuning: Tuning, seed: int, watch: Watch
) -> Callable[[optuna.Trial], float]:
    """The validation error of a trial's best epoch."""

    def objective(trial: optuna.Trial) -> float:
        choice = suggest(trial, tuning)

        def on_epoch(epoch: Epoch) -> None:
            epochs = choice.training.epochs(len(data.y_train))
            watch.epoch(f"trial {trial.number + 1}/{tuning.n_trials}", epoch, epochs)
            trial.report(epoch.validation_mse, epoch.number)
            if trial.should_prune():
                raise optuna.TrialPruned

        trial_seed = stream_seed(seed, f"trial {trial.number}")
        try:
            trained = train(choice.network, choice.training, column_edges, data, trial_seed, on_epoch)
        except TrainingError as error:
            trial.set_user_attr(REASON, str(error))
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
            "reason": trial.user_attrs.get(REASON, ""),
            **trial.params,
        }
        for trial in study.trials
    ]
    return pd.DataFrame(rows)


def _importances(study: optuna.Study) -> pd.DataFrame:
    """PED-ANOVA (Watanabe et al. 2023, arXiv:2304.10255) of the parameters that every complete trial drew.

    Empty where there are too few complete trials to compare.
    """
    complete = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    shares: Mapping[str, float] = {}
    if len({trial.value for trial in complete}) > STARTUP_TRIALS:
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that few trials tell little is plain from their number
            shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return pd.DataFrame({"parameter": list(shares), "importance": [float(share) for share in shares.values()]})
