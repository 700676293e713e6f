"""Seconds of a `dvc repro` that has nothing to do."""

from __future__ import annotations

import statistics

import harness
from harness import BenchmarkError, Goal, Result

REPEATS = 3
BARE_SECONDS = 0.75  # DVC 3.67.1, six stages of nothing, on a machine of this kind: 0.7 to 0.8 s


def measure() -> Result:
    """Repeat the pipeline that just ran, and take the median."""
    with harness.finished_clone("demo") as (clone, _):
        runs = [clone.run("dvc", "repro") for _ in range(REPEATS)]
    if ran := {stage for usage in runs for stage in usage.stages}:
        raise BenchmarkError(f"nothing had changed, yet these stages ran again: {', '.join(sorted(ran))}")
    seconds = [usage.seconds for usage in runs]
    median = statistics.median(seconds)
    return Result(
        name="noop",
        value=median,
        unit="s",
        rival="bare DVC, six stages that do nothing",
        rival_value=BARE_SECONDS,
        ratio=BARE_SECONDS / median,
        what_was_run=f"`dvc repro` after a full one on the demo shop, median of {REPEATS}; no stage ran",
        goals=(Goal("time", median, "<=", 3.0, "s"),),
        details={"seconds": seconds, "cpu_seconds": [usage.cpu_seconds for usage in runs]},
    )


if __name__ == "__main__":
    harness.main(measure)
