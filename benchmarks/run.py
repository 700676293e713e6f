"""Run the benchmarks, all or those named, and show what they found.

``python benchmarks/run.py [name ...]`` goes on after a failing one, and then exits 1. A goal that is missed is shown in
red and fails nothing: figures are reported, not tested.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import harness
import tables

KNOWN = (*tables.NAMES, *tables.LONG)


def _run(name: str, shared: Path) -> str:
    """Run one benchmark in a process of its own.

    Returns:
        ``measured``, ``skipped`` (its data is absent) or ``failed``.
    """
    path = harness.RESULTS / f"{name}.json"
    before = path.stat().st_mtime_ns if path.exists() else None
    program = harness.ROOT / "benchmarks" / f"{name}.py"
    code = subprocess.run(
        [sys.executable, str(program)], env={**os.environ, harness.SHARED: str(shared)}, check=False
    ).returncode
    if code:
        return "failed"
    after = path.stat().st_mtime_ns if path.exists() else None
    return "skipped" if after == before else "measured"


def _cells(name: str, outcome: str) -> list[str]:
    if outcome != "measured":
        return [name, outcome, "", "", ""]
    result = harness.Result.read(harness.RESULTS / f"{name}.json")
    shown = zip(result.goals, tables.goal_cells(result), strict=True)
    goals = [escape(cell) if goal.is_met else f"[red]{escape(cell)}[/red]" for goal, cell in shown]
    value = escape(tables.value_cell(result))
    if any(result.is_about_value(goal) and not goal.is_met for goal in result.goals):
        value = f"[red]{value}[/red]"
    return [name, value, "\n".join(goals), escape(tables.rival_cell(result)), tables.ratio_cell(result)]


def main() -> None:
    """Run, show, and exit 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"one of {', '.join(KNOWN)}; default: all but {', '.join(tables.LONG)}"
    )
    names = parser.parse_args().names
    if unknown := sorted(set(names) - set(KNOWN)):
        parser.error(f"unknown benchmark {', '.join(unknown)}; there are {', '.join(KNOWN)}")
    wanted = [name for name in KNOWN if name in names or not (names or name in tables.LONG)]
    with tempfile.TemporaryDirectory(prefix="pricetrail-bench-") as shared:
        outcomes = {name: _run(name, Path(shared)) for name in wanted}
    table = Table("name", "value", "limit", "rival", "ratio")
    for name, outcome in outcomes.items():
        table.add_row(*_cells(name, outcome))
    Console().print(table)
    raise SystemExit("failed" in outcomes.values())


if __name__ == "__main__":
    main()
