"""Two windows of the same table to a verdict and a report.

The figure is a distance (Evidently), never a p-value: at 50,000 rows a p-value always fires. Evidently drops missing
values, so their share is a figure of its own. Columns that move with the calendar (hour, weekday, month) or with the
length of the history (counts of past lines, past extremes of the price, a country's or SKU's mean over everything
before) are left out: they drift by design. Defaults: ``docs/decisions/0010-drift-calibration.md``.
"""

import difflib
import math
from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.core.metric_types import SingleValue
from evidently.core.report import Snapshot
from evidently.metrics import ValueDrift

from pricetrail.base.errors import ParamsError
from pricetrail.base.escaping import html_text
from pricetrail.base.params import FILE
from pricetrail.base.params_schema import CategoricalMethod, Drift
from pricetrail.base.random_streams import draw_rows
from pricetrail.checks.drift_page import Page, split_page
from pricetrail.checks.estimates import known
from pricetrail.checks.gates import Verdict, hold, not_computed
from pricetrail.checks.results import ColumnDrift, DriftResult
from pricetrail.data.contract import UNSPECIFIED
from pricetrail.data.features import CATEGORICAL_FEATURES, COUNT_FEATURES, DAY, NUMERIC_FEATURES, TARGET, TIME_FEATURES
from pricetrail.data.splits import Boundaries

LEFT_OUT: Final = {
    *(*TIME_FEATURES, *COUNT_FEATURES),
    *("log_price_vs_min", "log_price_vs_max", "country_mean", "sku_mean"),
}
CATEGORICAL_COLUMNS: Final = ("registered", *CATEGORICAL_FEATURES)
NUMERIC_COLUMNS: Final = (*(n for n in NUMERIC_FEATURES if n not in {*LEFT_OUT, *CATEGORICAL_COLUMNS}), TARGET)
COLUMNS: Final = (*CATEGORICAL_COLUMNS, *NUMERIC_COLUMNS)
KEYS: Final = {  # of the means of past lines: whose lines they are
    "sku_recent_mean": ("sku",),
    "customer_mean": ("customer_id",),
    "customer_recent_mean": ("customer_id",),
    "customer_sku_mean": ("customer_id", "sku"),
}
FEWEST_KEYS: Final = 3  # the mean of one or two customers is a curve over time: no spread to hold a move against
_METHODS: Final = {
    "Normed Wasserstein distance": "wasserstein",
    "Jensen-Shannon distance": "jensenshannon",
    "Hellinger distance": "hellinger",
    "PSI": "psi",
}


@dataclass(frozen=True)
class Windows:
    """The rows that are compared; no row is in both."""

    reference: pd.DataFrame
    current: pd.DataFrame


@dataclass(frozen=True)
class DriftReport:
    """What was found, and a page to look at.

    Attributes:
        rows: of the reference and of the current window.
        columns: every column checked, the target last.
        verdict: the share of drifted input columns against ``drift.max_share``, and every column against
            ``drift.max_column_ratio``.
        page: Evidently's offline page.
    """

    rows: tuple[int, int]
    columns: tuple[ColumnDrift, ...]
    verdict: Verdict
    page: Page

    @property
    def target(self) -> ColumnDrift | None:
        """The target's drift; reported, it closes the gate only from ``drift.max_column_ratio`` on."""
        return next((column for column in self.columns if column.role == "target"), None)

    @property
    def worst(self) -> ColumnDrift | None:
        """The column that is most times its threshold."""
        return max(self.columns, key=_times, default=None)

    def result(self) -> DriftResult:
        """As ``metrics/drift.json`` holds it."""
        target, worst = self.target, self.worst
        return DriftResult(
            drifted_input_share=self.verdict.value,
            target_distance=target.distance if target else None,
            target_drifted=target.drifted if target else None,
            worst_column=worst.column if worst else None,
            worst_column_ratio=worst.ratio if worst else None,
            passed=self.verdict.passed,
            rows=self.rows,
            columns=self.columns,
            verdicts=(self.verdict,),
        )


def _times(column: ColumnDrift) -> float:
    """How many times its threshold a column moved; infinite where that was not computed."""
    return math.inf if column.ratio is None else column.ratio


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


