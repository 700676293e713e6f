"""Test error of the network on all lines of the UCI data, beside tuned LightGBM on the same features."""

from __future__ import annotations

import accuracy
import harness

WHAT = (
    "A full `dvc repro` on all UCI Online Retail lines (the run of pipeline_real). Test: the last tenth of lines, cut "
    "between days; every study saw earlier days only."
)


def measure() -> harness.Result:
    """Read what stage compare_models found; the goals are part 2's."""
    with harness.finished_clone("real") as (clone, _):
        models, chosen = accuracy.read_rows(clone.path), accuracy.chosen(clone.path)
    goals = (
        accuracy.mse_goal(models, "<=", 0.300),
        accuracy.ratio_goal(models, 0.97),
        accuracy.difference_goal(models),
    )
    return accuracy.result("accuracy_real", models, goals, WHAT, {"chosen": chosen})


if __name__ == "__main__":
    harness.main(measure)
