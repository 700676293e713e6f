"""Which months of the UCI data and of the demo shop the drift gate stops, and the smallest known shift that it sees.

Each month is replayed as the pipeline would have seen it on its last day: lines up to then, their split, the last
``drift.current_days`` against the training window, the committed dials.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.stats import wasserstein_distance

import harness
from drift_shifts import SHIFTS, Shift, features_of
from harness import Clone, DataName, Goal, Result
from pricetrail.base import files
from pricetrail.base.errors import ContractError
from pricetrail.base.params import Params
from pricetrail.base.random_streams import stream
from pricetrail.checks.data_drift import LEFT_OUT, DriftReport, Windows, check_drift, find_windows
from pricetrail.data.features import DAY
from pricetrail.data.splits import find_boundaries

ORDINARY: Final = [f"2011-{month:02d}" for month in range(2, 11)]
SHIFTED: Final = ["2011-03", "2011-05", "2011-07", "2011-09"]
CHRISTMAS: Final = ["2011-11", "2011-12"]
WHAT = (
    "Lines up to each month's end, split as the pipeline would, with the committed dials; UCI Online Retail and the "
    "demo shop. The value is how many of the UCI data's months from February to October fail the drift verdict. Shifts "
    "are put into the UCI lines of the current windows of March, May, July and September before cleaning and features, "
    "and counted over these months."
)

log = logging.getLogger("benchmarks")


def windows_on(lines: pd.DataFrame, last_day: pd.Timestamp, params: Params) -> Windows:
    """What the pipeline would have compared on a day."""
    seen = lines[lines[DAY] <= last_day]
    return find_windows(seen, find_boundaries(seen[DAY], params.split.test_share), params.drift.current_days)


def check(windows: Windows, params: Params) -> DriftReport:
    """The stage's check, with its stream."""
    return check_drift(windows, params.drift, stream(params.seed, "drift"))


def month_ends(days: pd.Series) -> Iterator[pd.Timestamp]:
    """The last day of each month of 2011, or of the data."""
    last = days.max()
    for end in pd.date_range("2011-01-31", "2011-12-31", freq="ME"):
        if end - last < pd.Timedelta(days=28):
            yield min(end, last)


def record(last_day: pd.Timestamp, windows: Windows, report: DriftReport) -> dict[str, Any]:
    """A replayed day's row."""
    if report.target is None or report.worst is None:
        return {"last_day": f"{last_day:%Y-%m-%d}", "passed": report.verdict.passed, "reason": report.verdict.reason}
    return {
        "last_day": f"{last_day:%Y-%m-%d}",
        "reference_until": f"{windows.reference[DAY].max():%Y-%m-%d}",
        "rows": list(report.rows),
        "drifted_input_share": report.verdict.value,
        "drifted": [column.column for column in report.columns if column.drifted],
        "target_distance": report.target.distance,
        "worst_column": report.worst.column,
        "worst_column_ratio": report.worst.ratio,
        "passed": report.verdict.passed,
        "distances": {column.column: column.distance for column in report.columns},
        "largest_rise_of_a_missing_share": max(
            column.current_missing_share - column.reference_missing_share for column in report.columns
        ),
    }


def left_out_distances(windows: Windows) -> dict[str, float]:
    """Normed Wasserstein distance of the numeric columns that are not compared."""
    found = {}
    for name in sorted(LEFT_OUT):
        before, after = windows.reference[name].dropna(), windows.current[name].dropna()
        spread = before.std(ddof=0)
        found[name] = wasserstein_distance(before, after) / spread if spread > 0 else math.nan
    return found


def replay(lines: pd.DataFrame, params: Params) -> list[dict[str, Any]]:
    """Every month of 2011."""
    rows = []
    for last_day in month_ends(lines[DAY]):
        windows = windows_on(lines, last_day, params)
        row = record(last_day, windows, check(windows, params))
        rows.append({**row, "left_out": left_out_distances(windows)})
        log.info("%s %s %s", row["last_day"], "passes" if row["passed"] else "fails", row.get("drifted"))
    return rows


def replay_weeks(lines: pd.DataFrame, params: Params) -> list[dict[str, Any]]:
    """Every Sunday from the eleventh week of the data on: how the windows between the months' ends fare."""
    days = pd.date_range(lines[DAY].min() + pd.Timedelta(days=74), lines[DAY].max(), freq="7D")
    found = ((day, windows_on(lines, day, params)) for day in days)
    return [record(day, windows, check(windows, params)) for day, windows in found]


