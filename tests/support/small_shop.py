"""Small shops of which something is not there, and the real stages on them in one process."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from pricetrail.base.params import Params
from support.clone import TINY, edit_params
from support.source_tree import ROOT

SMALL: Final[dict[str, Any]] = {
    **{key: value for key, value in TINY.items() if not key.startswith(("demo.", "fairness."))},
    "data.path": "lines",
    "drift.max_share": 0.3,
    "drift.max_column_ratio": 2,
    "drift.current_days": 20,
    "tuning.n_trials": 1,
    "tuning.max_epochs": 4,
    "tuning.min_steps": 60,
    "fairness.min_rows": 20,
    "fairness.threshold": 1.0,
    "fairness.columns": ["registered", "country_group"],
}
STAGES: Final = (
    *("etl_pipeline", "data_drift_check", "drift_gate", "preprocess", "tune_baseline_models", "tune_primary_model"),
    *("inference_primary_model", "compare_models", "check_model_drift", "assess_model_risk"),
)


@dataclass(frozen=True)
class Shop:
    """What a made-up shop sells, to whom.

    Attributes:
        skus, customers: how many; without customers all buy as guests.
        guests: share of lines without a customer.
        countries: names, the first has most lines; none: the column is empty.
        line_a_sku: each line is of a SKU that no other line has.
        prices: a SKU's prices over the days; one: it never changes.
        per_day: lines a day.
    """

    skus: int = 6
    customers: int = 12
    guests: float = 0.4
    countries: tuple[str, ...] = ("United Kingdom", "France")
    descriptions: bool = True
    line_a_sku: bool = False
    prices: int = 3
    days: int = 70
    per_day: int = 22


def shop_lines(shop: Shop, seed: int = 0) -> pd.DataFrame:
    """Lines in the columns of ``params.yaml``: a dearer unit sells less of, each SKU has a size of its own."""
    rng = np.random.default_rng(seed)
    n = shop.days * shop.per_day
    day = np.repeat(np.arange(shop.days), shop.per_day)
    sku = np.arange(n) if shop.line_a_sku else rng.integers(0, shop.skus, n)
    kind = sku % 6
    step = (day + sku) % shop.prices
    price = np.round((1.0 + kind) * (1 + 0.1 * (step - (shop.prices > 1))), 2)
    buyer = rng.integers(0, max(shop.customers, 1), n)
    is_guest = rng.random(n) < (shop.guests if shop.customers else 1.0)
    taste = 0.4 * rng.standard_normal(max(shop.customers, 1))[buyer] * ~is_guest
    size = np.exp(1.5 + 0.3 * (3 - kind) - 0.5 * (step - 1) + taste + 0.3 * rng.standard_normal(n))
    minute = pd.to_timedelta(rng.integers(540, 1080, n), unit="min")
    country = rng.choice(len(shop.countries), n, p=_shares(len(shop.countries))) if shop.countries else None
    return pd.DataFrame(
        {
            "InvoiceNo": 500000 + np.arange(n) // 2,
            "StockCode": [f"{20000 + code}" for code in sku],
            "Description": [f"ITEM {code}" if shop.descriptions else "" for code in kind],
            "Quantity": np.maximum(1, np.round(size)).astype(int),
            "InvoiceDate": (pd.Timestamp("2024-01-01") + pd.to_timedelta(day, unit="D") + minute).astype(str),
            "UnitPrice": price,
            "CustomerID": np.where(is_guest, "", [f"{12000 + code}" for code in buyer]),
            "Country": "" if country is None else np.array(shop.countries)[country],
        }
    )


def _shares(countries: int) -> list[float]:
    return [1.0] if countries == 1 else [0.7, *[0.3 / (countries - 1)] * (countries - 1)]


def run_shop(folder: Path, lines: pd.DataFrame, stages: Sequence[str] = STAGES, **changes: Any) -> Params:
    """Run stages on lines; the working directory must be the folder.

    Args:
        folder: where the run takes place.
        lines: of ``shop_lines``, or the like.
        stages: their names, in order.
        **changes: dials, ``drift__policy="stop"`` for ``drift.policy``.
    """
    dials = {**SMALL, **{key.replace("__", "."): value for key, value in changes.items()}}
    (folder / "params.yaml").write_text(edit_params((ROOT / "params.yaml").read_text(), dials))
    shutil.rmtree(folder / "lines", ignore_errors=True)
    (folder / "lines").mkdir()
    lines.to_csv(folder / "lines/a.csv", index=False)
    for stage in stages:
        importlib.import_module(f"pricetrail.stages.{stage}").main()
    return Params.model_validate(YAML(typ="safe").load((folder / "params.yaml").read_text()))
