"""SHAP rows a second, against the explainer that the field uses: shap.DeepExplainer, called on the whole matrix."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import shap
import torch

import harness
import worker
from harness import Goal, Result
from pricetrail.base import files
from pricetrail.base.random_streams import draw_rows, stream
from pricetrail.model.bundle import Bundle
from pricetrail.model.explain.shap_values import explain
from pricetrail.model.trust import trust_this_run

sys.path.insert(0, str(harness.ROOT / "tests"))
from support.mean_head import MeanHead

SPLITS, BUNDLE = Path("data/splits"), Path("models/candidate")
BACKGROUND_ROWS = 100
REPEATS = 3
LEAST_RATIO, MOST_SECONDS, LARGEST_DIFFERENCE = 4.0, 90.0, 1e-4
WHAT = (
    "pricetrail.model.explain.shap_values.explain (predictions, encoding and the check of additivity included) on all "
    "{rows:,} test lines of the UCI Online Retail data and {background} background lines, the network of the run of "
    "pipeline_real, one process, one thread, median of {repeats}; against shap.DeepExplainer.shap_values on the same "
    "network, called once on the whole matrix of the lines, already encoded, its check of additivity off. Both are "
    "compared as features, each column's value added to its feature's."
)
WHY = (
    "DeepExplainer runs the network forward and back once a line, on {pairs} rows: the line and a background line in "
    "each pair. Here the forward pass is once a line, the background's is done before, and the first layer is "
    "multiplied once a line; a pair costs one product of hidden layers."
)


def work() -> dict[str, Any]:
    """Explain both ways; the worker runs this in a finished clone."""
    params = files.read_params()
    torch.set_num_threads(params.threads)
    bundle = Bundle.load(BUNDLE, trust_this_run(BUNDLE))
    train, test = (files.read_table(SPLITS / name) for name in ("train", "test"))
    background = draw_rows(train, BACKGROUND_ROWS, stream(params.seed, "shap background"))
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        ours = explain(bundle, test, background)
        seconds.append(time.perf_counter() - start)

    network = bundle.network()
    with torch.inference_mode():
        encoded = torch.cat([network.encode(part) for part in bundle.inputs(test).split(4096)])
        encoded_background = network.encode(bundle.inputs(background))
    start = time.perf_counter()
    explainer = shap.DeepExplainer(MeanHead(network.head), encoded_background.clone())
    by_column = explainer.shap_values(encoded.clone(), check_additivity=False)[:, :, 0]
    rival_seconds = time.perf_counter() - start

    columns = _columns(bundle, by_column.shape[1])
    std = bundle.require_primary().scale.std
    differences = {
        name: float(np.abs(by_column[:, place].sum(axis=1) * std - ours.values[name].to_numpy()).max())
        for name, place in columns.items()
    }
    return {
        "rows": len(test),
        "columns": by_column.shape[1],
        "seconds": statistics.median(seconds),
        "seconds_of_each_repeat": seconds,
        "rival_seconds": rival_seconds,
        "largest_gap_log_quantity": ours.largest_gap,
        "largest_difference_log_quantity": max(differences.values()),
        "largest_difference_of_feature": differences,
    }


def _columns(bundle: Bundle, columns: int) -> dict[str, list[int]]:
    """The head's columns of each feature, told apart without the code that is measured: bins, then histories."""
    spec, encoder = bundle.require_primary().spec, bundle.encoder
    bins = [min(len(edges) - 1, spec.bins) for edges in encoder.column_edges]
    owner = [name for name, size in zip(encoder.column_features, bins, strict=True) for _ in range(size)]
    attention = bundle.network().attention
    owner += ["sku_history"] * attention.sku_columns + ["customer_history"] * attention.customer_columns
    if len(owner) != columns:
        raise harness.BenchmarkError(f"the head must have {len(owner)} columns, has {columns}")
    return {name: [place for place, of in enumerate(owner) if of == name] for name in owner}


def measure() -> Result:
    """Compare in a process of its own; the goals are part 3's."""
    with harness.finished_clone("real") as (clone, _):
        found, usage = worker.call(clone, __file__)
    speed, rival_speed = (found["rows"] / found[name] for name in ("seconds", "rival_seconds"))
    difference = found["largest_difference_log_quantity"]
    return Result(
        name="shap_speed",
        value=speed,
        unit="rows/s",
        rival="shap.DeepExplainer on the whole matrix",
        rival_value=rival_speed,
        ratio=speed / rival_speed,
        what_was_run=WHAT.format(rows=found["rows"], background=BACKGROUND_ROWS, repeats=REPEATS),
        goals=(
            Goal("times DeepExplainer's", speed / rival_speed, ">=", LEAST_RATIO, "x"),
            Goal("all test lines", found["seconds"], "<=", MOST_SECONDS, "s"),
            Goal("largest difference of a value", difference, "<=", LARGEST_DIFFERENCE, "log1p(units)"),
        ),
        details={
            **found,
            "where_the_time_goes": WHY.format(pairs=2 * BACKGROUND_ROWS),
            "largest_gib": usage.largest_gib,
        },
    )


if __name__ == "__main__":
    worker.main(measure, work)
