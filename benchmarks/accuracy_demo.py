"""Test error of the network on the demo shop, beside tuned LightGBM on the same features."""

from __future__ import annotations

import accuracy
import harness

WHAT = (
    "A full `dvc repro` on the demo shop (the run of pipeline_demo). Test: the last tenth of lines, cut between days; "
    "every study saw earlier days only."
)


def measure() -> harness.Result:
    """Read what stage compare_models found; the goal is part 2's."""
    with harness.finished_clone("demo") as (clone, _):
        models, chosen = accuracy.read_rows(clone.path), accuracy.chosen(clone.path)
    goals = (accuracy.ratio_goal(models, 0.97),)
    return accuracy.result("accuracy_demo", models, goals, WHAT, {"chosen": chosen})


if __name__ == "__main__":
    harness.main(measure)
