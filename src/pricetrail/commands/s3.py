"""``pricetrail s3 start | stop``: the embedded S3 server."""

from __future__ import annotations

from pathlib import Path

import typer

from pricetrail.commands import one_line_errors
from pricetrail.operation import store

app = typer.Typer(no_args_is_help=True, help="The embedded S3 server of a remote on 127.0.0.1.")


@app.command()
def start() -> None:
    """Start it, with random keys in .dvc/config.local on first use; nothing to do for a remote elsewhere."""
    with one_line_errors():
        found = store.ensure_running(Path())
    typer.echo(f"S3 answers at http://{store.HOST}:{found.port}" if found else "the remote is no embedded one")


@app.command()
def stop() -> None:
    """Stop it; its objects stay in .s3/."""
    with one_line_errors():
        found = store.embedded(Path())
        stopped = found is not None and found.stop()
    typer.echo("stopped" if stopped else "was not running")
