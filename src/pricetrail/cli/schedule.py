"""``pricetrail schedule``: the weekly flow by the clock, with Prefect's server and UI."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path

import typer

from pricetrail.cli.one_line_errors import one_line_errors
from pricetrail.operation.schedule import serve_project as operation


def schedule() -> None:
    """Run the weekly flow by the cron of params.yaml, with Prefect's server and UI, until Ctrl-C.

    Where PREFECT_API_URL is set, the schedule is served to that server, and none is started here.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")

    def tell(address: str) -> None:
        typer.echo(f"Prefect: {address} (Ctrl-C ends the schedule)")

    with one_line_errors(), suppress(KeyboardInterrupt):
        operation.schedule(Path(), tell)
