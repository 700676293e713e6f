"""Attacks that still work: every test that is marked as one tries it on the real thing, and passes where it fails."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import harness
from harness import BenchmarkError, Goal, Result

LEAST_ATTACKS = 32  # 17 weaknesses that were shown, and 15 more of their kinds


def marked_tests(marker: str) -> dict[str, str]:
    """``passed``, ``failed`` or ``skipped`` by test, of those that bear a marker; run in a clone.

    Raises:
        BenchmarkError: there is none.
    """
    with harness.fresh_clone("demo") as clone, tempfile.TemporaryDirectory(prefix="pricetrail-bench-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", "-m", marker]
        command += ["tests", f"--junitxml={report}"]
        subprocess.run(command, cwd=clone.path, env=harness.environment(clone.path), check=False, stdout=sys.stderr)
        cases = list(ET.parse(report).iter("testcase")) if report.exists() else []
    if not cases:
        raise BenchmarkError(f"tests must have some that are marked {marker}, and none ran")
    return {f"{case.attrib['classname']}::{case.attrib['name']}": _outcome(case) for case in cases}


def _outcome(case: ET.Element) -> str:
    kinds = {child.tag for child in case}
    return "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"


def counted(name: str, marker: str, unit: str, what: str, least: int) -> Result:
    """The marked tests that fail, with a goal of none of at least so many."""
    found = marked_tests(marker)
    ran = {test: outcome for test, outcome in found.items() if outcome != "skipped"}
    failed = sum(outcome == "failed" for outcome in ran.values())
    return Result(
        name=name,
        value=failed,
        unit=unit,
        rival=None,
        rival_value=None,
        ratio=None,
        what_was_run=f"`pytest -m {marker}`: {len(ran)} tests, {what}",
        machine=harness.machine(),
        goals=(Goal(unit, failed, "=", 0, unit.split()[0]), Goal("tried", len(ran), ">=", least, unit.split()[0])),
        details={"tests": found},
    )


def measure() -> Result:
    """Run the attacks."""
    what = "each tries one attack: with another uid, a real server, a hostile branch, file, tag or row"
    return counted("attacks", "attack", "attacks that work", what, LEAST_ATTACKS)


if __name__ == "__main__":
    harness.main(measure)
