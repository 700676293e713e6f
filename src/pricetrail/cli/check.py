"""``pricetrail check``: what can be wrong before any work."""

from typing import Annotated

import typer

from pricetrail.base import files
from pricetrail.data.reading import read_shop


def check(
    with_data: Annotated[
        bool, typer.Option("--data", help="Also read every source file, as `etl_pipeline` will.")
    ] = False,
) -> None:
    """Check params.yaml, and with --data the source files, before any work."""
    params = files.read_params()
    if with_data:
        reading = read_shop(params)
        typer.echo(f"{params.data.path}: {reading.rows:,} rows")
    typer.echo("params.yaml is right")
