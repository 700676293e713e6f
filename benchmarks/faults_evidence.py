"""Faults of ``docs/faults.md`` that nobody notices: each is injected into a copy of a finished run."""

from __future__ import annotations

import re

import harness
from harness import Goal, Result

LEAST_FAULTS = 20
TESTS = "tests/test_faults.py"
NOTICED = re.compile(r"::test_the_fault_is_noticed\[(.+)\]$")


def measure() -> Result:
    """Run the table's tests, where each fault has a control without it."""
    outcomes = harness.outcomes_of_tests("-m", "slow", TESTS)
    names = {test: NOTICED.search(test) for test in outcomes}
    found = {name[1]: outcomes[test] == "passed" for test, name in names.items() if name}
    missed = sum(not noticed for noticed in found.values())
    return Result(
        name="faults_evidence",
        value=missed,
        unit="faults undetected",
        what_was_run=f"{TESTS}: {len(found)} faults, each in a copy of a finished run of the tiny shop; the gate, "
        "check, command or test that docs/faults.md names has to notice it, and to be quiet without it",
        goals=(
            Goal("faults undetected", missed, "=", 0, "faults"),
            Goal("faults injected", len(found), ">=", LEAST_FAULTS, "faults"),
        ),
        details={"noticed": found},
    )


if __name__ == "__main__":
    harness.main(measure)
