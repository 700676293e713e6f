"""Helper of the accuracy benchmarks: the network beside tuned LightGBM and all others, as one result."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from harness import BenchmarkError, Goal, Result
from pricetrail.base import files
from pricetrail.model.bundle import PRIMARY

UNIT: Final = "MSE of log quantity"
RIVAL: Final = "lightgbm"
SIGHT: Final = "LightGBM has the same rows and as-of features; the network also attends to past lines."
TABLE: Final = Path("reports/models.csv")

Row = Mapping[str, Any]


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of the table of models, lowest error first; NaN where a model has no figure."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The table of models that a run left in a folder."""
    return rows(pd.read_csv(folder / TABLE))


def find(models: Sequence[Row], name: str) -> Row:
    """A model's row.

    Raises:
        BenchmarkError: where the table does not have it.
    """
    for row in models:
        if row["model"] == name:
            return row
    raise BenchmarkError(f"the table of models must have {name}, has {', '.join(row['model'] for row in models)}")


def outcome(models: Sequence[Row]) -> str:
    """Whether the network wins against LightGBM, in one sentence."""
    rival = find(models, RIVAL)
    if rival["difference_high"] < 0:
        return "The network is better: the 95% interval of the difference (days resampled) is below 0."
    if rival["difference_low"] > 0:
        return "LightGBM is better: the 95% interval of the difference (days resampled) is above 0."
    first = "The network's error is lower" if rival["difference"] < 0 else "LightGBM's error is lower"
    return f"{first}, by no more than chance: the 95% interval of the difference (days resampled) holds 0."


def result(
    name: str, models: Sequence[Row], goals: Sequence[Goal], what_was_run: str, details: Mapping[str, Any]
) -> Result:
    """The result of a table of models.

    Args:
        name: of the result.
        models: one row a model, in the columns of ``reports/models.csv``.
        goals: what the figures are held against.
        what_was_run: in sentences; whether the network wins is added.
        details: kept beside the table.
    """
    ours, rival = find(models, PRIMARY), find(models, RIVAL)
    return Result(
        name=name,
        value=ours["mse_log_quantity"],
        unit=UNIT,
        rival="tuned LightGBM on the same rows and features",
        rival_value=rival["mse_log_quantity"],
        ratio=rival["mse_log_quantity"] / ours["mse_log_quantity"],
        what_was_run=f"{what_was_run} {SIGHT} {outcome(models)}",
        goals=tuple(goals),
        details={"models": list(models), **details},
    )


def mse_goal(models: Sequence[Row], rule: str, limit: float) -> Goal:
    """The network's error against a limit."""
    return Goal("test MSE", find(models, PRIMARY)["mse_log_quantity"], rule, limit, UNIT)


def ratio_goal(models: Sequence[Row], limit: float) -> Goal:
    """The network's error over LightGBM's against a limit."""
    return Goal("network over LightGBM", find(models, RIVAL)["ratio"], "<=", limit, "x")


def difference_goal(models: Sequence[Row]) -> Goal:
    """The upper end of the interval of the difference must be below zero."""
    high = find(models, RIVAL)["difference_high"]
    return Goal("upper end of the 95% interval of the difference network - LightGBM", high, "<", 0.0, "MSE")


def chosen(folder: Path) -> dict[str, Any]:
    """What the studies of a run chose, the network's and the baselines', with their validation errors."""
    return {
        "network": files.read_json(folder / "metrics/validation.json"),
        "baselines": json.loads(files.read_text(folder / "models/baselines/index.json")),
    }
