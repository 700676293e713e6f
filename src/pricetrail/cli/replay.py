"""``pricetrail replay``: whether a commit's outputs come out again, byte by byte."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from pricetrail.base.errors import LineageError
from pricetrail.cli.table import Console, Format, FormatOption, JsonFlag, chosen, print_rows
from pricetrail.cli.why import grouped, plural
from pricetrail.lineage import replay as room
from pricetrail.lineage.why import SAME_INPUTS

STYLES: Final = {"identical": "green", "altered": "yellow", "differs": "red", "missing": "red"}
log = logging.getLogger(__name__)


def replay(
    rev: Annotated[str, typer.Argument(help="Commit, branch or tag.", metavar="REV|TAG")],
    keep: Annotated[Path | None, typer.Option(help="Leave the clone in this new folder.")] = None,
    stage: Annotated[list[str] | None, typer.Option(help="Only this stage and what it reads; may be repeated.")] = None,
    form: FormatOption = Format.table,
    as_json: JsonFlag = False,
    yes: Annotated[bool, typer.Option("--yes", help="Run code that is not of HEAD's history, unasked.")] = False,
) -> None:
    """Build a commit's outputs again in a temporary clone, and say of each whether its bytes are the same.

    It runs the commit's code: of a commit that HEAD does not follow from, it asks first. Raw data comes from the cache
    or the remote, by hash; no other output does. Exit code 1 where any output differs.
    """
    if not yes and not room.is_of_this_history(rev):
        _ask(rev)
    with _announcing() as announce:
        found = room.replay(rev, keep, stage or (), announce)
    form = chosen(form, as_json)
    if form is Format.json:
        typer.echo(json.dumps(_tree(found), indent=2))
    elif form is Format.csv:
        print_rows([{**asdict(output), "verdict": output.verdict} for output in found.outputs], form)
    else:
        _print(found)
    raise typer.Exit(0 if found.is_identical else 1)


def _ask(rev: str) -> None:
    """Let a person decide whether code runs that this project never ran.

    Raises:
        LineageError: the answer is no, or there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise LineageError("replay", "must be told to run code that is not in the history of HEAD: add --yes", rev)
    told = f"Replay runs the code of {rev!r} with your rights, and that commit is not in the history of HEAD."
    if not typer.confirm(f"{told} Run it?", err=True):
        raise LineageError("replay", "must be allowed to run that code: nothing was run")


@contextmanager
def _announcing() -> Iterator[Callable[[str], None]]:
    """Tell what begins: a line with a clock on a terminal, one line each elsewhere."""
    console, start = Console(stderr=True), time.monotonic()
    if not console.is_terminal:
        yield lambda text: typer.echo(f"{time.monotonic() - start:5.0f} s  {text}", err=True)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("replay", total=None)
        yield lambda text: bars.update(task, description=text)


def _tree(found: room.Replay) -> dict[str, object]:
    outputs = [{**asdict(output), "verdict": output.verdict} for output in found.outputs]
    return {**asdict(found), "outputs": outputs, "percent": found.percent, "is_identical": found.is_identical}


def _print(found: room.Replay) -> None:
    view = Table(Column("stage", no_wrap=True), Column("output", overflow="fold"), "bytes", Column("md5", no_wrap=True))
    for output in found.outputs:
        rebuilt = "" if output.rebuilt in (None, output.recorded) else f" not {output.rebuilt:.8}"
        verdict = f"[{STYLES[output.verdict]}]{output.verdict}[/]"
        view.add_row(output.stage, output.path, verdict, f"{output.recorded:.8}{rebuilt}")
    console = Console(file=sys.stdout)
    console.print(view)
    for line in _lines(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _lines(found: room.Replay) -> Iterator[str]:
    same = sum(output.verdict == "identical" for output in found.outputs)
    yield (
        f"{same} of {plural(len(found.outputs), 'output')} of {found.commit[:12]} identical "
        f"({found.percent:.4g} %), in {found.seconds:.0f} s"
    )
    for origin in found.origins:
        yield f"raw data {origin.path} from the {origin.source}, {origin.md5}"
    if not found.origins:
        yield "raw data: none from the cache or a remote; git or a stage has it all"
    if found.packages:
        told = ", ".join(f"{p.name} {p.old} (here {p.new or 'none'})" for p in found.packages)
        yield f"not the packages of that commit's requirements.lock: {told}"
    for name in found.stopped_at:
        yield f"stopped at {name}, as the run of that commit did: its lock has no run of it with these inputs"
    if found.earlier:
        yield f"not compared, of an earlier run: {', '.join(found.earlier)}"
    if altered := [output.path for output in found.outputs if output.verdict == "altered"]:
        yield f"rebuilt as recorded, but the commit itself holds other bytes: {', '.join(altered)}"
    for change in found.difference.stages:
        if change.causes == (SAME_INPUTS,):
            yield f"first to differ: {change.name}: {SAME_INPUTS}"
        elif change.name in found.difference.first:
            yield f"the lock is of other inputs than the commit's, first at {change.name}: {grouped(change.causes)}"
