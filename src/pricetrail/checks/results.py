"""What the stages after the ETL leave in ``metrics/``: one type a file, by which it is written and read.

``metrics/decision.json`` is ``gates.Decision``, ``metrics/etl.json`` is ``data.etl_result.EtlResult``,
``metrics/validation.json`` is ``estimates.ValidationResult``, ``metrics/prices.json`` is
``pricing.recommend.PriceSummary``. A figure that could not be computed is None.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pricetrail.base.typed_json import INLINE
from pricetrail.checks.estimates import Bounds, Errors, Interval, Number
from pricetrail.checks.gates import Verdict


@dataclass(frozen=True)
class ColumnDrift:
    """A column's distance between the windows, and the share of rows in each that lack it.

    Attributes:
        role: input or target.
        distance: by ``method``; None where a window has no known value of the column.
        ratio: the larger of distance and rise of the missing share, each over its threshold; None if not computed.
        drifted: at or above a threshold, or not computed; not where nothing is there to compare.
    """

    column: str
    role: str
    method: str
    distance: Number
    threshold: float
    reference_missing_share: Number
    current_missing_share: Number
    missing_threshold: float
    ratio: Number
    drifted: bool

    @property
    def note(self) -> str:
        """Why there is no distance, in words; empty where there is one."""
        if self.distance is not None:
            return ""
        if self.drifted:
            return "could not be compared"
        missing = (self.reference_missing_share, self.current_missing_share)
        nothing = all(share is not None and share > 1 - self.missing_threshold for share in missing)
        return "nothing on both sides" if nothing else "too few to compare"


@dataclass(frozen=True)
class DriftResult:
    """``metrics/drift.json``; ``rows`` of the reference and of the current window."""

    drifted_input_share: Number
    target_distance: Number
    target_drifted: bool | None
    worst_column: str | None
    worst_column_ratio: Number
    passed: bool
    rows: tuple[int, int]
    columns: tuple[ColumnDrift, ...]
    verdicts: tuple[Verdict]


@dataclass(frozen=True)
class ModelDriftResult:
    """``metrics/model_drift.json``: the error on the last test days over the validation error.

    Attributes:
        error_ratio: current over validation error.
        drifted: the whole interval is above the growth that is allowed, or there is none.
        current_days: first and last day of the current rows, ISO.
        reasons: one sentence a person can act on.
    """

    error_ratio: Number
    drifted: bool
    validation_mse_log_quantity: Number
    current_mse_log_quantity: Number
    validation_rows: int
    current_rows: int
    error_ratio_interval: Bounds
    current_days: tuple[str, str]
    reasons: tuple[str]


@dataclass(frozen=True)
class AccuracyResult(Errors):
    """``metrics/test.json``: errors on the test days; skill is 1 - MSE / MSE of the training median."""

    baseline_mse_log_quantity: float
    skill: Number
    passed: bool
    shap_base_log_quantity: float
    shap_largest_gap_log_quantity: float
    skill_interval: Bounds
    verdicts: tuple[Verdict]


@dataclass(frozen=True)
class Rival:
    """A model on the test rows.

    Attributes:
        name: of the model.
        errors: its errors.
        mse: of log quantity, with its interval over days.
        difference: MSE of the primary less its own, on the same resampled days; below zero the primary is better.
        ratio: MSE of the primary over its own.
    """

    name: str
    errors: Errors
    mse: Interval
    difference: Interval
    ratio: Number


@dataclass(frozen=True)
class ModelsResult:
    """``metrics/models.json``: every model, lowest error first, and in short each that is not the primary one."""

    short: Mapping[str, Mapping[str, Number]] = field(metadata=INLINE)
    models: tuple[Rival, ...]


@dataclass(frozen=True)
class LevelCoverage:
    """Share of test rows inside the intervals of one level; width in log1p(units)."""

    coverage: Number
    coverage_low: Number
    coverage_high: Number
    mean_width_log_quantity: Number


@dataclass(frozen=True)
class GroupCoverage:
    """Coverage of the rows of one group; ``column`` is ``overall``, ``month`` or a sensitive column."""

    column: str
    group: str
    rows: int
    coverage_80: float
    mean_width_80: float
    coverage_95: float
    mean_width_95: float


@dataclass(frozen=True)
class IntervalsResult:
    """``metrics/intervals.json``; the file is an empty object where the bundle has no intervals."""

    interval_80: LevelCoverage
    interval_95: LevelCoverage
    groups: tuple[GroupCoverage, ...]


@dataclass(frozen=True)
class GroupGap(Interval):
    """A figure of the two groups that are furthest apart, with its bootstrap interval.

    The interval follows these two groups through every resample, so it can reach below zero (below one for a ratio):
    then the difference is no more than chance.
    """

    highest: str
    lowest: str


@dataclass(frozen=True)
class GroupResult:
    """Errors of one group, in log1p(units) but for ``mae_units``, with intervals."""

    rows: int
    mse: Number
    mae: Number
    mae_units: Number
    rmsle: Number
    mean_prediction: Number
    mean_truth: Number
    bias: Number
    days: int
    mse_low: Number
    mse_high: Number
    bias_low: Number
    bias_high: Number


@dataclass(frozen=True)
class SensitiveColumn:
    """One sensitive column, or the cells of several: errors by group, and how far apart groups are.

    Attributes:
        not_assessed: groups with too few rows; they are in ``groups``, and in no figure.
        empty: cells without a row.
        figures: ``prediction_mod``, ``truth_mod``, ``added_disparity`` (log1p(units)) and ``mse_ratio``.
    """

    column: str
    passed: bool
    reason: str
    worst_group: str | None
    not_assessed: tuple[str, ...]
    empty: tuple[str, ...]
    figures: Mapping[str, GroupGap]
    groups: Mapping[str, GroupResult]

    @property
    def has_object(self) -> bool:
        """Whether the shop has groups to compare; of one group there is no figure, and it closes nothing."""
        return not self.passed or any(gap.value is not None for gap in self.figures.values())


@dataclass(frozen=True)
class FairnessResult:
    """``metrics/fairness.json``; ``chosen`` is the figure that is held against the threshold, by column."""

    chosen: Mapping[str, Number] = field(metadata=INLINE)
    worst_group: str | None
    worst_group_mse_log_quantity: Number
    passed: bool
    columns: tuple[SensitiveColumn, ...]
    intersections: tuple[SensitiveColumn, ...]
    verdicts: tuple[Verdict]
