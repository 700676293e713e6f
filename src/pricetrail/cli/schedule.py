"""``pricetrail schedule``: the weekly flow by the clock, with Prefect's server and UI."""

import logging
import shlex
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import typer

from pricetrail.operation.schedule import serve_project as operation

RUN_NOW = "weekly_lineage/weekly"  # as `deployment.FULL_NAME`, which takes seconds to import


def schedule() -> None:
    """Run the weekly flow by the cron of params.yaml, with Prefect's server and UI, until Ctrl-C.

    Where PREFECT_API_URL is set, the schedule is served to that server, and none is started here.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")

    def tell(api: str, login: Path | None, due: datetime) -> None:
        typer.echo(f"Prefect: {api.removesuffix('/api')} (Ctrl-C ends the schedule)")
        if login:
            typer.echo(f"its login: the line in {login}, which only you can read")
        typer.echo(f"next run: {due:%A %Y-%m-%d %H:%M}, {due.tzinfo}")
        asked = f'PREFECT_API_AUTH_STRING="$(cat {shlex.quote(str(login))})" ' if login else ""
        typer.echo(f"start one now: PREFECT_API_URL={api} {asked}prefect deployment run {RUN_NOW}")

    with suppress(KeyboardInterrupt):
        operation.schedule(Path(), tell)
