"""``pricetrail releases``: every release, with its figures."""

from collections.abc import Mapping
from pathlib import Path

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


def releases(form: FormatOption = Format.table, as_json: JsonFlag = False, trust: TrustOption = None) -> None:
    """List every signed release: when, of which commit, its test error, and which one serves.

    Test MSE is of log1p(units). Only the signatures of the tags are checked here: `pricetrail verify` checks all.
    """
    from pricetrail.operation.releases.registry import rows
    from pricetrail.operation.releases.trust import trusted

    with one_line_errors():
        found = [row.record() for row in rows(Path(), trusted(Path(), named=trust) if trust else None)]
    form = chosen(form, as_json)
    if found or form is not Format.table:
        print_rows([_shown(row) for row in found] if form is Format.table else found, form, HEADINGS)
    else:
        typer.echo("no releases yet: `pricetrail release` makes one")


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
