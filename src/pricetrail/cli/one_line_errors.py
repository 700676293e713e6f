"""Errors of the commands: one line, exit code 1; ``cli/app.py`` puts it round each of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from pricetrail.base.errors import PricetrailError


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn an error that a user can mend into one line on stderr and exit code 1."""
    try:
        yield
    except PricetrailError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
