"""``pricetrail models``: the network beside every baseline."""

from pathlib import Path

import pandas as pd

from pricetrail.base.errors import SourceError
from pricetrail.cli.table import Format, FormatOption, print_rows

MODELS = Path("reports/models.csv")
HEADINGS = {
    "model": "model",
    "mse_log_quantity": "MSE",
    "mae_units": "MAE, units",
    "ratio": "ratio",
    "difference_low": "difference, from",
    "difference_high": "to (95%)",
}
DECIMALS = {"mse_log_quantity": 4, "mae_units": 2, "ratio": 3, "difference_low": 4, "difference_high": 4}


def models(form: FormatOption = Format.table) -> None:
    """Show the errors of the network and of every baseline on the test days of the last run.

    MSE is of log quantity; ratio and difference are the network's to the model's (below 1, below 0: it is better).
    """
    try:
        table = pd.read_csv(MODELS)
        table = table[[*HEADINGS, *table.columns.difference(list(HEADINGS), sort=False)]]
    except (OSError, KeyError, ValueError) as error:
        raise SourceError(str(MODELS), f"must be the table of the last `dvc repro`: {error}") from None
    rows = [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
    print_rows(rows, form, HEADINGS, DECIMALS)