def check_drift(windows: Windows, settings: Drift, rng: np.random.Generator) -> DriftReport:
    """Compare the windows column by column.

    Args:
        windows: rows with the features and the target.
        settings: methods and thresholds.
        rng: samples windows longer than ``drift.max_rows``.

    Raises:
        ParamsError: ``drift.methods`` or ``drift.thresholds`` names a column that is not compared, or a method that
            does not fit its column.
    """
    require_columns(settings)
    reference, current = (draw_rows(rows, settings.max_rows, rng) for rows in (windows.reference, windows.current))
    if reference.empty or current.empty:
        reason = f"drift needs two windows, has {len(reference)} reference and {len(current)} current rows"
        verdict = not_computed("drift", settings.max_share, reason)
        page = Page(f"<!doctype html><p>{html_text(reason)}</p>\n", {})
        return DriftReport((len(reference), len(current)), (), verdict, page)
    told = [c for c in COLUMNS if has_object(windows, c, settings.missing_threshold)]
    known = [c for c in told if _is_known(reference, c) and _is_known(current, c)]
    snapshot = _compare(reference, current, known, settings)
    distances = dict.fromkeys(told, math.nan) | dict(zip(known, _distances(snapshot), strict=True))
    columns = tuple(_column(name, distances, windows, settings) for name in COLUMNS)
    inputs = [column for column in columns if column.role == "input"]
    share = sum(column.drifted for column in inputs) / len(inputs)
    rows, page = (len(windows.reference), len(windows.current)), split_page(snapshot.get_html_str(as_iframe=False))
    return DriftReport(rows, columns, _verdict(share, columns, settings), page)


def require_columns(settings: Drift) -> None:
    """Stop where a setting names a column that is not compared, or a method that does not fit its column.

    Raises:
        ParamsError: naming the setting, and the column that is spelled most alike.
    """
    for key in ("methods", "thresholds"):
        for column in getattr(settings, key):
            if column not in COLUMNS:
                raise ParamsError(FILE, f"drift.{key}.{column} is not a compared column{_hint(column)}")
    for column in CATEGORICAL_COLUMNS:
        if _method(column, settings) not in get_args(CategoricalMethod):
            rule = f"drift.methods.{column} must be a method for categories: {', '.join(get_args(CategoricalMethod))}"
            raise ParamsError(FILE, rule, settings.methods[column])


def _hint(column: str) -> str:
    if column in LEFT_OUT:
        return ": it moves with the calendar or with the length of the history"
    alike = difflib.get_close_matches(column, COLUMNS, n=1)
    return f", did you mean {alike[0]}?" if alike else f"; those are {', '.join(COLUMNS)}"


def has_object(windows: Windows, column: str, next_to_none: float) -> bool:
    """Whether there is something to compare; what one window has and the other lost is something, and fails closed.

    Nothing is a column known in less than a share ``next_to_none`` of both windows, or the means of a key or two.
    """
    windows_rows, keys = (windows.reference, windows.current), list(KEYS.get(column, ()))
    sides = [rows.loc[rows[column].notna(), keys] for rows in windows_rows]
    if all(len(known) < next_to_none * len(rows) for known, rows in zip(sides, windows_rows, strict=True)):
        return False
    return not keys or any(known.nunique().min() >= FEWEST_KEYS for known in sides)


def missing_share(rows: pd.DataFrame, column: str) -> float:
    """Share of rows without a value of a column, NaN without rows.

    The contract writes ``UNSPECIFIED`` where a country is missing. A guest has no customer id by nature, so of
    ``registered`` it is the share of lines that *lost* their id: those without one in an invoice that has it in another
    line.

    Args:
        rows: shape (n, …), with ``invoice`` and ``customer_id``.
        column: one of ``COLUMNS``.
    """
    missing = rows[column].isna()
    if column == "country":
        missing |= rows[column] == UNSPECIFIED
    if column == "registered":
        no_id = rows["customer_id"].isna()
        missing |= no_id & rows["invoice"].isin(rows.loc[~no_id, "invoice"])
    return float(missing.mean())


