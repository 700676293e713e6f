"""``pricetrail init``: settings for a shop's own files, from the files."""

import datetime as dt
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pricetrail.base import files
from pricetrail.base.errors import OperationError, PricetrailError, SourceError
from pricetrail.base.escaping import seen
from pricetrail.base.limits import load_yaml
from pricetrail.base.params import FILE, Params, parse_params
from pricetrail.base.params_edit import with_settings
from pricetrail.cli.table import Format, print_rows
from pricetrail.data.proposal import DATE_ORDER, Proposal, propose
from pricetrail.data.reading import Reading, read_shop
from pricetrail.data.shop_rules import DEMO
from pricetrail.data.source_files import find_files
from pricetrail.data.unseen_files import look_at

OWN = "data/lines"  # where a shop's files lie, once they are added
ROUNDS = 20  # of questions


def init(
    paths: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Files of lines, or a folder of them.")],
    column: Annotated[
        list[str] | None, typer.Option(metavar="OURS=THEIRS", help="A column: sku='Item No'; customer_id= for none.")
    ] = None,
    date_order: Annotated[str | None, typer.Option(metavar="dmy|mdy|ymd", help="Where no day above 12 tells.")] = None,
    decimal: Annotated[
        str | None, typer.Option(metavar=". or ,", help="Where 1.000 could be one or a thousand.")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217, such as EUR, where no sign tells.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Of text that is no UTF-8, such as cp1252.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Of the shop's clock, such as Europe/London.")] = None,
    no_customers: Annotated[bool, typer.Option("--no-customers", help="No column tells who bought.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any other setting: data.sheet=2011.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings, write nothing.")] = False,
) -> None:
    """Look at files of lines, and write the settings that read them into params.yaml."""
    answers: dict[str, Any] = {
        **_pairs(column or [], "--column", "data.columns."),
        **_pairs(settings or [], "--set", ""),
        **({"data.columns.customer_id": None} if no_customers else {}),
    }
    named = {DATE_ORDER: date_order, "data.decimal": decimal, "data.encoding": encoding, "data.timezone": timezone}
    named["shop.currency"] = currency.upper() if currency else None
    answers |= {key: value for key, value in named.items() if value is not None}
    text = files.read_text(Path(FILE))
    params = parse_params(text)
    found = _files(paths, params)
    proposal = _answered(found, params, answers)
    _print(proposal)
    new = with_settings(text, dict(proposal.settings) | {"data.path": _path(paths, params)})
    reading = _tried(found, with_settings(new, {}))
    kept, rows = len(reading.cleaned.lines), reading.rows
    typer.echo(f"\nread with these settings: {kept:,} sales of {rows:,} rows; the others by reason:")
    for reason, count in {**reading.cleaned.dropped, "quarantined": len(reading.parsed.quarantine)}.items():
        if count:
            typer.echo(f"  {count:,} {reason}")
    if dry_run:
        typer.echo(f"nothing is written (--dry-run); data.path would be {parse_params(new).data.path}")
        return
    files.write_text(Path(FILE), new)
    typer.echo(seen(f"params.yaml is written. Next: {_next(paths, parse_params(new))}"))


def _pairs(given: list[str], option: str, prefix: str) -> dict[str, Any]:
    pairs = dict[str, Any]()
    for each in given:
        key, equals, value = each.partition("=")
        if not equals:
            raise OperationError(option, "must be NAME=VALUE", each)
        if prefix:
            pairs[prefix + key] = value.strip() or None
        else:
            pairs[key] = value if len(value) == 1 else _value(key, value)
    return pairs


def _value(key: str, text: str) -> Any:  # noqa: ANN401  a setting is of any kind
    return load_yaml(f"{key}: {text}\n")[key]


def _files(paths: list[Path], params: Params) -> list[Path]:
    found = [file for path in paths for file in find_files(str(path), params.data)]
    names = [file.name for file in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SourceError(twice[0], "must be the name of one file: give them names of their own")
    return found


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
        for question in proposal.questions[:1]:  # an answer may answer others
            typer.echo(seen(f"\n{question.text}"))
            for answer, meaning in question.readings:
                typer.echo(seen(f"  {answer or '(empty)'}: {meaning}"))
            said = str(typer.prompt(question.key, default="", show_default=False)).strip()
            answers[question.key] = said or None
    _print(proposal)
    typer.echo("")
    for question in proposal.questions:
        typer.echo(seen(f"open: {question.text}"))
        for answer, meaning in question.readings:
            typer.echo(seen(f"    {answer or '(none)'}: {meaning}"))
        typer.echo(seen(f"  answer with {question.option}"))
    options = "; ".join(dict.fromkeys(question.option for question in proposal.questions))
    raise OperationError("init", f"cannot tell {len(proposal.questions)} settings, nothing is written; add {options}")


def _print(proposal: Proposal) -> None:
    rows = [
        {"setting": key, "value": "null" if value is None else str(value), "why": proposal.evidence.get(key, "")}
        for key, value in proposal.settings.items()
        if proposal.evidence.get(key)
    ]
    rows += [
        {"setting": key, "value": "", "why": why}
        for key, why in proposal.evidence.items()
        if key not in proposal.settings
    ]
    print_rows(rows, Format.table)
    for note in proposal.notes:
        typer.echo(seen(f"note: {note}"))


def _path(paths: list[Path], params: Params) -> str:
    """A folder of the project that was named, else the one in params.yaml, else a new one."""
    here = Path.cwd()
    if len(paths) == 1 and paths[0].is_dir() and paths[0].resolve().is_relative_to(here):
        return paths[0].resolve().relative_to(here).as_posix()
    return OWN if params.data.path.strip("./") == DEMO else params.data.path


def _next(paths: list[Path], params: Params) -> str:
    if len(paths) == 1 and paths[0].is_dir() and paths[0].resolve() == Path(params.data.path).resolve():
        return f"dvc add {params.data.path}, pricetrail check --data, dvc repro"
    return f"mkdir -p {params.data.path}, pricetrail ingest {' '.join(map(str, paths))}, pricetrail check --data, dvc repro"


def _tried(found: list[Path], text: str) -> Reading:
    """The files as the pipeline will read them, in a folder of their own.

    Raises:
        PricetrailError: they are not read with these settings, in the words of the reading path.
    """
    with tempfile.TemporaryDirectory() as folder:
        for file in found:
            shutil.copyfile(file, Path(folder, file.name))
        try:
            return read_shop(parse_params(with_settings(text, {"data.path": folder, "data.pattern": "*"})))
        except PricetrailError as error:
            said = str(error).replace(f"{folder}/", "").replace(folder, "the files")
            raise OperationError("init", f"these settings do not read the files, nothing is written: {said}") from None
