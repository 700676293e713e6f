"""How the time and the memory of one training trial grow with the number of lines."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

import harness
import materials
import worker
from harness import Goal, Result
from pricetrail.base.random_streams import stream
from pricetrail.model.candidate import TrainingTables
from pricetrail.model.network import NetworkSpec
from pricetrail.model.training import TrainingSpec, train

ROWS = (10_000, 100_000, 1_000_000, 5_000_000)
WARM_UP_ROWS = 2_000
# The smallest network of the default space, so that the largest trial ends in minutes.
NETWORK = NetworkSpec(widths=(64,), dropouts=(0.1,), bins=8)
TRAINING = TrainingSpec(
    "adamw", learning_rate=1e-3, weight_decay=1e-4, batch_size=1024, max_epochs=1, patience_epochs=1
)
MOST_GIB = 6.0
WHAT = (
    "One trial (pricetrail.model.training.train: one epoch, then the validation lines predicted) on {sizes} training "
    "lines, drawn with replacement from the UCI data, validation lines in proportion; the real history, looked back at "
    "as far as params.yaml says; tables and tensors in memory as in the stage; "
    f"one hidden layer of {NETWORK.widths[0]}, {NETWORK.bins} bins, batches of {TRAINING.batch_size}; one thread, a "
    "process of its own for each size. The exponent is the slope of log time against log lines; making the tensors is "
    "in details. Memory: peak RSS of the process, the tables drawn from included."
)


def resampled(real: TrainingTables, rows: int, seed: int) -> TrainingTables:
    """Lines drawn with replacement, in order of time as splits are; validation lines keep their share of them.

    Args:
        real: lines to draw from; their history stays as it is.
        rows: training lines wanted.
        seed: of the draw.
    """
    rng = stream(seed, f"benchmark of {rows} lines")

    def draw(table: pd.DataFrame, size: int) -> pd.DataFrame:
        return table.iloc[np.sort(rng.integers(0, len(table), size))].reset_index(drop=True)

    share = len(real.validation) / len(real.train)
    return replace(real, train=draw(real.train, rows), validation=draw(real.validation, round(share * rows)))


def work(rows: str) -> dict[str, Any]:
    """One trial of one epoch; the worker runs this.

    Args:
        rows: training lines.
    """
    params, real = materials.read()
    edges = real.encoder.column_edges
    train(NETWORK, TRAINING, edges, resampled(real, WARM_UP_ROWS, params.seed).tensors(), params.seed)
    material = resampled(real, int(rows), params.seed)  # lives as long as the trial, as in the stage
    start = time.perf_counter()
    data = material.tensors()
    begun, cpu = time.perf_counter(), time.process_time()
    train(NETWORK, TRAINING, edges, data, params.seed)
    return {
        "rows": len(data.y_train),
        "validation_rows": len(data.y_validation),
        "prepare_seconds": begun - start,
        "trial_seconds": time.perf_counter() - begun,
        "trial_cpu_seconds": time.process_time() - cpu,
        "tables_gib": sum(int(table.memory_usage(deep=True).sum()) for table in (material.train, material.validation))
        / 2**30,
        "tensors_gib": sum(part.nbytes for inputs in (data.train, data.validation) for part in vars(inputs).values())
        / 2**30,
    }


def exponent(rows: list[float], figures: list[float]) -> float:
    """Slope of a straight line through the logarithms: 1 is proportional."""
    return float(np.polyfit(np.log(rows), np.log(figures), 1)[0])


def measure() -> Result:
    """One process a size; the goal is part 2's: 6 GiB for five million lines, and no more than linear."""
    with harness.finished_clone("real") as (clone, _):
        found = [worker.call(clone, __file__, str(rows)) for rows in ROWS]
    trials = [{**answer, "peak_gib": usage.largest_gib} for answer, usage in found]
    column = {name: [float(trial[name]) for trial in trials] for name in trials[0]}
    time_exponent = exponent(column["rows"], column["trial_seconds"])
    per_million, fixed = np.polyfit(np.array(column["rows"]) / 1e6, column["peak_gib"], 1)
    largest = trials[-1]
    return Result(
        name="train_scaling",
        value=time_exponent,
        unit="exponent",
        what_was_run=WHAT.format(sizes=", ".join(f"{rows:,}" for rows in ROWS)),
        goals=(
            Goal("exponent of time", time_exponent, "<=", 1.1, "exponent"),
            Goal(f"peak RSS at {largest['rows']:,} lines", largest["peak_gib"], "<=", MOST_GIB, "GiB"),
        ),
        details={
            "trials": trials,
            "prepare_exponent": exponent(column["rows"], column["prepare_seconds"]),
            "memory_fixed_gib": float(fixed),
            "memory_gib_a_million_lines": float(per_million),
            "memory_gib_a_million_lines_between_sizes": [
                (after["peak_gib"] - before["peak_gib"]) / (after["rows"] - before["rows"]) * 1e6
                for before, after in itertools.pairwise(trials)
            ],
        },
    )


if __name__ == "__main__":
    worker.main(measure, work)
