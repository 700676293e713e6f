"""Minutes of a study of 30 trials on the UCI data."""

from __future__ import annotations

import time
from typing import Any

import harness
import materials
import worker
from harness import Goal, Result
from pricetrail.model.progress import Watcher
from pricetrail.model.study import search

TRIALS = 30


def work(trials: str = str(TRIALS)) -> dict[str, Any]:
    """Search in the space of params.yaml; the worker runs this.

    Args:
        trials: how many.
    """
    began = time.perf_counter()
    params, material = materials.read()
    data = material.tensors()
    tuning = params.tuning.model_copy(update={"n_trials": int(trials), "max_minutes": 0})
    start, cpu = time.perf_counter(), time.process_time()
    study = search(data, material.encoder.column_edges, tuning, params.seed, Watcher(None))
    table = study.trials[["trial", "state", "validation_mse", "epochs"]]
    return {
        "search_seconds": time.perf_counter() - start,
        "search_cpu_seconds": time.process_time() - cpu,
        "prepare_seconds": start - began,
        "trials": len(table),
        "epochs": int(table["epochs"].sum()),
        "states": table["state"].value_counts().to_dict(),
        "best_validation_mse": float(table["validation_mse"].min()),
        "best_validation_mse_after_trial": [float(mse) for mse in table["validation_mse"].cummin()],
        "search_rows": tuning.search_rows,
        "threads": params.threads,
    }


def measure() -> Result:
    """Search the splits of one full run; the goal is part 2's: ten minutes."""
    with harness.finished_clone("real") as (clone, _):
        found, usage = worker.call(clone, __file__)
    minutes = found["search_seconds"] / 60
    return Result(
        name="search_real",
        value=minutes,
        unit="min",
        what_was_run=f"pricetrail.model.study.search with {TRIALS} trials, space and pruning of the committed "
        f"params.yaml, on all UCI Online Retail lines: each trial trains on the latest {found['search_rows']:,} "
        f"training lines and is scored on all validation days; {found['threads']} thread; no journal",
        goals=(Goal("time", minutes, "<=", 10.0, "min"),),
        details={**found, "largest_gib": usage.largest_gib},
    )


if __name__ == "__main__":
    worker.main(measure, work)
