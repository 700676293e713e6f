"""``pricetrail s3 start | stop``: the embedded S3 server."""

from pathlib import Path

import typer

from pricetrail.cli.one_line_errors import one_line_errors
from pricetrail.operation.servers import s3

app = typer.Typer(no_args_is_help=True, help="The embedded S3 server of a remote on 127.0.0.1.")


@app.command()
@one_line_errors()
def start() -> None:
    """Start it, with random keys in .dvc/config.local on first use; nothing to do for a remote elsewhere."""
    found = s3.ensure_running(Path())
    typer.echo(f"S3 answers at {found.url}" if found else "the remote is no embedded one")


@app.command()
@one_line_errors()
def stop() -> None:
    """Stop it; its objects stay in .s3/."""
    found = s3.embedded(Path())
    stopped = found is not None and found.stop()
    typer.echo("stopped" if stopped else "was not running")
