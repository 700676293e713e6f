"""``--json``, kept for scripts that are older than ``--format json``."""

from __future__ import annotations

from typing import Annotated

import typer

from pricetrail.cli.table import Format

JsonFlag = Annotated[bool, typer.Option("--json", hidden=True, help="The same as --format json.")]


def chosen(form: Format, as_json: bool) -> Format:
    """The format that both options mean."""
    return Format.json if as_json else form
