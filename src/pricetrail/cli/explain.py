"""``pricetrail explain``: why the last run predicted what it did for one test line."""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, SupportsFloat

import pandas as pd
import typer
from rich import box
from rich.table import Column, Table
from rich.text import Text

from pricetrail.base import files
from pricetrail.base.errors import SourceError
from pricetrail.base.json_type import Json
from pricetrail.base.money import money
from pricetrail.cli.table import Console, Format, FormatOption, print_rows
from pricetrail.data.features import DAY, FEATURE_UNITS
from pricetrail.data.past_lines import HISTORY_UNITS

PREDICTIONS, SHAP_VALUES = Path("data/predictions.parquet"), Path("data/shap_values.parquet")
TEST, METRICS = Path("data/splits/test"), Path("metrics/test.json")
TEST_ROW, BASE, PREDICTED = "test_row", "shap_base_log_quantity", "predicted_log_quantity"
UNITS = {**FEATURE_UNITS, **HISTORY_UNITS}
LARGEST_GAP_LOG_QUANTITY = 1e-3  # what rounding leaves; more, and the files are of two runs
HALF_BAR = 6
MOST_NAMED = 5


@dataclass(frozen=True)
class Explained:
    """A test line and why it was predicted so.

    Attributes:
        row: its number in the test split.
        line: its row of the predictions.
        features: its row of the test split.
        values: SHAP values by feature, largest first, in log1p(units).
        base_log_quantity: what the values are added to.
    """

    row: int
    line: pd.Series
    features: pd.Series
    values: pd.Series
    base_log_quantity: float


def explain(
    row: Annotated[int | None, typer.Option(min=0, help="Number of the line in the test split, from 0.")] = None,
    line: Annotated[
        tuple[str, str] | None, typer.Option(metavar="INVOICE SKU", help="The line of an invoice and a SKU.")
    ] = None,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a waterfall plot.")] = None,
    form: FormatOption = Format.table,
) -> None:
    """Show what each feature added to the prediction of one test line, of the last run."""
    if (row is None) == (line is None):
        raise typer.BadParameter("give one of --row N and --line INVOICE SKU")
    predictions = _table(PREDICTIONS)
    found = read(predictions, row if line is None else row_of(predictions, *line))
    if png is not None:
        from pricetrail.model.explain.figures import waterfall  # torch and shap take seconds to load

        try:
            files.write_bytes(png, waterfall(found.values, found.base_log_quantity, found.features))
        except OSError as error:
            raise SourceError(str(png), f"must be writable: {error.strerror}") from None
    if form is Format.table:
        Console(file=sys.stdout).print(view(found))
    else:
        print_rows(rows_of(found), form)


def row_of(predictions: pd.DataFrame, invoice: str, sku: str) -> int:
    """The number of the only test line of an invoice and a SKU.

    Raises:
        SourceError: there is none, or more than one.
    """
    is_line = (predictions["invoice"] == invoice) & (predictions["sku"] == sku.upper())
    rows = [row for row, is_it in enumerate(is_line) if is_it]
    if not rows:
        raise SourceError(str(PREDICTIONS), "must hold the line (a test line)", f"{invoice} {sku}")
    if len(rows) > 1:
        more = f" and {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else ""
        named = ", ".join(map(str, rows[:MOST_NAMED])) + more
        raise SourceError(f"invoice {invoice}, SKU {sku.upper()}", f"must be one line, choose by --row: {named}")
    return rows[0]


def read(predictions: pd.DataFrame, row: int | None) -> Explained:
    """The explanation of a test line.

    Raises:
        SourceError: there is no such line, it was not explained, or the files are not of one run.
    """
    if row is None or row >= len(predictions):
        raise SourceError(str(PREDICTIONS), f"has rows 0 to {len(predictions) - 1}", row)
    base = _base(files.read_json(METRICS))
    explained = _table(SHAP_VALUES).set_index(TEST_ROW)
    own = explained[explained.index == row]
    if own.empty:
        rule = f"must hold row {row}: {len(explained):,} of {len(predictions):,} are explained (explain.max_rows)"
        raise SourceError(str(SHAP_VALUES), rule)
    values, line = own.iloc[0].astype("float64"), predictions.iloc[row]
    features = _table(TEST).iloc[row]
    is_same_line = all(features[name] == line[name] for name in ("invoice", "sku", DAY))
    gap = abs(base + values.to_numpy().sum() - line[PREDICTED])
    if not (is_same_line and gap <= LARGEST_GAP_LOG_QUANTITY):
        raise SourceError(str(SHAP_VALUES), f"must be of the run that wrote {PREDICTIONS}, {TEST} and {METRICS}")
    return Explained(row, line, features, values.sort_values(key=abs, ascending=False, kind="stable"), base)


