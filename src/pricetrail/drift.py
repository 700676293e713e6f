"""Two windows of the same table to a verdict and a report.

The figure is a distance (Evidently), never a p-value: at 50,000 rows a p-value always fires. Columns that move with
the calendar (hour, weekday, month) or with the length of the history (counts of past lines, past extremes of the price,
a country's mean over everything before) are left out: they drift by design.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.core.metric_types import SingleValue
from evidently.core.report import Snapshot
from evidently.metrics import ValueDrift

from pricetrail.features import (
    CATEGORICAL_FEATURES,
    COUNT_FEATURES,
    DAY,
    NUMERIC_FEATURES,
    TARGET,
    TIME_FEATURES,
)
from pricetrail.gates import Verdict, at_most, not_computed
from pricetrail.params import Drift
from pricetrail.splits import Boundaries
from pricetrail.streams import draw_rows

LEFT_OUT: Final = {*TIME_FEATURES, *COUNT_FEATURES, "log_price_vs_min", "log_price_vs_max", "country_mean"}
CATEGORICAL_COLUMNS: Final = ("registered", *CATEGORICAL_FEATURES)
NUMERIC_COLUMNS: Final = (*(n for n in NUMERIC_FEATURES if n not in {*LEFT_OUT, *CATEGORICAL_COLUMNS}), TARGET)
_METHODS: Final = {
    "Normed Wasserstein distance": "wasserstein",
    "Jensen-Shannon distance": "jensenshannon",
    "Hellinger distance": "hellinger",
    "PSI": "psi",
}
_RANDOM_ID: Final = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")


@dataclass(frozen=True)
class Windows:
    """The rows that are compared; no row is in both."""

    reference: pd.DataFrame
    current: pd.DataFrame


@dataclass(frozen=True)
class ColumnDrift:
    """One column's distance; NaN, and drifted, where a window has no known value of it."""

    column: str
    role: str
    method: str
    distance: float
    threshold: float

    @property
    def drifted(self) -> bool:
        """At or above the threshold, or not computed."""
        return not self.distance < self.threshold


@dataclass(frozen=True)
class DriftReport:
    """Input drift and target drift told apart, the verdict, and a page to look at.

    Attributes:
        columns: every column checked, the target last.
        input_share: share of input columns that drifted.
        verdict: ``input_share`` against ``drift.max_share``.
        html: Evidently's offline page.
    """

    reference_rows: int
    current_rows: int
    columns: tuple[ColumnDrift, ...]
    input_share: float
    verdict: Verdict
    html: str

    @property
    def target(self) -> ColumnDrift | None:
        """The target's drift; it is reported, and does not close the gate."""
        return next((column for column in self.columns if column.role == "target"), None)


def find_windows(lines: pd.DataFrame, boundaries: Boundaries, current_days: int) -> Windows:
    """The training window, and the last ``current_days`` calendar days; where they meet, the reference gives way.

    Args:
        lines: with ``day``, shape (n, …).
        boundaries: of the split; the reference ends before validation.
        current_days: length of the current window, days.
    """
    current_from = lines[DAY].max() - pd.Timedelta(days=current_days - 1)
    reference_until = min(boundaries.validation_from, current_from)
    return Windows(lines[lines[DAY] < reference_until], lines[lines[DAY] >= current_from])


def check_drift(windows: Windows, dials: Drift, rng: np.random.Generator) -> DriftReport:
    """Compare the windows column by column.

    Args:
        windows: rows with the features and the target.
        dials: methods and thresholds.
        rng: samples windows longer than ``drift.max_rows``.
    """
    reference, current = (draw_rows(rows, dials.max_rows, rng) for rows in (windows.reference, windows.current))
    if reference.empty or current.empty:
        reason = f"drift needs two windows, has {len(reference)} reference and {len(current)} current rows"
        verdict = not_computed("drift", dials.max_share, reason)
        return DriftReport(len(reference), len(current), (), math.nan, verdict, f"<!doctype html><p>{reason}</p>\n")
    known = [c for c in (*CATEGORICAL_COLUMNS, *NUMERIC_COLUMNS) if _is_known(reference, c) and _is_known(current, c)]
    snapshot = _compare(reference, current, known, dials)
    distances = dict(zip(known, _distances(snapshot), strict=True))
    columns = tuple(_column(name, distances, dials) for name in (*CATEGORICAL_COLUMNS, *NUMERIC_COLUMNS))
    inputs = [column for column in columns if column.role == "input"]
    share = sum(column.drifted for column in inputs) / len(inputs)
    verdict = at_most("drift", share, dials.max_share, "share of drifted input columns")
    html = without_random_ids(snapshot.get_html_str(as_iframe=False))
    return DriftReport(len(windows.reference), len(windows.current), columns, share, verdict, html)


def _is_known(rows: pd.DataFrame, column: str) -> bool:
    return bool(rows[column].notna().any())


def _compare(reference: pd.DataFrame, current: pd.DataFrame, columns: list[str], dials: Drift) -> Snapshot:
    """Run Evidently over the columns, each with its own method and threshold."""
    numeric = [name for name in columns if name in NUMERIC_COLUMNS]
    categorical = [name for name in columns if name in CATEGORICAL_COLUMNS]
    definition = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)

    def dataset(rows: pd.DataFrame) -> Dataset:
        table = rows[columns].astype(dict.fromkeys(numeric, "float64") | dict.fromkeys(categorical, "str"))
        return Dataset.from_pandas(table.reset_index(drop=True), data_definition=definition)

    metrics = [
        ValueDrift(column=name, method=_METHODS[_method(name, dials)], threshold=_threshold(name, dials))
        for name in columns
    ]
    return Report(metrics).run(dataset(current), dataset(reference))


def _distances(snapshot: Snapshot) -> list[float]:
    """The figure of each metric, in the order they were asked for."""
    results = [snapshot.context.get_metric_result(metric) for metric in snapshot.report.items()]
    return [float(result.value) if isinstance(result, SingleValue) else math.nan for result in results]


def _method(column: str, dials: Drift) -> str:
    return dials.numeric_method if column in NUMERIC_COLUMNS else dials.categorical_method


def _threshold(column: str, dials: Drift) -> float:
    default = dials.numeric_threshold if column in NUMERIC_COLUMNS else dials.categorical_threshold
    return dials.thresholds.get(column, default)


def _column(name: str, distances: dict[str, float], dials: Drift) -> ColumnDrift:
    role = "target" if name == TARGET else "input"
    return ColumnDrift(name, role, _method(name, dials), distances.get(name, math.nan), _threshold(name, dials))


def without_random_ids(html: str) -> str:
    """Evidently's page with its random ids numbered in order of appearance, so that equal figures give equal bytes."""
    numbers: dict[str, str] = {}
    return _RANDOM_ID.sub(lambda match: numbers.setdefault(match.group(), f"id-{len(numbers):032d}"), html)
