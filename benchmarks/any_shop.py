"""Inputs that are read wrongly, or whose lines are lost in silence: ``../shared/cases`` and the example shops.

Each input is read as the ETL does, by the shipped settings and by those that its README row asks for. What comes is
held against lines that are written down without the code (`tests/support/shop_cases.py`): equal, refused with the words
that name the trouble, or wrong, which is what is counted.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections import Counter

import harness
from harness import DataAbsentError, Goal, Result

sys.path.insert(0, str(harness.ROOT / "tests"))

from support import example_shops, shop_cases


def measure() -> Result:
    """Read every input by each of its settings."""
    if not shop_cases.CASES.is_dir():
        raise DataAbsentError("skipped: ../shared/cases, the small inputs, are not there")
    logging.getLogger("pricetrail").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    trials = [*shop_cases.shared_trials(), *map(shop_cases.example_trial, example_shops.EXAMPLES)]
    outcomes = [shop_cases.try_out(trial) for trial in trials]
    inputs = {trial.name for trial in trials}
    wrong = {t.name for t, outcome in zip(trials, outcomes, strict=True) if outcome.verdict == "wrong"}
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    return Result(
        name="any_shop",
        value=len(wrong),
        unit="inputs wrong",
        rival="the commit before any shop's data, 20 of ../shared/cases",
        rival_value=16,
        what_was_run=f"{len(inputs)} inputs of ../shared/cases and tests/data/examples by {len(trials)} settings, each "
        f"held against lines written down without the code: {verdicts['equal']} equal, {verdicts['refused']} refused "
        "where they must be, by words that name the trouble",
        goals=(Goal("inputs read wrongly or lost in silence", len(wrong), "<=", 0, "inputs wrong"),),
        details={
            "trials": [
                {
                    "input": trial.name,
                    "settings": dict(trial.settings),
                    "verdict": outcome.verdict,
                    "said": outcome.said,
                }
                for trial, outcome in zip(trials, outcomes, strict=True)
            ]
        },
    )


if __name__ == "__main__":
    harness.main(measure)
