"""``pricetrail ingest``: new source files into the tracked folder."""

from pathlib import Path
from typing import Annotated

import typer

from pricetrail.base.errors import OperationError
from pricetrail.base.escaping import seen
from pricetrail.data.etl_result import dropped_words
from pricetrail.operation.ingest.add_files import Ingestion, ingest_files
from pricetrail.operation.ingest.source_file import SourceFile, span
from pricetrail.operation.ingest.source_folder import pointer


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="FILES...", help="CSV, CSV.gz, Excel or Parquet files.")],
    restate: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="Why files may rewrite days already released; the decision names them."),
    ] = None,
    commit: Annotated[
        bool | None, typer.Option("--commit/--no-commit", help="Commit the .dvc file, and what was restated.")
    ] = None,
    push: Annotated[bool, typer.Option("--push/--no-push", help="Commit, then `dvc push` and `git push`.")] = False,
) -> None:
    """Check new source files against the contract, and add them to the folder data.path."""
    if push and commit is False:
        raise OperationError("--push", "pushes a commit: leave --no-commit out")
    done = ingest_files(paths, restate, commit=commit or push, push=push)
    for line in _told(done):
        typer.echo(seen(line))  # names of files are anybody's text
    if done.pushed_to:
        typer.echo(seen(f"pushed {pointer(done.path)}, and the commits to {done.pushed_to}"))


def _told(done: Ingestion) -> list[str]:
    lines = [f"{file.place}: already there as {done.path}/{file.name}" for file in done.known]
    lines += [f"{file.place}: added, {_counted(file)}" for file in done.added]
    lines += [f"{file.place}: was there and not tracked, {_counted(file)}" for file in done.completed]
    lines += [f"restated: {name} ({reason})" for name, reason in done.restated.items()]
    if not done.added and not done.completed:
        lines.append("nothing new")
    if done.commit:
        lines.append(f"[{done.commit[:7]}] {done.message}")
    elif done.changed:
        lines += ["", "To track the change with git, and share the files, run the same with --push, or:", ""]
        lines += [f"    git add {' '.join(done.changed)}", f'    git commit -m "{done.message}"']
        lines += [f"    dvc push {pointer(done.path)}", "    git push", "", "`dvc repro` runs the pipeline on them."]
    return lines


def _counted(file: SourceFile) -> str:
    counts = file.counts
    told = f"{counts.rows:,} lines of {span(counts.first_day, counts.last_day)}"
    if counts.quarantined:
        told += f", {counts.quarantined:,} of them unparseable"
    if any(counts.dropped.values()):
        told += f"; dropped: {dropped_words(counts.dropped)}"
    for other, rows in sorted(counts.repeats.items(), key=lambda item: -item[1])[:3]:
        told += f"; repeats {rows:,} lines of {other}"
    return told
