"""``pricetrail check``: what can be wrong before any work."""

from typing import Annotated

import typer

from pricetrail.base import files
from pricetrail.base.escaping import seen
from pricetrail.base.json_type import Json
from pricetrail.cli.table import Format, print_rows
from pricetrail.data.profile import Profile, profile
from pricetrail.data.reading import read_shop

SHOWN = 20  # sources


def check(
    with_data: Annotated[
        bool, typer.Option("--data", help="Also read every source file, as `etl_pipeline` will, and tell what it says.")
    ] = False,
) -> None:
    """Check params.yaml, and with --data the source files, before any work."""
    params = files.read_params()
    if with_data:
        _tell(profile(read_shop(params)))
    typer.echo("params.yaml is right")


def _tell(found: Profile) -> None:
    _titled("Sources", found.sources[:SHOWN])
    if len(found.sources) > SHOWN:
        typer.echo(f"… and {len(found.sources) - SHOWN:,} more")
    _titled("Sales", [{"what": name, "found": figure} for name, figure in found.figures.items()])
    _titled("Lines as understood", found.examples)
    _titled("Rows in quarantine", found.quarantined)
    for warning in found.warnings:
        typer.echo(seen(f"warning: {warning}"))


def _titled(title: str, rows: list[dict[str, Json]]) -> None:
    if rows:
        typer.echo(f"\n{title}")
        print_rows(rows, Format.table)
