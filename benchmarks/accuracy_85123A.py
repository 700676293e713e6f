"""Test error of the network on one product, SKU 85123A of the UCI data, on the days that public work tests on."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

import accuracy
import harness
from harness import BenchmarkError, Clone, Result
from pricetrail.base import files
from pricetrail.base.random_streams import stream
from pricetrail.checks import model_comparison
from pricetrail.data.features import DAY, select_sku
from pricetrail.data.splits import find_boundaries
from pricetrail.model.bundle import PRIMARY, Bundle
from pricetrail.model.inference import backup_predictions
from pricetrail.model.trust import trust_this_run

SKU = "85123A"
TEST_FROM = pd.Timestamp("2011-10-09 16:05")
SPLITS = ("train", "validation", "test")
# Measured on a machine of this kind: its own features and rows (2,270 lines), so it is context and no rival.
PUBLIC = {
    "network_five_unseeded_tunes": [0.57, 1.05],
    "lightgbm_default": 0.504,
    "lightgbm_tuned": 0.480,
    "customer_median": 0.614,
}
SAME = ["invoice", "sku", "unit_price", "quantity"]  # what tells that two tables have the same rows in order


def test_share(days: pd.Series) -> float:
    """The share of lines that makes the test days begin on the day of ``TEST_FROM``.

    Args:
        days: the day of every line of the SKU, shape (n,).
    """
    first = TEST_FROM.normalize()
    share = ((days >= first).sum() - 0.5) / len(days)  # half a line less, so that rounding cannot ask for a day more
    begin = find_boundaries(days, share).test_from
    if begin > TEST_FROM:
        raise BenchmarkError(f"no split.test_share lets the test days begin by {first:%Y-%m-%d}: {begin:%Y-%m-%d}")
    return float(share)


def set_setting(params: Path, name: str, value: str) -> None:
    """Set a dial, which must stand in params.yaml once, on a line of its own."""
    text, count = re.subn(rf"^(  {name}: )\S+", rf"\g<1>{value}", params.read_text(encoding="utf-8"), flags=re.M)
    if count != 1:
        raise BenchmarkError(f"params.yaml must have {name} once, found {count} times")
    params.write_text(text, encoding="utf-8")


def run(clone: Clone) -> float:
    """Run the pipeline for the SKU alone.

    Returns:
        The ``split.test_share`` it ran with.
    """
    clone.run("dvc", "repro", "etl_pipeline")
    lines = select_sku(files.read_table(clone.path / "data/processed"), SKU)
    share = test_share(lines[DAY])
    set_setting(clone.path / "params.yaml", "sku", SKU)
    set_setting(clone.path / "params.yaml", "test_share", f"{share:.6f}")
    clone.run("dvc", "repro", "compare_models")
    return share


def compare(folder: Path) -> pd.DataFrame:
    """The table of models on the lines from ``TEST_FROM`` on, with the dials and the stream of stage compare_models."""
    params, test = files.read_params(folder / "params.yaml"), files.read_table(folder / "data/splits/test")
    predictions = files.read_table(folder / "data/predictions.parquet")
    if not predictions[SAME].equals(test[SAME]):
        raise BenchmarkError("data/predictions.parquet must have the rows of data/splits/test in their order")
    kept = (test["invoiced_at"] >= TEST_FROM).to_numpy()
    others = backup_predictions(
        Bundle.load(folder / "models/candidate", trust_this_run(folder / "models/candidate")), test
    )
    rivals = model_comparison.compare(
        predictions[kept].reset_index(drop=True),
        {name: predicted[kept] for name, predicted in others.items()},
        PRIMARY,
        params.gates,
        stream(params.seed, "models"),
    )
    return model_comparison.model_table(rivals)


def measure() -> Result:
    """Run the pipeline for the SKU, and score it where public work does; the goal is part 2's."""
    with harness.fresh_clone("real") as clone:
        share = run(clone)
        models, chosen = accuracy.rows(compare(clone.path)), accuracy.chosen(clone.path)
        lines = {name: len(files.read_table(clone.path / f"data/splits/{name}")) for name in SPLITS}
    what = (
        f"`dvc repro compare_models` with data.sku {SKU} and split.test_share {share:.6f}, so that the test days begin "
        f"on {TEST_FROM:%Y-%m-%d}; {lines['train']:,} lines to train on and {lines['validation']:,} to validate, "
        f"features from the whole shop's history. Errors are of the {models[0]['rows']:,} lines from "
        f"{TEST_FROM:%Y-%m-%d %H:%M} on."
    )
    details = {"chosen": chosen, "lines": lines, "test_share": share, "public_pipeline_mse": PUBLIC}
    goals = (accuracy.mse_goal(models, "<", 0.45),)
    return accuracy.result("accuracy_85123A", models, goals, what, details)


if __name__ == "__main__":
    harness.main(measure)
