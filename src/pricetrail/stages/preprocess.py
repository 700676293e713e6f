"""Stage ``preprocess``: chronological splits, and the encoder fitted on the training rows."""

import logging
import math
from pathlib import Path

from pricetrail.base import files
from pricetrail.base.parquet import partition_bytes
from pricetrail.data.contract import UNSPECIFIED, iso_week, require_learnable
from pricetrail.data.encoder import fit_encoder
from pricetrail.data.features import COUNTRY_FEATURES, DAY, NUMERIC_FEATURES, select_sku
from pricetrail.data.past_lines import History
from pricetrail.data.splits import find_boundaries, split_by_day
from pricetrail.stages import run_stage

GATE = Path("metrics/gates/drift.json")
PROCESSED, SPLITS, ENCODER = Path("data/processed"), Path("data/splits"), Path("models/encoder.json")

log = logging.getLogger(__name__)


def main() -> None:
    """Split by day, fit on train, write both."""
    params = files.read_params()
    gate = files.read_json(GATE)
    log.info("the drift gate let this run through: %s", "open" if gate.get("open") else f"policy {gate.get('policy')}")
    shop = files.read_table(PROCESSED)
    lines = select_sku(shop, params.data.sku)
    require_learnable(lines, f"SKU {params.data.sku}" if params.data.sku else str(PROCESSED))
    boundaries = find_boundaries(lines[DAY], params.split.test_share)
    splits = split_by_day(lines, boundaries)
    require_learnable(splits.train, "training rows")
    has_countries = (splits.train["country"] != UNSPECIFIED).any()
    no_past = {} if has_countries else dict.fromkeys(COUNTRY_FEATURES, math.nan)  # it would be that of the whole shop
    encoder = fit_encoder(splits.train.assign(**no_past), params.encoding.bins, params.encoding.max_countries)
    without = [name for name in NUMERIC_FEATURES if name not in encoder.feature_names]
    if without:
        log.info("left out of the model, without a value or with one only in the training rows: %s", ", ".join(without))
    tables = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    history = History.of(shop).table  # of all SKUs: a customer's other lines count, too
    log.info(
        "%s; validation from %s, test from %s",
        ", ".join(f"{len(table):,} {name}" for name, table in tables.items()),
        f"{boundaries.validation_from:%Y-%m-%d}",
        f"{boundaries.test_from:%Y-%m-%d}",
    )
    tables["history"] = history
    weeks = {name: partition_bytes(table, iso_week(table[DAY])) for name, table in tables.items()}
    files.write_folder(
        SPLITS, {f"{name}/{week}": file for name, split in weeks.items() for week, file in split.items()}
    )
    files.write_text(ENCODER, encoder.to_json())


if __name__ == "__main__":
    run_stage("preprocess", main)
