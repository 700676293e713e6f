"""``tuning.method: fixed``: the network that an earlier study chose, trained without another study."""

from dataclasses import fields, replace
from typing import Any

import pandas as pd

from pricetrail.base.params_schema import Fixed, Tuning
from pricetrail.model.network import NetworkSpec
from pricetrail.model.study import Choice, Parameter, Study
from pricetrail.model.study_figures import FIXED
from pricetrail.model.training import Trained, TrainingSpec


def fixed_study(tuning: Tuning) -> Study | None:
    """What ``study.search`` would find, without a trial: the network given; None where ``tuning.method`` is another."""
    if tuning.fixed is None or tuning.method != "fixed":
        return None
    return Study(choice_of(tuning.fixed, tuning), pd.DataFrame(), pd.DataFrame({"parameter": [], "importance": []}))


def choice_of(fixed: Fixed, tuning: Tuning) -> Choice:
    """The network and its training as the final fit of a study takes them: its budget is that of ``tuning``."""
    known: dict[str, Any] = {**tuning.model_dump(), **fixed.model_dump()}
    network, training = (
        {field.name: known[field.name] for field in fields(spec)} for spec in (NetworkSpec, TrainingSpec)
    )
    return Choice(NetworkSpec(**network), TrainingSpec(**training))


def with_final_fit(study: Study, trained: Trained) -> Study:
    """A study as it is; where no trial ran, the final fit stands as the only row of its trials, in their columns.

    Its error is that of the best epoch, as a trial's is, and its epochs all that ran.
    """
    if len(study.trials):
        return study
    row = {
        "trial": 0,
        "state": FIXED,
        "validation_mse": trained.best.validation_mse,
        "epochs": len(trained.curve),
        "reason": "",
        **_parameters(study.best),
    }
    return replace(study, trials=pd.DataFrame([row]))


def _parameters(choice: Choice) -> dict[str, Parameter]:
    """Under the names that ``study.suggest`` gives them."""
    network, training = choice.network, choice.training
    return {
        "layers": len(network.widths),
        **{f"width_{layer}": width for layer, width in enumerate(network.widths)},
        **{f"dropout_{layer}": dropout for layer, dropout in enumerate(network.dropouts)},
        **{name: getattr(network, name) for name in ("bins", "batch_norm", "residual", "ensemble_size")},
        **{name: getattr(training, name) for name in ("optimizer", "learning_rate", "weight_decay", "batch_size")},
    }
