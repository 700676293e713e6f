"""``pricetrail weekly``: the scheduled run, once, now, in this terminal."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pricetrail.base.errors import OperationError, PricetrailError
from pricetrail.base.processes import ended_by_sigterm
from pricetrail.operation.weekly.message import metrics_table
from pricetrail.operation.weekly.outcome import notify
from pricetrail.operation.weekly.retrying import Foreground
from pricetrail.operation.weekly.run import Report, params_of, weekly_run


def weekly(
    as_json: Annotated[bool, typer.Option("--json", help="Print the ending as JSON.")] = False,
) -> None:
    """Run the weekly flow once, without a server: reproduce in a clean clone, push, verify, publish.

    A closed gate, or nothing new, is a normal ending (exit code 0); a fault publishes nothing (exit code 1).
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("pricetrail").setLevel(logging.INFO)
    settings = params_of(Path()).weekly

    def report(told: Report) -> None:
        if not as_json and told.ending.message:
            typer.echo(metrics_table(told.before, told.after), nl=False)
        notify(settings.webhook_url, told.ending)

    try:
        with _ended_by_sigterm():
            ending = weekly_run(Path(), Foreground(settings), report)
    except PricetrailError as error:
        notify(settings.webhook_url, str(error))
        raise
    if as_json:
        typer.echo(json.dumps(asdict(ending), indent=2))
        return
    release = f", release {ending.version}" if ending.version else ""
    typer.echo(f"{ending.outcome}: {ending.headline}")
    typer.echo(
        f"commit {ending.commit[:12]}{release}; {ending.objects} new objects, {ending.object_bytes / 1e6:.1f} MB"
    )


class _StoppedError(BaseException):
    """No `Exception`, so that nothing on its way takes it for a fault of the remote, and tries again."""


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let a run that is told to end take its programs and its folder with it."""
    try:
        with ended_by_sigterm(_StoppedError()):
            yield
    except _StoppedError:
        raise OperationError("weekly run", "must not be stopped: got SIGTERM") from None
