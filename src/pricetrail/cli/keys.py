"""``pricetrail keys``: the key pair that signs releases."""

from pathlib import Path
from typing import Annotated

import typer

from pricetrail.base import files
from pricetrail.cli.one_line_errors import one_line_errors


def keys(
    replace: Annotated[
        bool, typer.Option("--replace", help="Make a new pair; the old public half stays trusted, the private is gone.")
    ] = False,
) -> None:
    """Make the key pair that signs releases: the private half stays on this machine, the public half goes into git."""
    from pricetrail.operation.releases.keys import SHORT, make_keys

    with one_line_errors():
        files.read_params()  # in no project, or below one, leave no private key that git would take
        pair = make_keys(Path(), replace=replace)
        typer.echo(f"{pair.private}: private half, mode 600, not in git; keep a copy in a safe place")
        typer.echo(f"{pair.public}: public half, key {pair.fingerprint[:SHORT]}; commit it:")
        typer.echo(f'  git add {pair.public.parent} && git commit -m "Add release key {pair.fingerprint[:SHORT]}"')
