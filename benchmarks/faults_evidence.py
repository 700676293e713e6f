"""Faults of ``docs/faults.md`` that nobody notices: each is injected into a copy of a finished run."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import harness
from harness import BenchmarkError, Goal, Result

LEAST_FAULTS = 20
TESTS = "tests/test_faults.py"


def _outcomes(report: Path) -> dict[str, bool]:
    """Whether each injected fault was noticed, by its name."""
    found = {}
    for case in ET.parse(report).iter("testcase"):
        if name := re.fullmatch(r"test_the_fault_is_noticed\[(.+)\]", case.attrib["name"]):
            found[name[1]] = not any(child.tag in {"failure", "error", "skipped"} for child in case)
    return found


def measure() -> Result:
    """Run the table's tests in a clone, where each has a control without the fault.

    Raises:
        BenchmarkError: no fault was injected.
    """
    with harness.fresh_clone("demo") as clone, tempfile.TemporaryDirectory(prefix="pricetrail-bench-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "slow", TESTS, f"--junitxml={report}"]
        subprocess.run(command, cwd=clone.path, env=harness.environment(clone.path), check=False, stdout=sys.stderr)
        found = _outcomes(report) if report.exists() else {}
    if not found:
        raise BenchmarkError(f"{TESTS} must inject faults, and did not run")
    missed = sum(not noticed for noticed in found.values())
    return Result(
        name="faults_evidence",
        value=missed,
        unit="faults undetected",
        rival=None,
        rival_value=None,
        ratio=None,
        what_was_run=f"{TESTS}: {len(found)} faults, each in a copy of a finished run of the tiny shop; the gate, "
        "check, command or test that docs/faults.md names has to notice it, and to be quiet without it",
        machine=harness.machine(),
        goals=(
            Goal("faults undetected", missed, "=", 0, "faults"),
            Goal("faults injected", len(found), ">=", LEAST_FAULTS, "faults"),
        ),
        details={"noticed": found},
    )


if __name__ == "__main__":
    harness.main(measure)
