"""``pricetrail releases``: every release, with its figures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from pricetrail.checks.decision import number
from pricetrail.cli.one_line_errors import one_line_errors


def releases(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """List every release: when, of which commit, its test error, and which one serves."""
    from pricetrail.operation.releases.registry import rows

    with one_line_errors():
        found = rows(Path())
    if as_json:
        typer.echo(json.dumps([row.record() for row in found], indent=1))
        return
    if not found:
        typer.echo("no releases yet: `pricetrail release` makes one")
        return
    right = [Column(name, justify="right", no_wrap=True) for name in ("test MSE", "skill")]
    head = [Column(name, no_wrap=True) for name in ("version", "serves", "date", "commit")]
    table = Table(*head, *right, Column("decision", no_wrap=True), "rolled back because", box=box.SIMPLE)
    table.caption = "test MSE: of log1p(units); the tags are not verified here: pricetrail verify"
    for row in found:
        table.add_row(
            row.version,
            Text("production", style="bold green") if row.production else "",
            row.tagged_at[:10],
            row.commit[:7],
            number(row.test_mse_log_quantity),
            number(row.skill),
            row.outcome or "–",
            Text("; ".join(row.withdrawn) or ""),
        )
    Console(file=sys.stdout).print(table)