def rows_of(found: Explained) -> list[dict[str, Json]]:
    """The base value and each feature: a name, its value and unit, and what it adds, in log1p(units)."""
    rows: list[dict[str, Json]] = [
        {"feature": "base value", "value": None, "unit": "", "adds_log_quantity": found.base_log_quantity}
    ]
    for name, adds in found.values.items():
        value = found.features.get(name)
        if not isinstance(value, str):
            figure = float(value) if isinstance(value, SupportsFloat) else math.nan
            value = None if math.isnan(figure) else figure
        unit = UNITS.get(str(name), "")
        rows.append({"feature": str(name), "value": value, "unit": unit, "adds_log_quantity": float(adds)})
    return rows


def view(found: Explained) -> Table:
    """A row a feature, between the base value and the prediction."""
    line, predicted = found.line, found.line[PREDICTED]
    table = Table(
        Column("feature", "prediction", no_wrap=True),
        Column("value", no_wrap=True, justify="right"),
        Column("adds", f"{predicted:.4f}", no_wrap=True, justify="right"),
        Column(f"{'–':^{HALF_BAR}} {'+':^{HALF_BAR}}", no_wrap=True),
        Column("unit", f"= {line['predicted_quantity']:,.1f} units"),
        box=box.SIMPLE,
        title=f"row {found.row}: invoice {line['invoice']}, SKU {line['sku']}, {line[DAY]:%Y-%m-%d}, "
        f"{money(line['unit_price'], files.read_params().shop.currency)}, {line['quantity']:,.0f} units sold",
        caption="adds: SHAP value, change of the predicted log1p(units)",
        show_footer=True,
    )
    table.add_row("base value", "", f"{found.base_log_quantity:.4f}", "", _one_line("mean of the background"))
    longest = max(found.values.abs().max(), 1e-9)
    for name, value in found.values.items():
        number, unit = _value_and_unit(str(name), found.features.get(name))
        table.add_row(str(name), number, f"{value:+.4f}", _bar(value / longest), _one_line(unit))
    return table


def _table(path: Path) -> pd.DataFrame:
    if not path.exists():
        raise SourceError(str(path), "must be there: run `dvc repro`, or `dvc pull`")
    return files.read_table(path)


def _base(metrics: Mapping[str, object]) -> float:
    base = metrics.get(BASE)
    if not isinstance(base, float | int):
        raise SourceError(str(METRICS), f"must have {BASE}: run `dvc repro`", base)
    return float(base)


def _value_and_unit(name: str, value: object) -> tuple[str, str]:
    """A history has no value of its own; a word stands where the unit would."""
    unit = UNITS.get(name, "")
    if isinstance(value, str):
        return "", value
    if not isinstance(value, SupportsFloat):
        return "–", unit
    return ("gap" if math.isnan(float(value)) else f"{float(value):.4g}"), unit


def _bar(share: float) -> Text:
    """A bar left or right of the middle, for a share from -1 to 1.

    >>> _bar(-0.5).plain, _bar(1.0).plain
    ('   ███│      ', '      │██████')
    """
    size = "█" * round(abs(share) * HALF_BAR)
    left, right = (size, "") if share < 0 else ("", size)
    return Text.assemble((f"{left:>{HALF_BAR}}", "blue"), "│", (f"{right:<{HALF_BAR}}", "red"))


def _one_line(text: str) -> Text:
    """Cut where the terminal is narrow, instead of more lines a feature."""
    return Text(text, no_wrap=True, overflow="ellipsis")
