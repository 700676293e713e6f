"""Seconds and peak memory of ETL, and of preprocessing, on all lines of the UCI data."""

from __future__ import annotations

from dataclasses import asdict

import harness
from harness import Goal, Result, Usage

# The public pipeline of this kind, measured on a machine of this kind.
RIVAL = {"etl_pipeline": {"seconds": 9.7, "gb": 0.8}, "preprocess": {"seconds": 28.9, "gb": 2.3}}


def measure() -> Result:
    """Run the two stages as DVC would, but without DVC."""
    with harness.fresh_clone("real") as clone:
        costs = {stage: clone.run("python", "-m", f"pricetrail.stages.{stage}") for stage in RIVAL}
    etl, preprocess = costs["etl_pipeline"], costs["preprocess"]
    return Result(
        name="etl_real",
        value=etl.seconds,
        unit="s",
        rival="ETL of the public pipeline of this kind",
        rival_value=RIVAL["etl_pipeline"]["seconds"],
        ratio=RIVAL["etl_pipeline"]["seconds"] / etl.seconds,
        what_was_run="`python -m pricetrail.stages.etl_pipeline`, then the same of preprocess, in a fresh clone of "
        "HEAD with the UCI Online Retail lines as daily gzipped CSV files; the value is the ETL's",
        goals=(
            Goal("ETL time", etl.seconds, "<=", 8.0, "s"),
            Goal("ETL peak RSS", etl.largest_gib, "<=", 1.5, "GiB"),
            Goal("preprocessing time", preprocess.seconds, "<=", 6.0, "s"),
        ),
        details={stage: _against(usage, stage) for stage, usage in costs.items()},
    )


def _against(usage: Usage, stage: str) -> dict[str, object]:
    cost = {name: value for name, value in asdict(usage).items() if name != "stages"}
    return {**cost, "rival": RIVAL[stage], "ratio": RIVAL[stage]["seconds"] / usage.seconds}


if __name__ == "__main__":
    harness.main(measure)
