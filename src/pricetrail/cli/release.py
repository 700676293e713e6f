"""``pricetrail release``: put a run's candidate into production."""

from pathlib import Path
from typing import Annotated

import typer

from pricetrail.base import files
from pricetrail.base.errors import ReleaseError
from pricetrail.lineage.dvc_cache import cache_folder
from pricetrail.lineage.place import changed, require_past
from pricetrail.operation.releases import make
from pricetrail.operation.releases import push as tag_push
from pricetrail.operation.releases.keys import ensure_keys
from pricetrail.operation.releases.trust import trusted
from pricetrail.operation.servers.s3 import ensure_running

PUSH = Annotated[bool, typer.Option("--push/--no-push", help="Push the tags to origin, all or none, never by force.")]
TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", metavar="DIR", help="Folder of the public keys that count, in place of those pinned here."),
]


def release(
    rev: Annotated[str, typer.Option("--rev", help="Git revision whose lock built the candidate.")] = "HEAD",
    push: PUSH = True,
    trust: TrustOption = None,
) -> None:
    """Release a revision's candidate: a signed version tag, and the tag that puts it into production.

    Refused: a dirty tree, a closed gate, a bundle that is released already, objects that are not in the DVC remote.
    """
    folder = Path()
    ensure_running(folder)
    if found := changed(folder):
        raise ReleaseError("git", f"must have nothing to commit: {len(found)} changed, such as {found[0]}")
    bring_tags(folder, push=push)
    known = trusted(folder, named=trust)
    make.require_releasable(folder, rev, known)
    cache = cache_folder()
    objects = make.require_in_remote(folder, rev, cache)
    author = tag_push.author_of(folder, files.read_params().weekly.author)
    made = make.tag_release(folder, rev, author, ensure_keys(folder), cache, known)
    record = made.record
    typer.echo(f"{made.tag}: commit {record.commit[:12]}, bundle {record.bundle_md5}, {objects} objects in the remote")
    typer.echo(f"{made.stage_tag}: {record.version} is in production")
    publish_tags(folder, [made.tag, made.stage_tag], push=push)


def bring_tags(folder: Path, *, push: bool) -> None:
    """The releases that others made, where tags are to be pushed; else this clone has to know them all.

    Raises:
        ReleaseError: the remote does not answer, or has another tag of the same name.
        LineageError: this clone may not know every release.
    """
    if push and tag_push.has_origin(folder):
        tag_push.fetch_tags(folder)
    else:
        require_past(folder)


def publish_tags(folder: Path, names: list[str], *, push: bool) -> None:
    """Push tags, or say how to; say what was done."""
    command = f"git push --atomic {tag_push.ORIGIN} {' '.join(repr(name) for name in names)}"
    if not tag_push.has_origin(folder):
        typer.echo(f"not pushed: git has no remote {tag_push.ORIGIN}")
    elif push:
        tag_push.push_tags(folder, *names)
        typer.echo(f"pushed to {tag_push.ORIGIN}")
    else:
        typer.echo(f"not pushed: {command}")
