"""Stage ``data_drift_check``: the last days held against the training window. It records; the gate stops."""

import logging
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from pricetrail.base import files
from pricetrail.base.random_streams import stream
from pricetrail.checks.data_drift import check_drift, find_windows
from pricetrail.checks.drift_page import ASSETS
from pricetrail.data.features import DAY, select_sku
from pricetrail.data.splits import find_boundaries
from pricetrail.stages import run_stage

PROCESSED = Path("data/processed")
METRICS, PAGE, PLOT = Path("metrics/drift.json"), Path("reports/drift.html"), Path("reports/drift_columns.csv")
PLOT_COLUMNS = [
    *("column", "role", "distance", "threshold", "drifted", "method"),
    *("reference_missing_share", "current_missing_share"),
]

log = logging.getLogger(__name__)


def main() -> None:
    """Compare the two windows, write verdict, page and plot."""
    params = files.read_params()
    lines = select_sku(files.read_table(PROCESSED), params.data.sku)
    windows = find_windows(lines, find_boundaries(lines[DAY], params.split.test_share), params.drift.current_days)
    report = check_drift(windows, params.drift, stream(params.seed, "drift"))
    log.log(logging.INFO if report.verdict.passed else logging.WARNING, "%s", report.verdict.reason)
    files.write_record(METRICS, report.result())
    files.write_text(PAGE, report.page.html)
    files.write_folder(PAGE.with_name(ASSETS), {name: text.encode() for name, text in report.page.assets.items()})
    files.write_csv(PLOT, pd.DataFrame([asdict(column) for column in report.columns], columns=PLOT_COLUMNS))


if __name__ == "__main__":
    run_stage("data_drift_check", main)
