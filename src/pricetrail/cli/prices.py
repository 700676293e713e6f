"""``pricetrail prices``: the recommended prices of the last run."""

from pathlib import Path
from typing import Annotated

import typer
from babel.numbers import get_currency_precision

from pricetrail.base import files
from pricetrail.base.errors import SourceError
from pricetrail.cli.table import Format, FormatOption, print_rows

PRICES = Path("data/prices.parquet")
HEADINGS = {
    "sku": "SKU",
    "lines": "lines",
    "current_price": "price now",
    "recommended_price": "price recommended",
    "predicted_quantity_now": "units a line now",
    "predicted_quantity": "units a line then",
}
PRICED = ("current_price", "recommended_price")


def prices(
    sku: Annotated[str, typer.Argument(help="One SKU; without it, those with the largest predicted gain.")] = "",
    most: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 20,
    form: FormatOption = Format.table,
) -> None:
    """Show the recommended prices of the last run, in the shop's currency."""
    if not PRICES.exists():
        raise SourceError(str(PRICES), "must be there: run `dvc repro`, or `dvc pull`")
    table = files.read_table(PRICES)
    if sku:
        table = table[table["sku"] == sku.upper()]
        if table.empty:
            raise SourceError(str(PRICES), f"has no recommendation for SKU {sku} (pricing.min_lines)")
    elif table.empty:
        typer.echo("no SKU has lines enough for a recommendation (pricing.min_lines, pricing.window_days)", err=True)
    gain = (table["predicted_revenue"] - table["predicted_revenue_now"]) * table["lines"]
    table = table.assign(predicted_gain=gain)
    shown = table.sort_values(["predicted_gain", "sku"], ascending=[False, True]).head(most)
    rows = [{str(name): value for name, value in row.items()} for row in shown.to_dict("records")]
    currency = files.read_params().shop.currency
    headings = HEADINGS | {name: f"{HEADINGS[name]}, {currency}" for name in PRICED}
    decimals = {"predicted_quantity_now": 1, "predicted_quantity": 1}
    print_rows(rows, form, headings, decimals | dict.fromkeys(PRICED, get_currency_precision(currency)))
