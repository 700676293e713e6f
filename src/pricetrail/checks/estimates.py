"""Errors and intervals as they are recorded. A figure that could not be computed is None."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Number = float | None
Bounds = tuple[Number, Number]


@dataclass(frozen=True)
class Errors:
    """Errors of predictions on rows.

    Attributes:
        mse_log_quantity: of log1p(units).
        mae_units: of units.
        rmsle: root mean squared logarithmic error of units; predictions below zero count as zero.
    """

    rows: int
    mse_log_quantity: float
    mae_units: float
    rmsle: float


@dataclass(frozen=True)
class ValidationResult(Errors):
    """``metrics/validation.json``: errors on the validation days, and the network that was chosen, by its settings."""

    chosen: tuple[Mapping[str, Any]]


@dataclass(frozen=True)
class Interval:
    """A figure with its bootstrap interval."""

    value: Number
    low: Number
    high: Number


def known(value: Number) -> Number:
    """A figure, None where it is no finite number.

    >>> known(0.5), known(float("nan")), known(float("inf"))
    (0.5, None, None)
    """
    return value if value is not None and math.isfinite(value) else None
