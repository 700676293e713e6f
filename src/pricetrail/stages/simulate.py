"""Stage ``simulate``: the demo shop's lines, and the truth that no stage of the pipeline reads."""

from pathlib import Path

from pricetrail.base import files
from pricetrail.data import contract
from pricetrail.data.demo_shop import simulate
from pricetrail.stages import run_stage

LINES, TRUTH = Path("demo/lines"), Path("demo/truth.parquet")


def main() -> None:
    """Write one file of lines an ISO week."""
    params = files.read_params()
    shop = simulate(params.demo, params.seed)
    files.write_partitions(LINES, shop.lines, contract.iso_week(shop.lines["InvoiceDate"]))
    files.write_table(TRUTH, shop.truth)


if __name__ == "__main__":
    run_stage("simulate", main)
