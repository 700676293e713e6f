"""``pricetrail verify``: is a release what its signature says?"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Column, Table
from rich.text import Text

from pricetrail.cli.release import TrustOption
from pricetrail.cli.table import Console, Format, FormatOption, JsonFlag, chosen, print_rows
from pricetrail.lineage.dvc_cache import cache_folder
from pricetrail.operation.releases import verify as verifying
from pricetrail.operation.releases.trust import trusted
from pricetrail.operation.servers.s3 import ensure_running


def verify(
    tag: Annotated[str, typer.Argument(help="A tag of a release, its version, or `production`.")],
    form: FormatOption = Format.table,
    as_json: JsonFlag = False,
    trust: TrustOption = None,
) -> None:
    """Check a release: tag, commit, lock, bundle, decision, lineage, SBOM, signature.

    The signature counts where its key is trusted here (`pricetrail keys`). Exit code 1 where a check fails.
    """
    ensure_running(Path())
    found = verifying.verify(Path(), tag, cache_folder(), trusted(Path(), named=trust))
    form = chosen(form, as_json)
    if form is Format.json:
        typer.echo(json.dumps(found.as_json(), indent=1))
    elif form is Format.csv:
        print_rows([asdict(check) for check in found.checks], form)
    else:
        table = Table(
            Column("check", no_wrap=True), Column("", no_wrap=True), Column(""), box=box.SIMPLE, title=found.tag
        )
        for check in found.checks:
            word = Text("ok", style="green") if check.passed else Text("failed", style="bold red")
            table.add_row(check.name, word, Text(check.detail, overflow="fold"))
        console = Console(file=sys.stdout)
        console.print(table)
        style = "bold green" if found.passed else "bold red"
        console.print(Text.assemble(found.tag, " is ", ("verified" if found.passed else "not verified", style)))
    if not found.passed:
        raise typer.Exit(1)
