"""``pricetrail trace``: where an output, a release or a prediction comes from."""

import hashlib
import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from rich.tree import Tree

from pricetrail.base import files
from pricetrail.base.json_type import Json
from pricetrail.checks.gates import outcome_word
from pricetrail.cli.table import Console
from pricetrail.cli.why import plural
from pricetrail.lineage import trace as lineage_trace
from pricetrail.lineage.chain import Trace
from pricetrail.lineage.commit import CANDIDATE, WORKSPACE, revision
from pricetrail.lineage.lock import StageRecord, writer
from pricetrail.lineage.paths import by_kind

SHORT = 12  # hex digits of a hash that a person reads
FILE_WIDTH = 160


class Format(StrEnum):
    """How to show a trace."""

    tree = "tree"
    json = "json"
    prov = "prov"
    openlineage = "openlineage"


def trace(
    target: Annotated[
        str,
        typer.Argument(help="An output, REV:output, a revision or release tag (its candidate), or a lineage id."),
    ] = CANDIDATE,
    rev: Annotated[str | None, typer.Option("--rev", help="Revision to look at; without it, the workspace.")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="For people, as JSON, as W3C PROV-JSON, or as OpenLineage events.")
    ] = Format.tree,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write into this file.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Hold files and stages against the lock, by hash.")
    ] = True,
    full: Annotated[bool, typer.Option("--full", help="In the tree: every code file and every parameter.")] = False,
) -> None:
    """Show the whole chain from raw files to an output: commands, code, data, parameters, gates, commit.

    Exit code 1 where something is not as the lock says.
    """
    found = lineage_trace.trace(target, WORKSPACE if rev is None else revision(rev), verify=verify)
    if form is Format.tree and output is None:
        Console(file=sys.stdout).print(tree(found, full=full))
    else:
        for line in differences(found):  # which the tree on the terminal has
            typer.echo(f"warning: {line}", err=True)
        text = _text(found, form, full=full)
        typer.echo(text, nl=False) if output is None else files.write_text(output, text)
    if found.verified is False:
        raise typer.Exit(1)


def differences(found: Trace) -> list[str]:
    """What is not as the lock says, a line each, whatever the number of places that say so."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for each in found.differences:
        says = "nothing" if each.found is None else str(each.found)
        places.setdefault((each.path, str(each.recorded), says), []).append(each.place)
    told = []
    for (path, recorded, says), there in places.items():
        have = "has" if len(there) == 1 else "have"
        told.append(f"{path}: the lock says {recorded}, {' and '.join(there)} {have} {says}")
    return told


def _text(found: Trace, form: Format, *, full: bool) -> str:
    match form:
        case Format.json:
            return json.dumps(found.record(), indent=1, default=str) + "\n"
        case Format.prov:
            from pricetrail.lineage.exports.prov_json import prov_json

            return prov_json(found)
        case Format.openlineage:  # imported here: its client takes most of a second, which no other command should pay
            from pricetrail.lineage.exports.openlineage_events import openlineage_lines

            return openlineage_lines(found)
        case Format.tree:
            page = StringIO()
            Console(file=page, width=FILE_WIDTH).print(tree(found, full=full))
            return page.getvalue()


def tree(found: Trace, *, full: bool = False) -> Tree:
    """A trace for the terminal: the output on top, its stage below it, and so on to the raw files."""
    root = Tree(_named(found.path, found.md5))
    for line in _facts(found):
        root.add(line)
    shown: set[str] = set()
    _add_stage(root, found, found.stages[-1], shown, full=full)
    return root


def _facts(found: Trace) -> list[Text]:
    """Commit, checks, gates, packages, and the row of a prediction."""
    state = "commit" if found.rev else f"the workspace, {'changed since' if found.dirty else 'as in'} commit"
    run = f", run {found.run}" if found.run else ""
    lines = [Text(f"{state} {found.commit[:SHORT]} of {found.committed_at}{run}")]
    if found.verified is None:
        lines.append(Text("not verified", "yellow"))
    elif found.verified:
        lines.append(Text("verified: files, stages and the run's record agree with the lock", "green"))
    else:
        told = differences(found)
        lines.append(Text(f"NOT VERIFIED: {plural(len(told), 'difference')}", "bold red"))
        lines += [Text(f"  {line}", "red") for line in told]
    if found.outcome is not None:
        style = "green" if found.outcome == "released" else "bold yellow"
        lines.append(Text(f"decision: {outcome_word(found.outcome)}", style))
    for gate in found.gates:
        why = f"; overridden: {gate['override']}" if gate.get("override") else ""
        word, style = ("open", "green") if gate.get("open") else ("closed", "red")
        lines.append(Text(f"  {gate.get('gate')} gate {word}: {gate.get('reason')}{why}", style))
    if found.environment is not None:
        lines.append(_named("packages: requirements.lock", found.environment))
    if found.prediction is not None:
        lines.append(Text("prediction: " + _values(found.prediction)))
    return [*lines, *(Text(note, "yellow") for note in found.notes)]


def _add_stage(parent: Tree, found: Trace, stage: StageRecord, shown: set[str], *, full: bool) -> None:
    """A stage with all it read; the stages behind that in turn, each once."""
    if stage.name in shown:
        parent.add(Text(f"{stage.name}, see above", "dim"))
        return
    shown.add(stage.name)
    node = parent.add(Text(stage.name if stage.cmd else f"source tracked by {stage.name}", "bold cyan"))
    if not stage.cmd:
        return
    node.add(Text(f"$ {stage.cmd}", "dim"))
    deps = by_kind(stage.deps)
    _add_group(node, "params", {key: json.dumps(value) for key, value in stage.params.items()}, full=full)
    _add_group(node, "code", deps["code"], full=full)
    for path, md5 in deps["data"].items():
        branch = node.add(_named(path, md5))
        maker = writer(found.stages, path)
        if maker is not None:
            _add_stage(branch, found, maker, shown, full=full)


def _add_group(node: Tree, name: str, values: Mapping[str, str], *, full: bool) -> None:
    """Many values in one line with one hash over them, or each in a line of its own."""
    if not values:
        return
    listed = "".join(f"{key} {values[key]}\n" for key in sorted(values))
    digest = hashlib.md5(listed.encode(), usedforsecurity=False).hexdigest()
    branch = node.add(_named(f"{name}: {len(values)}", digest))
    if full:
        for key, value in values.items():
            branch.add(Text(f"{key} {value}"))


def _named(name: str, md5: str | None) -> Text:
    return Text.assemble(name, ("" if md5 is None else f"  {md5[:SHORT]}", "dim"))


def _values(row: Mapping[str, Json]) -> str:
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
    )
