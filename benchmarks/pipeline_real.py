"""Seconds of a full `dvc repro` on all lines of the UCI data, in a fresh clone without cache."""

from __future__ import annotations

import harness
import pipelines

# Measured on a machine of this kind: that pipeline's own `dvc repro`, 100 trials, SKU 85123A (2,270 lines).
RIVAL = pipelines.Rival("public pipeline of this kind, one of 4,000 products", 330.0)


def measure() -> harness.Result:
    """Run the pipeline on the real data; the goals are part 1's: 330 s and 3 GiB."""
    return pipelines.measure("pipeline_real", "real", (330.0, 3.0), RIVAL)


if __name__ == "__main__":
    harness.main(measure)
