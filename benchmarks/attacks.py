"""Attacks that still work: every test that is marked as one tries it on the real thing, and passes where it fails."""

from __future__ import annotations

import harness
from harness import Goal, Result

LEAST_ATTACKS = 32  # 17 weaknesses that were shown, and 15 more of their kinds


def counted(name: str, marker: str, unit: str, what: str, least: int) -> Result:
    """The marked tests that fail, with a goal of none of at least so many."""
    found = harness.outcomes_of_tests("-n", "2", "--dist", "loadgroup", "-m", marker, "tests")
    ran = {test: outcome for test, outcome in found.items() if outcome != "skipped"}
    failed = sum(outcome == "failed" for outcome in ran.values())
    return Result(
        name=name,
        value=failed,
        unit=unit,
        what_was_run=f"`pytest -m {marker}`: {len(ran)} tests, {what}",
        goals=(Goal(unit, failed, "=", 0, unit.split()[0]), Goal("tried", len(ran), ">=", least, unit.split()[0])),
        details={"tests": found},
    )


def measure() -> Result:
    """Run the attacks."""
    what = "each tries one attack: with another uid, a real server, a hostile branch, file, tag or row"
    return counted("attacks", "attack", "attacks that work", what, LEAST_ATTACKS)


if __name__ == "__main__":
    harness.main(measure)
