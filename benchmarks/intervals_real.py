"""How many of the UCI data's test lines the prediction intervals cover."""

from __future__ import annotations

from typing import Any

import harness
from harness import BenchmarkError, Goal, Result
from pricetrail.base import files

LIMITS = {"80": (78.0, 82.0), "95": (94.0, 96.0)}  # %
WHAT = (
    "The conformal intervals of a full `dvc repro` on all UCI Online Retail lines (the run of pipeline_real): "
    "calibrated on the validation days, counted on the test days. The value is that of the 80% intervals."
)


def percent(record: dict[str, Any], level: str) -> float:
    """Coverage of a level.

    Raises:
        BenchmarkError: where the run made no such intervals.
    """
    if f"interval_{level}" not in record:
        raise BenchmarkError(f"metrics/intervals.json must have interval_{level}, has {', '.join(record) or 'nothing'}")
    return 100 * float(record[f"interval_{level}"]["coverage"])


def measure() -> Result:
    """Read what stage inference_primary_model counted; the goals are part 2's."""
    with harness.finished_clone("real") as (clone, _):
        record: dict[str, Any] = files.read_json(clone.path / "metrics/intervals.json")
    covered = {level: percent(record, level) for level in LIMITS}
    return Result(
        name="intervals_real",
        value=covered["80"],
        unit="%",
        what_was_run=WHAT,
        goals=tuple(
            Goal(f"coverage of the {level}% intervals", covered[level], rule, limit, "%")
            for level, limits in LIMITS.items()
            for rule, limit in zip((">=", "<="), limits, strict=True)
        ),
        details=record,
    )


if __name__ == "__main__":
    harness.main(measure)
