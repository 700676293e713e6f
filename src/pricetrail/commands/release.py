"""``pricetrail release``: put a run's candidate into production."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pricetrail import files
from pricetrail.commands import one_line_errors
from pricetrail.dvc_cache import cache_folder
from pricetrail.errors import ReleaseError
from pricetrail.operation.store import ensure_running
from pricetrail.repository import git

PUSH = Annotated[bool, typer.Option("--push/--no-push", help="Push the tags to origin, all or none, never by force.")]


def release(
    rev: Annotated[str, typer.Option("--rev", help="Git revision whose lock built the candidate.")] = "HEAD",
    push: PUSH = True,
) -> None:
    """Release a revision's candidate: a signed version tag, and the tag that puts it into production.

    Refused: a dirty tree, a closed gate, a bundle that is released already, objects that are not in the DVC remote.
    """
    from pricetrail.releases import keys, make, publish  # GTO and DVC take seconds to load

    folder = Path()
    with one_line_errors():
        ensure_running(Path())
        if changed := git("status", "--porcelain", "--untracked-files=no", folder=folder).splitlines():
            raise ReleaseError("git", f"must have nothing to commit: {len(changed)} changed, such as {changed[0][3:]}")
        if push and publish.has_origin(folder):
            publish.fetch_tags(folder)
        make.require_releasable(folder, rev)
        cache = cache_folder()
        objects = make.require_in_remote(folder, rev, cache)
        author = publish.author_of(folder, files.read_params().weekly.author)
        made = make.tag_release(folder, rev, author, keys.ensure_keys(folder), cache)
        typer.echo(f"{made.tag}: commit {made.commit[:12]}, bundle {made.bundle_md5}, {objects} objects in the remote")
        typer.echo(f"{made.stage_tag}: {made.version} is in production")
        publish_tags(folder, [made.tag, made.stage_tag], push=push)


def publish_tags(folder: Path, names: list[str], *, push: bool) -> None:
    """Push tags, or say how to; say what was done."""
    from pricetrail.releases import publish

    command = f"git push --atomic {publish.ORIGIN} {' '.join(repr(name) for name in names)}"
    if not publish.has_origin(folder):
        typer.echo(f"not pushed: git has no remote {publish.ORIGIN}")
    elif push:
        publish.push_tags(folder, *names)
        typer.echo(f"pushed to {publish.ORIGIN}")
    else:
        typer.echo(f"not pushed: {command}")
