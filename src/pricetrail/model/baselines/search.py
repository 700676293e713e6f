"""The baselines, tuned in earnest: Optuna's TPE by the mean error of folds that only ever look ahead.

To win against a badly tuned rival proves nothing, so LightGBM's search starts from the library's own defaults, and its
space is one in common use for tables of this size.
"""

import itertools
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import optuna
import pandas as pd
from lightgbm.basic import LightGBMError
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import mean_squared_error

from pricetrail.base.errors import DataError, TrainingError
from pricetrail.base.params_schema import Baselines
from pricetrail.base.random_streams import stream_seed
from pricetrail.data.encoder import Encoder
from pricetrail.data.features import DAY, TARGET
from pricetrail.model.baselines.learned import (
    Encoded,
    LightGbm,
    MatrixBaseline,
    Values,
    fit_elastic_net,
    fit_lightgbm,
    fit_svr,
)
from pricetrail.model.baselines.naive import Baseline, fit_medians

log = logging.getLogger(__name__)

STARTUP_TRIALS: Final = 3  # the defaults and two random ones, then TPE
# The first trial of each study: the defaults of LightGBM (lambda_l2: as near as the space goes), the rest as usual.
FIRST_TRIALS: Final[Mapping[str, Values]] = {
    "elastic_net": {"alpha": 1e-3, "l1_ratio": 0.5},
    "lightgbm": {
        "num_leaves": 31,
        "learning_rate": 0.1,
        "min_child_samples": 20,
        "feature_fraction": 1.0,
        "bagging_fraction": 1.0,
        "lambda_l2": 1e-3,
    },
    "svr": {"C": 1.0, "epsilon": 0.1, "gamma": 0.02},
}
# What a library raises on rows it cannot learn from; anything else is an error of ours, and stops the run.
LIBRARY_ERRORS: Final = (LightGBMError, ConvergenceWarning, TrainingError, ValueError, RuntimeError, ArithmeticError)
_TRIAL_COLUMNS: Final = {"model": "str", "trial": "int64", "fold_mse": "float64", "reason": "str"}


@dataclass(frozen=True)
class TunedBaseline:
    """A baseline and how it was found.

    Attributes:
        baseline: fitted on all training rows.
        chosen: the values of the best trial; for LightGBM the ``rounds`` kept, too; empty for a naive one.
        fold_mse: error of the best trial; NaN for a naive one.
        trials: one row a trial: ``model, trial, fold_mse, reason`` and the values tried; no rows for a naive one.
    """

    baseline: Baseline
    chosen: Values
    fold_mse: float
    trials: pd.DataFrame


@dataclass(frozen=True)
class Fold:
    """Rows to learn from, and the rows of later days to be scored on."""

    train: slice
    validation: slice


def time_folds(days: pd.Series, folds: int) -> tuple[Fold, ...]:
    """Cut rows between days into blocks of about equal size; each fold learns from all blocks before its own.

    Args:
        days: the day of every row, in order of time, shape (n,).
        folds: how many; fewer where there are not so many days, none where there is one day only.

    Raises:
        DataError: where the rows are not in order of time.

    >>> [(fold.train.stop, fold.validation.stop) for fold in time_folds(pd.Series([1, 1, 2, 3, 3, 3]), 2)]
    [(2, 3), (3, 6)]
    """
    if not days.is_monotonic_increasing:
        raise DataError("training rows", "must be in order of time")
    starts = np.flatnonzero((days != days.shift()).to_numpy())
    folds = min(folds, len(starts) - 1)
    wanted = np.arange(1, folds + 1) * len(days) / (folds + 1)
    cuts = np.searchsorted(starts, wanted)
    for fold in range(folds):  # each block holds a day at least, and leaves one for each block after it
        cuts[fold] = np.clip(cuts[fold], cuts[fold - 1] + 1 if fold else 1, len(starts) - (folds - fold))
    ends = [*starts[cuts].tolist(), len(days)]
    return tuple(Fold(slice(0, cut), slice(cut, end)) for cut, end in itertools.pairwise(ends))


@dataclass(frozen=True)
class _Tuning:
    """What every trial of every model works on.

    ``train`` and ``validation`` are all rows, for the final fit; ``folds`` what each fold learns from and is scored on.
    """

    train: Encoded
    validation: Encoded
    folds: tuple[tuple[Encoded, Encoded], ...]
    settings: Baselines
    seed: int
    threads: int

    def fit(self, model: str, values: Values, train: Encoded, validation: Encoded) -> MatrixBaseline:
        """Fit one of ``FIRST_TRIALS``."""
        if model == "lightgbm":
            return fit_lightgbm(train, validation, values, stream_seed(self.seed, model), self.threads)
        if model == "svr":
            return fit_svr(train, values, self.settings.svr_rows)
        return fit_elastic_net(train, values)

    def fold_mse(self, model: str, values: Values) -> float:
        """Mean squared error of log quantity, mean over the folds; LightGBM may stop by a fold's validation rows."""
        errors = [_mse(self.fit(model, values, *fold), fold[1]) for fold in self.folds]
        return float(np.mean(errors))


