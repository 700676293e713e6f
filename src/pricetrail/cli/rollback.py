"""``pricetrail rollback``: put an earlier release back into production."""

from pathlib import Path
from typing import Annotated

import typer

from pricetrail.base import files
from pricetrail.cli.release import PUSH, TrustOption, bring_tags, publish_tags
from pricetrail.lineage.dvc_cache import cache_folder
from pricetrail.operation.releases import push as tag_push
from pricetrail.operation.releases.keys import ensure_keys
from pricetrail.operation.releases.rollback import roll_back
from pricetrail.operation.releases.trust import trusted
from pricetrail.operation.servers.s3 import ensure_running


def rollback(
    reason: Annotated[str, typer.Option("--reason", help="Why; kept in the tag's message.")],
    to: Annotated[
        str, typer.Option("--to", metavar="VERSION", help="A release; without it, the one that served before.")
    ] = "",
    push: PUSH = True,
    trust: TrustOption = None,
) -> None:
    """Put an earlier release back into production, verified first, by a new signed tag that keeps the reason."""
    folder = Path()
    ensure_running(folder)
    bring_tags(folder, push=push)
    author = tag_push.author_of(folder, files.read_params().weekly.author)
    done = roll_back(folder, to, reason, author, ensure_keys(folder), cache_folder(), trusted(folder, named=trust))
    before = f", {done.version_before} no longer" if done.version_before else ""
    typer.echo(f"{done.stage_tag}: {done.version} is in production{before}")
    publish_tags(folder, [done.stage_tag], push=push)
