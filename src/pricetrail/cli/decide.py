"""``pricetrail decide``: what became of the candidate, gate by gate."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from pricetrail.base import files
from pricetrail.base.errors import DataError
from pricetrail.checks.decision import (
    COLUMNS,
    DETAILS,
    RESTATED,
    advice,
    cells,
    headline,
    number,
    override_note,
    read_decision,
    status,
)
from pricetrail.checks.gates import OUTCOME_WORDS, Decision, GateState, read_verdict
from pricetrail.cli.table import Console, Format, FormatOption, JsonFlag, chosen, print_rows

DECISION = Path("metrics/decision.json")
STYLES = {"closed": "red", "open by override": "yellow", "open": "green"}


def decide(
    explain: Annotated[
        bool, typer.Option("--explain", help="For every gate: reason, override, evidence, and what you may do.")
    ] = False,
    form: FormatOption = Format.table,
    as_json: JsonFlag = False,
) -> None:
    """Show whether the last run's candidate may be released or is withheld, and why.

    --format json prints metrics/decision.json, once it is checked; csv the gates.
    """
    form = chosen(form, as_json)
    text = files.read_text(DECISION)
    decision = read_decision(files.parse_json(text, str(DECISION)), str(DECISION))
    _require_evidence(decision)
    if form is Format.json:
        typer.echo(text, nl=False)
        return
    if form is Format.csv:
        print_rows(decision.record()["gates"], form)
        return
    console = Console(file=sys.stdout)
    style = "green" if decision.may_be_released else "red"
    found = (OUTCOME_WORDS[decision.outcome], f"bold {style}")
    console.print(Text.assemble("The candidate ", found, ". ", headline(decision)))
    console.print(_table(decision))
    if decision.restated:
        console.print(Text(RESTATED))
        for entry in decision.restated:
            console.print(Text(f"  {entry.file}: {entry.reason}"))
    if explain:
        for gate in decision.gates:
            console.print(_explained(gate))


def _require_evidence(decision: Decision) -> None:
    """Hold every gate against the verdict in its own metrics file.

    Raises:
        DataError: the two are not the same.
    """
    for gate in decision.gates:
        if read_verdict(files.read_json(Path(gate.evidence)), gate.evidence, gate.gate) != gate.verdict:
            rule = f"verdict of the {gate.gate} gate must be that of {gate.evidence}: run `dvc repro`"
            raise DataError(str(DECISION), rule)


def _table(decision: Decision) -> Table:
    view = Table(*COLUMNS)
    for gate in decision.gates:
        *row, last = cells(gate)
        view.add_row(*map(Text, row), Text(last, style=STYLES[last]))
    return view


def _explained(gate: GateState) -> Table:
    """A gate's block: everything that bears on it, a line each."""
    view = Table.grid(Column(no_wrap=True), Column(), padding=(0, 2))
    view.title = Text(f"\n{gate.gate}: {status(gate)}", style=f"bold {STYLES[status(gate)]}")
    view.title_justify = "left"
    facts = {
        "value": number(gate.value),
        "threshold": f"{gate.rule} {number(gate.threshold)}",
        "verdict": gate.word,
        "reason": gate.reason,
        "override": override_note(gate),
        "evidence": f"{gate.evidence}, {DETAILS[gate.gate]}",
        "you may": "\n".join(clause.replace("`", "") for clause in advice(gate)),
    }
    for name, value in facts.items():
        view.add_row(f"  {name}", Text(value))
    return view
