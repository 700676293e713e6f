"""What the page shows of a run, as types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pricetrail.lineage.ledger import Lineage, Run
from pricetrail.report.results import Restatement


@dataclass(frozen=True)
class Gate:
    """A verdict and whether its gate is open; ``value`` is None where it could not be computed."""

    gate: str
    value: float | None
    threshold: float
    passed: bool
    reason: str
    open: bool = False
    override: str | None = None


@dataclass(frozen=True)
class Decision:
    """The outcome over all gates."""

    outcome: Literal["released", "withheld"]
    gates: tuple[Gate, ...]
    restated: tuple[Restatement, ...] = ()


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its interval; None where one could not be computed."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class ModelScore:
    """A row of ``reports/models.csv``: errors on the test days; ratio and difference are the network's to it."""

    model: str
    rows: int
    mse_log_quantity: float
    mae_units: float
    rmsle: float
    mse_low: float
    mse_high: float
    ratio: float
    difference: float
    difference_low: float
    difference_high: float


@dataclass(frozen=True)
class Covered:
    """Share of the test lines inside intervals of one level."""

    coverage: float
    coverage_low: float
    coverage_high: float
    mean_width_log_quantity: float


@dataclass(frozen=True)
class CoveredGroup:
    """The same by month or by group, at both levels."""

    column: str
    group: str
    rows: int
    coverage_80: float
    mean_width_80: float
    coverage_95: float
    mean_width_95: float


@dataclass(frozen=True)
class Coverage:
    """``metrics/intervals.json``."""

    interval_80: Covered
    interval_95: Covered
    groups: tuple[CoveredGroup, ...] = ()


@dataclass(frozen=True)
class Trial:
    """A trial of the study; ``cells`` are all columns of its row, as text."""

    trial: int
    state: str
    validation_mse: float | None
    cells: Mapping[str, str | None]


@dataclass(frozen=True)
class DriftColumn:
    """A column's distance between training window and last days, and what it is held against."""

    column: str
    role: str
    distance: float | None
    threshold: float
    drifted: bool
    method: str | None = None
    reference_missing_share: float | None = None
    current_missing_share: float | None = None


@dataclass(frozen=True)
class InputDrift:
    """The figures of ``metrics/drift.json`` that the columns do not tell."""

    verdicts: tuple[Gate, ...]
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class ModelDrift:
    """``metrics/model_drift.json``: the error on the last days over the validation error."""

    error_ratio: float | None
    drifted: bool
    error_ratio_interval: tuple[float | None, float | None] | None = None
    validation_mse_log_quantity: float | None = None
    current_mse_log_quantity: float | None = None
    current_rows: int | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class FairColumn:
    """One sensitive column: figures over its groups, and each group's means."""

    column: str
    passed: bool
    reason: str
    figures: Mapping[str, Estimate]
    groups: Mapping[str, Mapping[str, Any]]
    not_assessed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fairness:
    """``metrics/fairness.json``."""

    columns: tuple[FairColumn, ...]
    verdicts: tuple[Gate, ...]
    intersections: tuple[FairColumn, ...] = ()


@dataclass(frozen=True)
class PricePoint:
    """One price of one SKU's grid; quantity and revenue are those of a line."""

    sku: str
    description: str | None
    lines: int
    unit_price_gbp: float
    predicted_quantity: float
    predicted_revenue_gbp: float
    current_price_gbp: float
    recommended_price_gbp: float


@dataclass(frozen=True)
class PriceSummary:
    """``metrics/prices.json``."""

    skus: int
    raised_share: float
    cut_share: float
    predicted_revenue_change: float


@dataclass(frozen=True)
class Skill:
    """The figures of ``metrics/test.json`` that ``reports/models.csv`` does not tell."""

    rows: int
    skill: float
    skill_interval: tuple[float, float]


@dataclass(frozen=True)
class Facts:
    """Everything of one run that the page shows."""

    decision: Decision
    skill: Skill
    models: tuple[ModelScore, ...]
    coverage: Coverage | None
    train_mse: tuple[float, ...]
    validation_mse: tuple[float, ...]
    trials: tuple[Trial, ...]
    dials: Mapping[str, float]
    drift_columns: tuple[DriftColumn, ...]
    input_drift: InputDrift
    model_drift: ModelDrift
    shap: Mapping[str, float]
    fairness: Fairness
    price_points: tuple[PricePoint, ...]
    price_summary: PriceSummary
    lineage: Lineage
    ledger: tuple[Run, ...]
    images: Mapping[str, bytes]
