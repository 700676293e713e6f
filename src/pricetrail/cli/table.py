"""Rows as a table on the terminal, as CSV or as JSON: `--format` of every command that prints a table.

And the console that they are printed on.
"""

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer
from rich import box
from rich import console as rich_console
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from pricetrail.base.escaping import csv_cell, seen
from pricetrail.base.json_type import Json
from pricetrail.checks.decision import number

PIPED_WIDTH = 100  # characters, where the output is no terminal
SHORT = 16  # characters; a column of shorter texts is never broken


class Console(rich_console.Console):
    """Rich's, on which text from data moves no cursor, sets no title and turns no letters round."""

    def render(
        self, renderable: rich_console.RenderableType, options: rich_console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """As Rich does, which keeps what a terminal is told apart from what is text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(seen(segment.text), segment.style)


class Format(StrEnum):
    """How rows are printed."""

    table = "table"
    csv = "csv"
    json = "json"


FormatOption = Annotated[Format, typer.Option("--format", help="table for people, csv or json for programs.")]
JsonFlag = Annotated[bool, typer.Option("--json", hidden=True, help="The same as --format json.")]  # of older scripts


def chosen(form: Format, as_json: bool) -> Format:
    """The format that both options mean."""
    return Format.json if as_json else form


def print_rows(
    rows: Sequence[Mapping[str, Json]],
    form: Format,
    headings: Mapping[str, str] | None = None,
    decimals: Mapping[str, int] | None = None,
) -> None:
    """Print rows that have the same keys; CSV and JSON hold every key and each figure as it is.

    Args:
        rows: value by column; None is a dash in the table, empty in CSV, null in JSON.
        form: table, csv or json.
        headings: the keys that the table shows, in its order, each with its heading; without it, every key by its name.
        decimals: how many the table shows, by key; without it, four significant digits.
    """
    names = list(rows[0]) if rows else list(headings or {})
    if form is Format.json:
        typer.echo(json.dumps([dict(row) for row in rows], indent=1))
    elif form is Format.csv:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_csv_cell(row[name]) for name in names] for row in rows)
        typer.echo(text.getvalue(), nl=False)
    else:
        _print_table(rows, headings or {name: name for name in names}, decimals or {})


def _print_table(rows: Sequence[Mapping[str, Json]], headings: Mapping[str, str], decimals: Mapping[str, int]) -> None:
    view = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name, heading in headings.items():
        figures = any(isinstance(row[name], int | float) for row in rows)
        short = all(len(_shown(row[name], decimals.get(name))) <= SHORT for row in rows)
        view.add_column(Text(heading), justify="right" if figures else "left", no_wrap=short, overflow="fold")
    for row in rows:
        view.add_row(*(Text(_shown(row[name], decimals.get(name))) for name in headings))
    console = Console(file=sys.stdout)
    console.width = console.width if console.is_terminal else max(console.width, PIPED_WIDTH)
    console.print(view)


def _shown(value: Json, decimals: int | None = None) -> str:
    """A value as the table shows it.

    >>> [_shown(value) for value in (None, True, 14533, 0.2706661, "lightgbm", [1, 2])]
    ['–', 'yes', '14,533', '0.2707', 'lightgbm', '[1, 2]']
    >>> _shown(1234.5, 2)
    '1,234.50'
    """
    match value:
        case float() if decimals is not None:
            return f"{value:,.{decimals}f}"
        case None | float():
            return number(value)
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case str():
            return seen(value)
    return json.dumps(value)


def _csv_cell(value: Json) -> Json:
    """A value as a cell of CSV: a text that a spreadsheet would run as a formula is quoted.

    >>> [_csv_cell(value) for value in ("=1+1", -0.5, True, [1])]
    ["'=1+1", -0.5, 'true', '[1]']
    """
    if isinstance(value, str):
        return csv_cell(value)
    return value if value is None or type(value) in (int, float) else json.dumps(value)
