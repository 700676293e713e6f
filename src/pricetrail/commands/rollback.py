"""``pricetrail rollback``: put an earlier release back into production."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pricetrail import files
from pricetrail.commands import one_line_errors
from pricetrail.commands.release import PUSH, publish_tags
from pricetrail.dvc_cache import cache_folder
from pricetrail.operation.store import ensure_running


def rollback(
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the tag's message.")],
    to: Annotated[
        str, typer.Option("--to", metavar="VERSION", help="A release; without it, the one that served before.")
    ] = "",
    push: PUSH = True,
) -> None:
    """Put an earlier release back into production, verified first, by a new tag that keeps the reason."""
    from pricetrail.releases import publish
    from pricetrail.releases.rollback import roll_back

    folder = Path()
    with one_line_errors():
        ensure_running(Path())
        if push and publish.has_origin(folder):
            publish.fetch_tags(folder)
        author = publish.author_of(folder, files.read_params().weekly.author)
        done = roll_back(folder, to, reason, author, cache_folder())
        typer.echo(f"{done.stage_tag}: {done.version} is in production, {done.version_before} no longer")
        publish_tags(folder, [done.stage_tag], push=push)
