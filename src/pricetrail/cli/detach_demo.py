"""``pricetrail detach-demo``: a project of one's own lines, without the demo shop that it came with."""

from typing import Annotated

import typer

from pricetrail.operation.ingest.detach_demo import MESSAGE, Detached
from pricetrail.operation.ingest.detach_demo import detach_demo as detach


def detach_demo(
    commit: Annotated[bool, typer.Option("--commit/--no-commit", help="Commit the change, and nothing else.")] = False,
) -> None:
    """Take the demo shop's stage and lock out of the project, so that `dvc pull` looks for nobody's lines.

    Refused while data.path is the demo shop.
    """
    for line in _told(detach(commit=commit)):
        typer.echo(line)


def _told(done: Detached) -> list[str]:
    lines = [f"removed {name}" for name in done.removed]
    lines += ["dvc.yaml: stage record_run no longer reads demo/dag.yaml"] * done.edited
    lines += [f"{path} stays on disk, where git and DVC leave it out: remove it as you like" for path in done.left]
    if not lines:
        lines.append("no demo shop here")
    if done.commit:
        lines.append(f"[{done.commit[:7]}] {MESSAGE}")
    elif done.changed:
        how = f'git commit -m "{MESSAGE}" -- {" ".join(done.changed)}'
        lines += ["", "To commit the change, run the same with --commit, or:", "", f"    {how}", ""]
    if not done.is_run:
        lines.append("dvc.lock is not of your lines yet: `dvc repro`, commit, `dvc push`, then others can `dvc pull`")
    return lines