def inject(original: pd.DataFrame, last_day: pd.Timestamp, params: Params) -> Iterator[dict[str, Any]]:
    """Every shift at every size in the window that ends with a day; ``fires`` are the columns that it adds."""
    seen = original[original["invoiced_at"] < last_day + pd.Timedelta(days=1)].reset_index(drop=True)
    first = last_day - pd.Timedelta(days=params.drift.current_days - 1)
    window = (seen["invoiced_at"] >= first).to_numpy()

    def look(lines: pd.DataFrame) -> DriftReport:
        table = features_of(lines, params)
        return check(windows_on(table, last_day, params), params)

    before = {column.column for column in look(seen).columns if column.drifted}
    for shift in SHIFTS:
        for label, size in shift.sizes.items():
            told = {"shift": shift.name, "size": label, "month": f"{last_day:%Y-%m}"}
            shifted = shift.change(seen, window, size, np.random.default_rng(params.seed))
            try:
                report = look(shifted)
            except ContractError:
                yield {**told, "stopped": True, "fires": [], "failed": True, "ratio": math.inf}
                continue
            fires = [column.column for column in report.columns if column.drifted and column.column not in before]
            ratio = math.inf if report.worst is None or report.worst.ratio is None else report.worst.ratio
            yield {**told, "stopped": False, "fires": fires, "failed": not report.verdict.passed, "ratio": ratio}


def summarise(shift: Shift, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Months in which each size is seen, and the smallest size that every month sees."""
    sizes = []
    for label in shift.sizes:
        mine = [row for row in found if (row["shift"], row["size"]) == (shift.name, label)]
        columns = sorted({column for row in mine for column in row["fires"]})
        finite = sorted(row["ratio"] for row in mine if math.isfinite(row["ratio"]))
        sizes.append(
            {
                "size": label,
                "months": len(mine),
                "months_column_fires": sum(bool(row["fires"]) for row in mine),
                "months_verdict_fails": sum(row["failed"] and not row["stopped"] for row in mine),
                "months_stopped_by_contract": sum(row["stopped"] for row in mine),
                "columns": {name: sum(name in row["fires"] for row in mine) for name in columns},
                "worst_column_ratio": [finite[0], finite[-1]] if finite else None,
            }
        )

    def smallest(*keys: str) -> str | None:
        return next((row["size"] for row in sizes if sum(row[key] for key in keys) == row["months"] > 0), None)

    return {
        "shift": shift.name,
        "smallest_that_fires_in_every_month": smallest("months_column_fires", "months_stopped_by_contract"),
        "smallest_that_fails_every_month": smallest("months_verdict_fails", "months_stopped_by_contract"),
        "sizes": sizes,
    }


def etl(clone: Clone) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What stage etl_pipeline read, and its clean lines with features."""
    clone.run("dvc", "repro", "etl_pipeline")
    original, lines = (files.read_table(clone.path / f"data/{name}") for name in ("original", "processed"))
    return original, lines


def history(data: DataName) -> tuple[pd.DataFrame, pd.DataFrame, Params]:
    """Both tables of a data set, and the dials."""
    with harness.fresh_clone(data) as clone:
        return *etl(clone), files.read_params(clone.path / "params.yaml")


def measure() -> Result:
    """Replay, inject, and count."""
    original, lines, params = history("real")
    _, demo_lines, demo_params = history("demo")
    months, demo_months = replay(lines, params), replay(demo_lines, demo_params)
    weeks = replay_weeks(lines, params)
    ends = [day for day in month_ends(lines[DAY]) if f"{day:%Y-%m}" in SHIFTED]
    found = [row for day in ends for row in inject(original, day, params)]
    failed = {row["last_day"][:7] for row in months if not row["passed"]}
    ordinary, christmas = len(failed & set(ORDINARY)), len(failed & set(CHRISTMAS))
    demo_failed = sum(not row["passed"] for row in demo_months if row["last_day"][:7] != "2011-01")
    return Result(
        name="drift_calibration",
        value=ordinary,
        unit="months",
        what_was_run=WHAT,
        goals=(
            Goal("ordinary months that fail", ordinary, "=", 0, "months"),
            Goal("Christmas months that fail", christmas, "=", len(CHRISTMAS), "months"),
            Goal("months of the demo shop that fail after January", demo_failed, "=", 0, "months"),
        ),
        details={
            "dials": params.drift.model_dump(),
            "months": months,
            "weeks": weeks,
            "demo_months": demo_months,
            "shifts": [summarise(shift, found) for shift in SHIFTS],
        },
    )


if __name__ == "__main__":
    harness.main(measure)