def _verdict(share: float, columns: tuple[ColumnDrift, ...], settings: Drift) -> Verdict:
    """The share of columns that drifted a little, and the one that drifted most."""
    verdict = hold("drift", share, settings.max_share, "share of drifted input columns")
    for note in dict.fromkeys(column.note for column in columns if not column.drifted and column.note):
        which = ", ".join(column.column for column in columns if column.note == note)
        verdict = replace(verdict, reason=f"{verdict.reason}; {note}: {which}")
    worst = max(columns, key=_times)
    if _times(worst) < settings.max_column_ratio:
        return verdict
    told = f"{worst.column} could not be compared"
    if worst.ratio is not None:
        figure = "share of missing values" if worst.ratio == missing_ratio(worst) else "distance"
        told = f"the {figure} of {worst.column} is {worst.ratio:.3g} times its threshold"
    link = ", but" if verdict.passed else ";"
    reason = f"{verdict.reason}{link} {told} (drift.max_column_ratio is {settings.max_column_ratio:g})"
    return replace(verdict, passed=False, reason=reason)


def _is_known(rows: pd.DataFrame, column: str) -> bool:
    return bool(rows[column].notna().any())


def _compare(reference: pd.DataFrame, current: pd.DataFrame, columns: list[str], settings: Drift) -> Snapshot:
    """Run Evidently over the columns, each with its own method and threshold."""
    numeric = [name for name in columns if name in NUMERIC_COLUMNS]
    categorical = [name for name in columns if name in CATEGORICAL_COLUMNS]
    definition = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)

    def dataset(rows: pd.DataFrame) -> Dataset:
        table = rows[columns].astype(dict.fromkeys(numeric, "float64") | dict.fromkeys(categorical, "str"))
        for name in categorical:  # Plotly reads labels as HTML
            table[name] = table[name].map(html_text, na_action="ignore")
        return Dataset.from_pandas(table.reset_index(drop=True), data_definition=definition)

    metrics = [
        ValueDrift(column=name, method=_METHODS[_method(name, settings)], threshold=_threshold(name, settings))
        for name in columns
    ]
    return Report(metrics).run(dataset(current), dataset(reference))


def _distances(snapshot: Snapshot) -> list[float]:
    """The figure of each metric, in the order they were asked for."""
    results = [snapshot.context.get_metric_result(metric) for metric in snapshot.report.items()]
    return [float(result.value) if isinstance(result, SingleValue) else math.nan for result in results]


def _method(column: str, settings: Drift) -> str:
    default = settings.numeric_method if column in NUMERIC_COLUMNS else settings.categorical_method
    return settings.methods.get(column, default)


def _threshold(column: str, settings: Drift) -> float:
    default = settings.numeric_threshold if column in NUMERIC_COLUMNS else settings.categorical_threshold
    return settings.thresholds.get(column, default)


def _column(name: str, distances: dict[str, float], windows: Windows, settings: Drift) -> ColumnDrift:
    """A column judged; one without an entry in the distances has nothing to compare, and has not drifted."""
    shares = (missing_share(windows.reference, name), missing_share(windows.current, name))
    column = ColumnDrift(
        column=name,
        role="target" if name == TARGET else "input",
        method=_method(name, settings),
        distance=known(distances.get(name)),
        threshold=_threshold(name, settings),
        reference_missing_share=known(shares[0]),
        current_missing_share=known(shares[1]),
        missing_threshold=settings.missing_threshold,
        ratio=None,
        drifted=True,
    )
    return judged(column) if name in distances else replace(column, ratio=0.0, drifted=False)


def judged(column: ColumnDrift) -> ColumnDrift:
    """The column with its ratio and whether it drifted, as its distance and its missing shares give them."""
    missing = missing_ratio(column)
    if column.distance is None or missing is None:
        return replace(column, ratio=None, drifted=True)
    ratio = max(column.distance / column.threshold, missing)
    return replace(column, ratio=ratio, drifted=ratio >= 1)


def missing_ratio(column: ColumnDrift) -> float | None:
    """Rise of the missing share over its threshold; a fall is none, since a history only gets longer."""
    before, now = column.reference_missing_share, column.current_missing_share
    if before is None or now is None:
        return None
    return max(now - before, 0.0) / column.missing_threshold
