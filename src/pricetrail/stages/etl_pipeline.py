"""Stage ``etl_pipeline``: source files to clean lines with as-of features, one partition an ISO week."""

import logging
from pathlib import Path

from pricetrail.base import files
from pricetrail.data import contract
from pricetrail.data.etl_result import Dropped, EtlResult, dropped_words
from pricetrail.data.features import DAY, build_features
from pricetrail.data.losses import repeating
from pricetrail.data.reading import read_shop
from pricetrail.stages import run_stage

ORIGINAL, PROCESSED = Path("data/original"), Path("data/processed")
QUARANTINE, STATE = Path("data/quarantine.parquet"), Path("data/product_state.parquet")
METRICS = Path("metrics/etl.json")

log = logging.getLogger(__name__)


def main() -> None:
    """Read the shop, compute features; write only when all of it went well."""
    params = files.read_params()
    reading = read_shop(params)
    parsed, cleaned = reading.parsed, reading.cleaned
    table = build_features(cleaned.lines, params.features.half_life_days)

    files.write_partitions(ORIGINAL, parsed.lines, contract.iso_week(parsed.lines["invoiced_at"]))
    files.write_partitions(PROCESSED, table.lines, contract.iso_week(table.lines["invoiced_at"]))
    files.write_table(QUARANTINE, parsed.quarantine)
    files.write_table(STATE, table.product_state)
    days = table.lines[DAY]
    result = EtlResult(
        rows_read=reading.rows,
        rows_kept=len(cleaned.lines),
        rows_dropped=sum(cleaned.dropped.values()),
        rows_quarantined=len(parsed.quarantine),
        dropped=tuple(Dropped(reason, rows) for reason, rows in cleaned.dropped.items()),
        days=(f"{days.min():%Y-%m-%d}", f"{days.max():%Y-%m-%d}"),
    )
    files.write_record(METRICS, result)
    told = f"{len(cleaned.lines):,}", f"{reading.rows:,}", dropped_words(cleaned.dropped)
    log.info("%s of %s rows kept; dropped: %s", *told)
    for clause in repeating(parsed, cleaned):
        log.warning(clause)
    if len(parsed.quarantine):
        log.warning("%s unparseable rows went to %s", f"{len(parsed.quarantine):,}", QUARANTINE)


if __name__ == "__main__":
    run_stage("etl_pipeline", main)
