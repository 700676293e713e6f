"""The files of a run that its model card is written from, as types.

Figures that a stage could not compute are None. Fields that a file has besides are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Number = float | None
Bounds = tuple[Number, Number]


@dataclass(frozen=True)
class Dropped:
    """Lines that the ETL left out for one reason."""

    reason: str
    rows: int


@dataclass(frozen=True)
class Lines:
    """``metrics/etl.json``: lines read and kept, and their first and last day (ISO dates)."""

    rows_read: int
    rows_kept: int
    rows_dropped: int
    rows_quarantined: int
    dropped: tuple[Dropped, ...]
    days: tuple[str, str]


@dataclass(frozen=True)
class Errors:
    """Errors on rows, in log1p(units) and units."""

    rows: int
    mse_log_quantity: Number = None
    mae_units: Number = None
    rmsle: Number = None


@dataclass(frozen=True)
class Chosen:
    """The network that the study chose."""

    widths: tuple[int, ...]
    bins: int
    ensemble_size: int
    optimizer: str
    learning_rate: float
    batch_size: int
    epochs: int


@dataclass(frozen=True)
class OnValidation(Errors):
    """``metrics/validation.json``."""

    chosen: tuple[Chosen, ...] = ()


@dataclass(frozen=True)
class OnTest(Errors):
    """``metrics/test.json``; skill is 1 - MSE / MSE of the training median."""

    baseline_mse_log_quantity: Number = None
    skill: Number = None
    skill_interval: Bounds = (None, None)
    shap_largest_gap_log_quantity: Number = None


@dataclass(frozen=True)
class Figure:
    """A figure with its bootstrap interval."""

    value: Number
    low: Number = None
    high: Number = None


@dataclass(frozen=True)
class Model:
    """A model on the test rows; difference and ratio are the network's to it."""

    name: str
    errors: Errors
    mse: Figure
    difference: Figure
    ratio: Number = None


@dataclass(frozen=True)
class Models:
    """``metrics/models.json``, lowest error first."""

    models: tuple[Model, ...]


@dataclass(frozen=True)
class Coverage:
    """Share of test rows inside the intervals of one level; width in log1p(units)."""

    coverage: Number = None
    coverage_low: Number = None
    coverage_high: Number = None
    mean_width_log_quantity: Number = None


@dataclass(frozen=True)
class GroupCoverage:
    """Coverage of the rows of one group."""

    column: str
    group: str
    rows: int
    coverage_80: Number = None
    mean_width_80: Number = None
    coverage_95: Number = None
    mean_width_95: Number = None


@dataclass(frozen=True)
class Intervals:
    """``metrics/intervals.json``; empty where the bundle has no intervals."""

    interval_80: Coverage | None = None
    interval_95: Coverage | None = None
    groups: tuple[GroupCoverage, ...] = ()


@dataclass(frozen=True)
class DriftColumn:
    """A column's distance between the windows, and the share of rows in each that lack it."""

    column: str
    role: str
    method: str
    threshold: float
    drifted: bool
    distance: Number = None
    reference_missing_share: Number = None
    current_missing_share: Number = None


@dataclass(frozen=True)
class Drift:
    """``metrics/drift.json``; rows of the reference and of the current window."""

    passed: bool
    rows: tuple[int, int]
    columns: tuple[DriftColumn, ...]
    drifted_input_share: Number = None
    target_distance: Number = None


@dataclass(frozen=True)
class ModelDrift:
    """``metrics/model_drift.json``: the error on the last test days over the validation error."""

    drifted: bool | None = None
    error_ratio: Number = None
    error_ratio_interval: Bounds | None = None
    validation_mse_log_quantity: Number = None
    current_mse_log_quantity: Number = None
    current_rows: int | None = None
    current_days: tuple[str, str] | None = None


@dataclass(frozen=True)
class Group:
    """Errors of one group, in log1p(units) but for ``mae_units``, with intervals."""

    rows: float
    mse: Number = None
    mse_low: Number = None
    mse_high: Number = None
    mae_units: Number = None
    mean_prediction: Number = None
    mean_truth: Number = None
    bias: Number = None
    bias_low: Number = None
    bias_high: Number = None


@dataclass(frozen=True)
class Difference(Figure):
    """A figure of the two groups that are furthest apart, and which these are."""

    highest: str = ""
    lowest: str = ""


@dataclass(frozen=True)
class SensitiveColumn:
    """One sensitive column, or the cells of several: its groups, and the differences between them."""

    column: str
    passed: bool
    reason: str
    not_assessed: tuple[str, ...]
    figures: Mapping[str, Difference]
    groups: Mapping[str, Group]
    worst_group: str | None = None


@dataclass(frozen=True)
class Fairness:
    """``metrics/fairness.json``."""

    passed: bool
    columns: tuple[SensitiveColumn, ...]
    intersections: tuple[SensitiveColumn, ...] = ()


@dataclass(frozen=True)
class Gate:
    """A gate's verdict, and whether it is open."""

    gate: str
    passed: bool
    reason: str
    open: bool
    value: Number = None
    threshold: Number = None
    override: str | None = None

    @property
    def forced(self) -> bool:
        """Whether an override opens it; that of a passed gate is unused."""
        return self.open and not self.passed


@dataclass(frozen=True)
class Restatement:
    """A source file that rewrote days already released."""

    file: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """``metrics/decision.json``."""

    outcome: str
    gates: tuple[Gate, ...]
    restated: tuple[Restatement, ...] = ()


@dataclass(frozen=True)
class Prices:
    """``metrics/prices.json``."""

    skus: int
    raised_share: Number = None
    cut_share: Number = None
    predicted_revenue_change: Number = None
