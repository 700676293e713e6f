"""Helper of ``pipeline_demo.py`` and ``pipeline_real.py``: one forced `dvc repro` in a fresh clone, measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import harness
from harness import Clone, Goal, Result
from pricetrail.base import files

COMMAND = "`dvc repro -f` (every stage runs) in a fresh clone of HEAD without any cache"
MEMORY = "Memory: the sum over DVC and the stage, sampled every 0.1 s."
WHAT = {
    "demo": "the demo shop with the committed params.yaml, its simulation included",
    "real": "all UCI Online Retail lines from daily CSV files, `dvc add`ed; params.yaml for them",
}


@dataclass(frozen=True)
class Rival:
    """Another pipeline and its seconds."""

    name: str
    seconds: float


def measure(
    name: str, data: harness.DataName, limits: tuple[float, float | None], rival: Rival | None = None
) -> Result:
    """Run the pipeline and describe what it cost.

    Args:
        name: of the result.
        data: which lines.
        limits: seconds, and GiB of peak resident memory where there is a goal.
        rival: who else does this, where there is one.
    """
    with harness.finished_clone(data) as (clone, usage):
        details = {**asdict(usage), **_figures(clone)}
    goals = [Goal("time", usage.seconds, "<=", limits[0], "s")]
    if limits[1] is not None:
        goals.append(Goal("peak RSS", usage.sum_gib, "<=", limits[1], "GiB"))
    return Result(
        name=name,
        value=usage.seconds,
        unit="s",
        rival=rival.name if rival else None,
        rival_value=rival.seconds if rival else None,
        ratio=rival.seconds / usage.seconds if rival else None,
        what_was_run=f"{COMMAND}; {WHAT[data]}. {MEMORY}",
        goals=tuple(goals),
        details=details,
    )


def _figures(clone: Clone) -> dict[str, Any]:
    """The metrics files that say what the run was about and how good its model is."""
    metrics = clone.path / "metrics"
    return {name: files.read_json(metrics / f"{name}.json") for name in ("etl", "validation", "test")}
