"""``pricetrail …``: one door for people. The pipeline itself is run by ``dvc repro``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Column, Table

from pricetrail.base import files
from pricetrail.base.errors import SourceError
from pricetrail.cli import (
    decide,
    doctor,
    explain,
    ingest,
    keys,
    release,
    releases,
    replay,
    report,
    rollback,
    runs,
    s3,
    schedule,
    trace,
    verify,
    weekly,
    why,
)
from pricetrail.cli.one_line_errors import one_line_errors
from pricetrail.data import source_files

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
PRICES, MODELS = Path("data/prices.parquet"), Path("reports/models.csv")
MODELS_CAPTION = "MSE of log quantity; ratio and difference are the network's to the model's"
MODEL_COLUMNS = ["model", "mse_log_quantity", "mae_units", "ratio", "difference_low", "difference_high"]


@app.callback()
def pricetrail() -> None:
    """Quantity at a price, the price that sells best, and the proof of how. Run the pipeline with `dvc repro`."""


@app.command()
def check(
    with_data: Annotated[
        bool, typer.Option("--data", help="Also read every source file, as `etl_pipeline` will.")
    ] = False,
) -> None:
    """Check params.yaml, and with --data the source files, before any work."""
    with one_line_errors():
        params = files.read_params()
        if with_data:
            raw = source_files.read_lines(params.data)
            typer.echo(f"{params.data.path}: {len(raw):,} rows")
    typer.echo("params.yaml is right")


@app.command()
def prices(
    sku: Annotated[str, typer.Argument(help="One SKU; without it, those with the largest predicted gain.")] = "",
    most: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 20,
) -> None:
    """Show the recommended prices of the last run."""
    with one_line_errors():
        if not PRICES.exists():
            raise SourceError(str(PRICES), "must be there: run `dvc repro`, or `dvc pull`")
        table = files.read_table(PRICES)
        if sku:
            table = table[table["sku"] == sku.upper()]
            if table.empty:
                raise SourceError(str(PRICES), f"has no recommendation for SKU {sku} (pricing.min_lines)")
    gain = (table["predicted_revenue_gbp"] - table["predicted_revenue_now_gbp"]) * table["lines"]
    shown = table.assign(gain=gain).sort_values(["gain", "sku"], ascending=[False, True]).head(most)
    view = Table("SKU", "lines", "price now", "price recommended", "units a line now", "units a line then")
    for row in shown.itertuples():
        view.add_row(
            str(row.sku),
            f"{row.lines:,}",
            f"{row.current_price_gbp:.2f}",
            f"{row.recommended_price_gbp:.2f}",
            f"{row.predicted_quantity_now:.1f}",
            f"{row.predicted_quantity:.1f}",
        )
    Console(file=sys.stdout).print(view)


@app.command()
def models() -> None:
    """Show the errors of the network and of every baseline on the test days of the last run."""
    with one_line_errors():
        try:
            table = pd.read_csv(MODELS)[MODEL_COLUMNS]
        except (OSError, KeyError, ValueError) as error:
            raise SourceError(str(MODELS), f"must be the table of the last `dvc repro`: {error}") from None
    model_column, difference_column = Column("model", no_wrap=True), Column("difference, 95%", no_wrap=True)
    view = Table(model_column, "MSE", "MAE, units", "ratio", difference_column, caption=MODELS_CAPTION)
    for model, mse, mae, ratio, low, high in table.itertuples(index=False):
        view.add_row(str(model), f"{mse:.4f}", f"{mae:.2f}", f"{ratio:.3f}", f"{low:+.4f} to {high:+.4f}")
    Console(file=sys.stdout).print(view)


app.command()(decide.decide)
app.command()(doctor.doctor)
app.command()(explain.explain)
app.command()(keys.keys)
app.command()(release.release)
app.command()(releases.releases)
app.command()(ingest.ingest)
app.command()(replay.replay)
app.command()(report.report)
app.command()(rollback.rollback)
app.command()(runs.runs)
app.add_typer(s3.app, name="s3")
app.command()(schedule.schedule)
app.command()(trace.trace)
app.command()(weekly.weekly)
app.command()(verify.verify)
app.command()(why.why)
