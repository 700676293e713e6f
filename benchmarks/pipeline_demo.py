"""Seconds of a full `dvc repro` on the demo shop, in a fresh clone without cache."""

from __future__ import annotations

import harness
import pipelines


def measure() -> harness.Result:
    """Run the pipeline on the demo shop; the goal is part 1's: four minutes."""
    return pipelines.measure("pipeline_demo", "demo", (240.0, None))


if __name__ == "__main__":
    harness.main(measure)
