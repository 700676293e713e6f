"""``pricetrail why``: what two runs do not share, where it began, and what it moved."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Column, Table

from pricetrail.base.json_type import Json
from pricetrail.cli.table import Console
from pricetrail.lineage.changes import Change, Move
from pricetrail.lineage.commit import WORKSPACE, Commit
from pricetrail.lineage.compare_commits import compare, not_run_yet, other_data, other_source
from pricetrail.lineage.paths import PACKAGES
from pricetrail.lineage.why import Difference

HERE: Final = "."  # what stands for the workspace on the command line
CODE: Final = "src/pricetrail/"
NAMED: Final = 3  # things of a kind that the sentence names
SHOWN: Final = 12  # rows of a table without --all
MAIN_FIGURE: Final = "test.mse_log_quantity"
BETTER: Final = {True: "better", False: "worse", None: ""}


def why(
    a: Annotated[str, typer.Argument(help="Commit, branch or tag; . is the workspace.")] = "HEAD",
    b: Annotated[str, typer.Argument(help="The same.")] = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="Print the difference as JSON.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Show every row.")] = False,
) -> None:
    """Say why run B differs from run A: data, params, code, packages, the stage where it began, what it moved."""
    commits = [Commit.at() if rev == HERE else Commit.of(rev) for rev in (a, b)]
    found = compare(commits[0], commits[1])
    changed_since = [path for commit in commits if commit.rev == WORKSPACE for path in not_run_yet(commit)]
    source = other_source(found)
    note = "" if source is None else other_data(source, commits[1])
    found = found if source is None else replace(found, metrics=(), verdicts=())
    if as_json:
        typer.echo(json.dumps({"a": a, "b": b, **_tree(found), "not_run_yet": changed_since, "note": note}, indent=2))
        return
    names = ["the workspace" if rev == HERE else rev for rev in (a, b)]
    console = Console(file=sys.stdout)
    console.print(sentence(found, names[0], names[1]), markup=False, highlight=False, soft_wrap=True)
    if note:
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    for table in _tables(found, None if everything else SHOWN):
        console.print(table)
    if changed_since:
        told = _some(changed_since, NAMED)
        text = f"changed in the workspace since its run, so not in this comparison (dvc repro): {told}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def plural(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _tree(found: Difference) -> dict[str, object]:
    moves = [{**asdict(move), "percent": move.percent} for move in found.metrics]
    return {**asdict(found), "metrics": moves, "same": found.is_empty}


def sentence(found: Difference, a: str, b: str) -> str:
    """The difference in one line."""
    if found.is_empty:
        return f"{b} does not differ from {a}: same data, params, code, packages, outputs and metrics"
    causes = [
        f"{kind} {_some([_told(change) for change in changes], NAMED)}"
        for kind, changes in (
            ("data", found.data), ("params", found.params), ("code", found.files), ("packages", found.packages),
        )
        if changes
    ]  # fmt: skip
    parts = [f"{b} differs from {a} by: {'; '.join(causes) if causes else 'nothing that its stages read'}."]
    if found.first:
        parts.append(f"First stage affected: {', '.join(found.first)}.")
    moved = [move for move in found.metrics if move.name == MAIN_FIGURE] or list(found.metrics[:1])
    return " ".join([*parts, *map(_moved, moved)])


def _told(change: Change) -> str:
    if change.name.endswith(".py") or "/" in change.name or change.name == PACKAGES:
        name = change.name.removeprefix(CODE)
        return name if change.kind == "changed" else f"{name} ({change.kind})"
    return f"{change.name} {_value(change, change.old, 'added')} -> {_value(change, change.new, 'removed')}"


def _value(change: Change, value: Json, absent: str) -> str:
    return "none" if change.kind == absent else str(value) if isinstance(value, str) else json.dumps(value)


def _moved(move: Move) -> str:
    old, new = ("none" if value is None else f"{value:.4g}" for value in (move.old, move.new))
    return f"{move.name} {old} -> {new}" + ("" if move.percent is None else f" ({move.percent:+.1f}%)")


def _some(items: Sequence[str], most: int) -> str:
    more = len(items) - most
    return ", ".join(items[:most]) + (f" and {more:,} more" if more > 0 else "")


def _tables(found: Difference, most: int | None) -> Iterator[Table]:
    if found.stages:
        view = Table(
            Column("stage", no_wrap=True), "because of", "outputs changed", title="Stages that ran on other inputs"
        )
        for stage in found.stages:
            own = [grouped(stage.causes, most and NAMED)] if stage.causes else []
            because = own + ([f"outputs of {', '.join(stage.upstream)}"] if stage.upstream else [])
            view.add_row(stage.name, escape("\n".join(because)), str(len(stage.outs)))
        yield view
    kinds = {"Data": found.data, "Params": found.params, "Code": found.files, "Packages": found.packages}
    for title, changes in {**kinds, "Verdicts": found.verdicts}.items():
        if changes:
            yield _change_table(title, changes, most)
    if found.metrics:
        view = Table("metric", "A", "B", "change", Column("%", no_wrap=True), "", title="Metrics")
        for move in found.metrics[:most]:
            change = "–" if move.old is None or move.new is None else f"{move.new - move.old:+.4g}"
            percent = "–" if move.percent is None else f"{move.percent:+.1f}"
            figures = ["–" if value is None else f"{value:.6g}" for value in (move.old, move.new)]
            view.add_row(move.name, *figures, change, percent, BETTER[move.better])
        view.caption = _more(len(found.metrics), most)
        yield view


def _change_table(title: str, changes: Sequence[Change], most: int | None) -> Table:
    view = Table(Column(title.lower(), overflow="fold"), "", "A", "B", title=title, caption=_more(len(changes), most))
    for change in changes[:most]:
        short = 12 if title in {"Data", "Code"} else None
        old, new = (_value(change, value, absent) for value, absent in ((change.old, "added"), (change.new, "removed")))
        view.add_row(escape(change.name), change.kind, escape(old[:short]), escape(new[:short]))
    return view


def grouped(causes: Sequence[str], most: int | None = NAMED) -> str:
    """Causes of a stage, those of a kind together.

    >>> grouped(["code src/pricetrail/checks/gates.py", "code src/pricetrail/base/files.py", "command"])
    'code checks/gates.py, base/files.py; command'
    """
    kinds: dict[str, list[str]] = {}
    for cause in causes:
        kind, _, name = cause.partition(" ")
        kinds.setdefault(kind, []).extend([name.removeprefix(CODE)] if name else [])
    return "; ".join(f"{kind} {_some(names, most or len(names))}".strip() for kind, names in kinds.items())


def _more(count: int, most: int | None) -> str | None:
    return f"and {count - most:,} more (--all)" if most is not None and count > most else None
