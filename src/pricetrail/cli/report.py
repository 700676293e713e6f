"""``pricetrail report``: where the page of the last run is, and a browser on it."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from pricetrail.base.errors import SourceError

PAGE = Path("reports/index.html")


def report(
    open_page: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Print where the report page of the last run is; with --open, open it."""
    if not PAGE.is_file():
        raise SourceError(str(PAGE), "must be there: run `dvc repro`, or `dvc pull`")
    typer.echo(str(PAGE))
    if open_page and not webbrowser.open(PAGE.resolve().as_uri()):
        raise SourceError(str(PAGE), "must open in a browser, and none was found; open it by hand")
