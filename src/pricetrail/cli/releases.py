"""``pricetrail releases``: every release, with its figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from pricetrail.base.json_type import Json
from pricetrail.cli.one_line_errors import one_line_errors
from pricetrail.cli.release import TrustOption
from pricetrail.cli.table import Format, FormatOption, JsonFlag, chosen, print_rows

HEADINGS = {
    "version": "version",
    "serves": "serves",
    "date": "date",
    "short": "commit",
    "test_mse_log_quantity": "test MSE",
    "skill": "skill",
    "outcome": "decision",
    "because": "rolled back because",
}


CopyOption = Annotated[
    str,
    typer.Option(
        "--copy-from",
        metavar="REMOTE",
        help="Copy from this remote into the default one what the releases lack there, and list nothing.",
    ),
]


def releases(
    copy_from: CopyOption = "", form: FormatOption = Format.table, as_json: JsonFlag = False, trust: TrustOption = None
) -> None:
    """List every signed release: when, of which commit, its test error, and which one serves.

    Test MSE is of log1p(units). Only the signatures of the tags are checked here: `pricetrail verify` checks all.
    """
    from pricetrail.operation.releases.registry import rows
    from pricetrail.operation.releases.trust import trusted

    with one_line_errors():
        if copy_from:
            return _copy(copy_from, trust)
        found = [row.record() for row in rows(Path(), trusted(Path(), named=trust) if trust else None)]
    form = chosen(form, as_json)
    if found or form is not Format.table:
        print_rows([_shown(row) for row in found] if form is Format.table else found, form, HEADINGS)
    else:
        typer.echo("no releases yet: `pricetrail release` makes one")


def _copy(source: str, trust: Path | None) -> None:
    """From another remote.

    Raises:
        ReleaseError: a remote does not answer, or a release is still not whole.
    """
    from pricetrail.base.errors import ReleaseError
    from pricetrail.lineage.dvc_cache import cache_folder
    from pricetrail.operation.releases.kept import copy_releases
    from pricetrail.operation.releases.trust import trusted
    from pricetrail.operation.servers.s3 import ensure_running

    for name in ("", source):
        ensure_running(Path(), name)
    count, lost = copy_releases(Path(), cache_folder(Path()), source, trusted(Path(), named=trust) if trust else None)
    typer.echo(f"copied {count} files that the releases lacked in the default remote")
    if lost:
        raise ReleaseError(f"remote {source}", f"must have what is lost, and has not: {'; '.join(map(str, lost))}")


def _shown(row: Mapping[str, Json]) -> dict[str, Json]:
    """A release as people read it."""
    withdrawn = row["withdrawn"]
    told = {
        "serves": "production" if row["production"] else "",
        "date": str(row["tagged_at"])[:10],
        "short": str(row["commit"])[:7],
        "because": "; ".join(map(str, withdrawn)) if isinstance(withdrawn, list) else "",
    }
    return {**row, **told}