def tune_baselines(
    train: pd.DataFrame,
    validation: pd.DataFrame,
    encoder: Encoder,
    settings: Baselines,
    seed: int,
    threads: int,
) -> tuple[TunedBaseline, ...]:
    """Fit the naive models, and tune and fit those of ``settings.models``.

    Args:
        train: training rows in order of time, shape (n, …).
        validation: rows of later days; LightGBM's final fit is stopped by them.
        encoder: fitted on ``train``.
        settings: models and budget.
        seed: of the samplers and of LightGBM.
        threads: of LightGBM; results repeat for an equal number only.

    Returns:
        The naive ones first; a model that could not be fitted is left out, and its reason logged.

    Raises:
        TrainingError: where LightGBM was asked for and could not be fitted: nothing else is a rival to win against.
        DataError: where the rows of the search are not in order of time.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    tuned = [TunedBaseline(baseline, {}, math.nan, _trial_table("", ())) for baseline in fit_medians(train)]
    tuning = _prepare(train, validation, encoder, settings, seed, threads)
    for model in settings.models:
        try:
            tuned.append(_tune(model, tuning))
        except LIBRARY_ERRORS as error:
            if model == "lightgbm":
                raise TrainingError(model, "must be fitted to be compared with", str(error)) from None
            log.warning("baseline %s is left out: %s", model, error)
    return tuple(tuned)


def _prepare(
    train: pd.DataFrame, validation: pd.DataFrame, encoder: Encoder, settings: Baselines, seed: int, threads: int
) -> _Tuning:
    """Encode the rows and cut the folds; where one training day gives none, the validation rows stand in."""
    rows, held_out = (Encoded(encoder.transform(part), part[TARGET].to_numpy()) for part in (train, validation))
    seen = rows[-settings.search_rows :]
    cuts = time_folds(train[DAY].iloc[-settings.search_rows :], settings.folds)
    folds = tuple((seen[fold.train], seen[fold.validation]) for fold in cuts) or ((seen, held_out),)
    return _Tuning(rows, held_out, folds, settings, seed, threads)


def _tune(model: str, tuning: _Tuning) -> TunedBaseline:
    """Search, then fit the best choice on all training rows."""
    seed = stream_seed(tuning.seed, f"study of {model}")
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP_TRIALS))
    study.enqueue_trial(dict(FIRST_TRIALS[model]))

    def objective(trial: optuna.Trial) -> float:
        try:
            fold_mse = tuning.fold_mse(model, suggest(model, trial))
        except LIBRARY_ERRORS as error:
            trial.set_user_attr("reason", " ".join(str(error).split()))
            log.warning("trial %d of %s failed: %s", trial.number, model, error)
            fold_mse = math.nan
        log.info("%s trial %d: MSE over the folds %.4f", model, trial.number + 1, fold_mse)
        return fold_mse

    study.optimize(objective, n_trials=tuning.settings.n_trials)
    trials = _trial_table(model, study.trials)
    if not trials["fold_mse"].notna().any():
        raise TrainingError(model, "must have one trial that ends well", trials["reason"].iloc[-1])
    baseline = tuning.fit(model, study.best_params, tuning.train, tuning.validation)
    mse = _mse(baseline, tuning.validation)
    log.info(
        "%s: best trial %d, fold MSE %.4f, validation MSE %.4f", model, study.best_trial.number, study.best_value, mse
    )
    rounds = {"rounds": baseline.rounds} if isinstance(baseline, LightGbm) else {}
    return TunedBaseline(baseline, {**study.best_params, **rounds}, study.best_value, trials)


def suggest(model: str, trial: optuna.trial.BaseTrial) -> Values:
    """Draw a model's values from its space, by the library's names."""
    if model == "lightgbm":
        return {
            "num_leaves": trial.suggest_int("num_leaves", 15, 255, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.1, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 20, 400, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.3, 1.0),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
            "lambda_l2": trial.suggest_float("lambda_l2", 1e-3, 100.0, log=True),
        }
    if model == "svr":
        return {
            "C": trial.suggest_float("C", 0.05, 10.0, log=True),
            "epsilon": trial.suggest_float("epsilon", 0.02, 0.5, log=True),
            "gamma": trial.suggest_float("gamma", 1e-3, 0.2, log=True),
        }
    return {  # below these bounds columns that say the same leave the solution open, and the bytes with it
        "alpha": trial.suggest_float("alpha", 1e-4, 1.0, log=True),
        "l1_ratio": trial.suggest_float("l1_ratio", 0.05, 0.95),
    }


def _mse(baseline: MatrixBaseline, rows: Encoded) -> float:
    """Of log quantity; predictions that are not finite are an error (scikit-learn)."""
    return float(mean_squared_error(rows.y.astype(np.float64), baseline.predict_matrix(rows.x)))


def _trial_table(model: str, trials: Sequence[optuna.trial.FrozenTrial]) -> pd.DataFrame:
    """One row a trial, with the reason where it failed; no clock in it."""
    rows = [
        {"model": model, "trial": t.number, "fold_mse": t.value, "reason": t.user_attrs.get("reason", ""), **t.params}
        for t in trials
    ]
    return pd.DataFrame(rows, columns=[*_TRIAL_COLUMNS, *FIRST_TRIALS.get(model, {})]).astype(_TRIAL_COLUMNS)
