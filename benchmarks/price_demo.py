"""What the recommended prices of the demo shop truly earn, of what the best allowed prices would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import harness
from harness import Result
from pricetrail.base import files
from pricetrail.base.params_schema import Pricing
from pricetrail.pricing import recommend

WHAT = (
    "The prices that a full run on the demo shop recommends, scored by the elasticities that drew its lines and that "
    "no stage reads: true expected revenue a day at the recommended price less that at the current price, over the "
    "same difference for the best price of the same grid, summed over SKUs. 1 is the oracle, 0 keeps every price, "
    "below 0 the advice loses money. What stands between: in the lines, as in real ones, price is confounded. Tier "
    "prices are low because the quantity is large, guests pay about twice the list price for few units, and list "
    "prices seldom change, so a model of past lines sees quantity fall faster with price than a price change would "
    "make it fall. It also sees units in a line only, while a price moves the number of lines too. A current price is "
    "the median paid, taken here for the list price; packs and tiers are left out of the truth. "
    "The rival needs no model: the better of asking every SKU's lowest, or every SKU's highest, allowed price."
)
GAINS = {"all": ["lines_elasticity", "units_elasticity"], "units a line only": ["units_elasticity"]}


def _grid(folder: Path, dials: Pricing) -> pd.DataFrame:
    """The prices that the recommendation chose from, in rows of SKU and price, the current one marked."""
    context = recommend.context_lines(files.read_table(folder / "data/splits/test"), dials.window_days, dials.min_lines)
    state = files.read_table(folder / "data/product_state.parquet")
    # Only the grid is wanted: what a model would predict on it plays no part in the truth.
    return recommend.price_curves(context, state, lambda rows: np.zeros(len(rows)), dials)


def true_revenue(rows: pd.DataFrame, prices: pd.Series, elasticities: list[str]) -> pd.Series:
    """Expected revenue a day, GBP: the truth's constant elasticities around its base price.

    Args:
        rows: columns of the demo's truth, one row a price.
        prices: GBP, shape (n,).
        elasticities: columns of ``rows`` that act; the others count as 0.
    """
    units = rows["base_daily_units"] * (prices / rows["base_price_gbp"]) ** rows[elasticities].sum(axis=1)
    return prices * units


def score(prices: pd.DataFrame, grid: pd.DataFrame, truth: pd.DataFrame, elasticities: list[str]) -> dict[str, float]:
    """Revenue a day at the current, recommended and best prices, and the share of the oracle's gain.

    Args:
        prices: the recommendations, one row a SKU.
        grid: from `_grid`.
        truth: the demo's truth, one row a SKU.
        elasticities: which of the truth's act.
    """
    chosen = prices.merge(truth, on="sku", validate="one_to_one")
    allowed = grid.merge(truth, on="sku", validate="many_to_one")
    now = true_revenue(chosen, chosen["current_price"], elasticities)
    advised = true_revenue(chosen, chosen["recommended_price"], elasticities)
    revenue = true_revenue(allowed, allowed["unit_price"], elasticities)
    best = allowed.loc[revenue.groupby(allowed["sku"]).idxmax()].set_index("sku")["unit_price"]
    oracle = chosen["sku"].map(revenue.groupby(allowed["sku"]).max())
    move = np.sign(chosen["recommended_price"] - chosen["current_price"])
    return {
        "skus": len(chosen),
        "revenue_a_day_now_gbp": float(now.sum()),
        "revenue_a_day_recommended_gbp": float(advised.sum()),
        "revenue_a_day_best_gbp": float(oracle.sum()),
        "recommended_change": float(advised.sum() / now.sum() - 1),
        "best_change": float(oracle.sum() / now.sum() - 1),
        "share_of_gain": float((advised - now).sum() / (oracle - now).sum()),
        "skus_moved_the_right_way": float((move == np.sign(chosen["sku"].map(best) - chosen["current_price"])).mean()),
        "skus_that_lose": float((advised < now).mean()),
    }


def blanket_rules(prices: pd.DataFrame, grid: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The recommendations of who knows nothing but the allowed range."""
    asked = grid.groupby("sku")["unit_price"]
    ends = {"lowest": asked.min(), "highest": asked.max()}
    return {name: prices.assign(recommended_price=prices["sku"].map(end)) for name, end in ends.items()}


def measure() -> Result:
    """Score the recommendations of one full run on the demo shop."""
    with harness.finished_clone("demo") as (clone, _):
        folder = clone.path
        prices, truth = (files.read_table(folder / name) for name in ("data/prices.parquet", "demo/truth.parquet"))
        grid = _grid(folder, files.read_params(folder / "params.yaml").pricing)
        predicted = files.read_json(folder / "metrics/prices.json")
    scores = {name: score(prices, grid, truth, acting) for name, acting in GAINS.items()}
    blankets = {
        end: {name: score(rule, grid, truth, acting)["share_of_gain"] for name, acting in GAINS.items()}
        for end, rule in blanket_rules(prices, grid).items()
    }
    share, end = scores["all"]["share_of_gain"], max(blankets, key=lambda end: blankets[end]["all"])
    rival_share = blankets[end]["all"]
    return Result(
        name="price_demo",
        value=share,
        unit="of the best possible gain",
        rival=f"the {end} allowed price for every SKU",
        rival_value=rival_share,
        ratio=share / rival_share if min(share, rival_share) > 0 else None,
        what_was_run=WHAT,
        details={**scores, "blanket_share_of_gain": blankets, "predicted_by_the_run": predicted},
    )


if __name__ == "__main__":
    harness.main(measure)
