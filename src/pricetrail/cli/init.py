"""``pricetrail init``: settings for a shop's own files, from the files."""

import datetime as dt
import shutil
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Annotated, Any

import typer
from ruamel.yaml.error import YAMLError

from pricetrail.base import files
from pricetrail.base.errors import OperationError, PricetrailError, SourceError
from pricetrail.base.escaping import seen
from pricetrail.base.limits import load_yaml
from pricetrail.base.params import FILE, Params, parse_params
from pricetrail.base.params_edit import with_settings
from pricetrail.cli.table import Format, print_rows
from pricetrail.data.reading import Reading, read_shop
from pricetrail.data.shop_rules import DEMO
from pricetrail.data.source_files import find_files
from pricetrail.data.unseen.proposal import DATE_ORDER, Proposal, propose
from pricetrail.data.unseen.unseen_files import look_at

OWN = "data/lines"  # where a shop's files lie, once they are added
ROUNDS = 20  # of questions


def init(
    paths: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Files of lines, or a folder of them.")],
    column: Annotated[
        list[str] | None, typer.Option(metavar="OURS=THEIRS", help="A column: sku='Item No'; customer_id= for none.")
    ] = None,
    date_order: Annotated[str | None, typer.Option(metavar="ORDER", help="dmy, mdy or ymd.")] = None,
    decimal: Annotated[str | None, typer.Option(metavar="MARK", help="Where 1.000 could be one or a thousand.")] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217, such as EUR, where no sign tells.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of text that is no UTF-8, such as cp1252.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Of the shop's clock, such as Europe/London.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting: data.sheet=2011.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings, write nothing.")] = False,
) -> None:
    """Look at files of lines, and write the settings that read them into params.yaml."""
    answers = {f"data.columns.{key}": value or None for key, value in _pairs("--column", column)}
    answers |= {key: _setting(value) for key, value in _pairs("--set", settings)}
    named = {DATE_ORDER: date_order, "data.decimal": decimal, "data.encoding": encoding, "data.timezone": timezone}
    named["shop.currency"] = currency
    answers |= {key: value for key, value in named.items() if value is not None}
    text = files.read_text(Path(FILE))
    params = parse_params(text)
    found = [file for path in paths for file in find_files(str(path), params.data)]
    if len({file.name for file in found}) < len(found):
        raise SourceError("init", "must look at files of different names", ", ".join(map(str, found)))
    proposal = _answered(found, params, answers)
    _print(proposal)
    path = _path(paths, params)
    new = with_settings(text, {key: value for key, (value, _) in proposal.told.items()} | {"data.path": path})
    _tell(_tried(found, new))
    if dry_run:
        typer.echo(f"nothing is written (--dry-run); data.path would be {path}")
        return
    files.write_text(Path(FILE), new)
    add = (
        f"`dvc add {path}`"
        if paths[0].resolve() == Path(path).resolve()
        else f"`pricetrail ingest {' '.join(map(str, paths))}`"
    )
    typer.echo(
        seen(f"params.yaml is written, data.path is {path}. Next: {add}, `pricetrail check --data`, `dvc repro`")
    )


def _pairs(option: str, given: list[str] | None) -> Iterable[tuple[str, str]]:
    for each in given or []:
        key, equals, value = each.partition("=")
        if not equals:
            raise OperationError(option, "must be NAME=VALUE", each)
        yield key.strip(), value.strip() or value


def _setting(text: str) -> Any:  # noqa: ANN401  a setting is of any kind
    with suppress(YAMLError):
        return text if len(text) == 1 and not text.isalnum() else load_yaml(f"x: {text}")["x"]
    return text  # such as %d.%m.%Y


def _answered(found: list[Path], params: Params, answers: dict[str, Any]) -> Proposal:
    """The proposal without questions: a person on a terminal answers them, else they are an error.

    Raises:
        OperationError: what is open, and the options that answer it.
    """
    today = dt.datetime.now(tz=dt.UTC).date()
    for _ in range(ROUNDS):
        tables = [table for file in found for table in look_at(file, params.data, answers)]
        proposal = propose(tables, params.data.missing, answers, today)
        if not proposal.questions:
            return proposal
        if not sys.stdin.isatty():
            break
        question = proposal.questions[0]  # its answer may answer others
        typer.echo(seen("\n".join(_asked(question.text, question.readings))))
        said = str(typer.prompt(question.key, default="", show_default=False)).strip()
        answers[question.key] = said or None
    _print(proposal)
    for question in proposal.questions:
        typer.echo(seen("\n".join([*_asked(question.text, question.readings), f"  answer with {question.option}"])))
    options = ", ".join(dict.fromkeys(question.option for question in proposal.questions))
    raise OperationError("init", f"nothing is written while questions are open: {options}")


def _asked(text: str, readings: Iterable[tuple[str, str]]) -> list[str]:
    return ["", f"? {text}", *(f"    {answer}: {meaning}".rstrip(": ") for answer, meaning in readings)]


def _print(proposal: Proposal) -> None:
    rows = [
        {"setting": key, "value": "null" if v is None else str(v), "why": why}
        for key, (v, why) in proposal.told.items()
        if why
    ]
    print_rows(rows, Format.table)
    for note in proposal.notes:
        typer.echo(seen(f"note: {note}"))


def _path(paths: list[Path], params: Params) -> str:
    """The folder that was named, where it lies in the project; else the one in params.yaml, or a new one."""
    if len(paths) == 1 and paths[0].is_dir() and paths[0].resolve().is_relative_to(Path.cwd()):
        return paths[0].resolve().relative_to(Path.cwd()).as_posix()
    return OWN if PurePath(params.data.path) == PurePath(DEMO) else params.data.path


def _tried(found: list[Path], text: str) -> Reading:
    """The files as the pipeline will read them, in a folder of their own.

    Raises:
        OperationError: they are not read with these settings, in the words of the reading path.
    """
    with tempfile.TemporaryDirectory() as folder:
        for file in found:
            shutil.copyfile(file, Path(folder, file.name))
        try:
            return read_shop(parse_params(with_settings(text, {"data.path": folder, "data.pattern": "*"})))
        except PricetrailError as error:
            said = str(error).replace(f"{folder}/", "").replace(folder, "the files")
            raise OperationError(
                "init", f"nothing is written, for these settings do not read the files: {said}"
            ) from None


def _tell(reading: Reading) -> None:
    lost = {**reading.cleaned.dropped, "quarantined": len(reading.parsed.quarantine)}
    told = "".join(f", {count:,} {reason.replace('_', ' ')}" for reason, count in lost.items() if count)
    typer.echo(f"\nread with these settings: {reading.rows:,} rows, {len(reading.cleaned.lines):,} sales{told}")
