"""``pricetrail doctor``: what is wrong with this machine, this project and its remote, and what to do about it."""

import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import typer
from rich.text import Text

from pricetrail.cli.table import Console, Format, FormatOption, JsonFlag, chosen, print_rows
from pricetrail.operation.doctor.checks import CHECKS, examine
from pricetrail.operation.doctor.findings import Finding, State

STYLES = {State.OK: "green", State.WARNING: "yellow", State.FAILED: "bold red"}
STATE_WIDTH = max(len(state) for state in State)
NAME_WIDTH = max(len(check.name) for check in CHECKS)


def doctor(form: FormatOption = Format.table, as_json: JsonFlag = False) -> None:
    """Check tools, packages, git, schedule, Prefect, keys, remote, lock and disk, and say what to do.

    Exit code 1 where a check failed.
    """
    form = chosen(form, as_json)
    findings: list[Finding] = []
    console = Console(file=sys.stdout, highlight=False)
    for finding in examine(Path()):
        findings.append(finding)
        if form is Format.table:
            _show(console, finding)
    counts = Counter(finding.state for finding in findings)
    if form is not Format.table:
        print_rows([{"check": finding.check, **asdict(finding)} for finding in findings], form)
    else:
        console.print(", ".join(f"{counts[state]} {state}" for state in State))
    if counts[State.FAILED]:
        raise typer.Exit(1)


def _show(console: Console, finding: Finding) -> None:
    state = Text(f"{finding.state:<{STATE_WIDTH}}", style=STYLES[finding.state])
    console.print(Text.assemble(state, f"  {finding.check:<{NAME_WIDTH}}  ", finding.found), soft_wrap=True)
    if finding.advice:
        console.print(Text(" " * (STATE_WIDTH + NAME_WIDTH + 4) + f"→ {finding.advice}"), soft_wrap=True)
