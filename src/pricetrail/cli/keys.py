"""``pricetrail keys``: the key pair that signs releases, and the keys whose signatures count here."""

from pathlib import Path
from typing import Annotated

import typer

from pricetrail.base import files
from pricetrail.base.errors import ReleaseError
from pricetrail.operation.releases.keys import SHORT, make_keys
from pricetrail.operation.releases.trust import pin, pins_file, trusted, unpin


def keys(
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Make a new pair, signed for by the old one; its private half is deleted."),
    ] = False,
    trust: Annotated[
        str, typer.Option("--trust", metavar="FINGERPRINT", help="Trust a key of keys/ from now on, and make no pair.")
    ] = "",
    distrust: Annotated[
        str, typer.Option("--distrust", metavar="FINGERPRINT", help="Trust a key no longer, and make no pair.")
    ] = "",
) -> None:
    """Make the key pair that signs releases: the private half stays on this machine, the public half goes into git.

    A signature counts where its key was in keys/ when this clone first looked, was trusted by --trust, or replaced
    such a key.
    """
    files.read_params()  # in no project, or below one, leave no private key that git would take
    if replace + bool(trust) + bool(distrust) > 1:
        raise ReleaseError("pricetrail keys", "must have one of --replace, --trust and --distrust")
    if trust or distrust:
        (pin if trust else unpin)(Path(), trust or distrust)
        told = "is trusted" if trust else "is trusted no longer"
        typer.echo(f"{pins_file(Path())}: key {(trust or distrust)[:SHORT]} {told}")
        return
    trusted(Path())  # pins the keys that are there before the new one is
    pair = make_keys(Path(), replace=replace)
    pin(Path(), pair.fingerprint)
    typer.echo(f"{pair.private}: private half, mode 600, not in git; keep a copy in a safe place")
    typer.echo(f"{pair.public}: public half, key {pair.fingerprint[:SHORT]}; commit it:")
    typer.echo(f'  git add {pair.public.parent} && git commit -m "Add release key {pair.fingerprint[:SHORT]}"')
    typer.echo(f"tell those who verify elsewhere its fingerprint: {pair.fingerprint}")
