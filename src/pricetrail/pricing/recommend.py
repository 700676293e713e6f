"""Predicted quantity over a price grid, to the price that sells best.

The lines of the last days stand for a SKU's next ones: who buys, when, with what history. Each is asked at every price
of a grid inside the SKU's own past prices, so that nothing is extrapolated. The answer holds for lines that happen: how
many lines a price draws is outside the model (docs/decisions/0006).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pricetrail.base.params_schema import Pricing
from pricetrail.data.features import DAY, reprice

Predict = Callable[[pd.DataFrame], NDArray[np.float64]]


@dataclass(frozen=True)
class PriceSummary:
    """What the recommendations of all SKUs come to.

    Attributes:
        skus: SKUs with a recommendation.
        raised_share, cut_share: of these SKUs.
        predicted_revenue_change: relative change of predicted revenue over the window's lines; 0 where there is none.
    """

    skus: int
    raised_share: float
    cut_share: float
    predicted_revenue_change: float


def context_lines(lines: pd.DataFrame, window_days: int, min_lines: int) -> pd.DataFrame:
    """The lines of the last days, of SKUs with enough of them.

    Args:
        lines: with ``day`` and ``sku``, shape (n, …).
        window_days: length of the window, calendar days.
        min_lines: lines that a SKU needs in it.
    """
    recent = lines[lines[DAY] > lines[DAY].max() - pd.Timedelta(days=window_days)]
    enough = recent.groupby("sku")["sku"].transform("size") >= min_lines
    context: pd.DataFrame = recent.loc[enough]
    return context


def price_curves(
    context: pd.DataFrame, product_state: pd.DataFrame, predict: Predict, settings: Pricing
) -> pd.DataFrame:
    """Mean predicted quantity of each SKU at each price of its grid.

    Args:
        context: lines to ask about, with ``sku``, ``unit_price`` and the features.
        product_state: past lowest and highest price of each SKU.
        predict: features to log1p(units), shape (n,).
        settings: size of the grid and how far it reaches.

    Returns:
        One row a SKU and grid point: ``sku, unit_price, predicted_quantity, current_price, lines``, by SKU and
        price. The current price is the median of the context, and is on the grid.
    """
    current = context.groupby("sku")["unit_price"].median()
    bounds = product_state.set_index("sku").loc[current.index]
    low = np.maximum(bounds["price_min"], current * (1 - settings.max_change))
    high = np.minimum(bounds["price_max"], current * (1 + settings.max_change))
    parts = [
        _curve_point(context, np.round(low + (high - low) * share, 2).clip(lower=0.01), current, predict)
        for share in np.linspace(0, 1, settings.grid_points)
    ]
    curves = pd.concat([*parts, _curve_point(context, current, current, predict)])
    return curves.drop_duplicates(["sku", "unit_price"]).sort_values(["sku", "unit_price"], ignore_index=True)


def _curve_point(context: pd.DataFrame, price: pd.Series, current: pd.Series, predict: Predict) -> pd.DataFrame:
    """Every SKU at one price of its grid; prices by SKU, in the shop's currency."""
    asked = context["sku"].map(price).to_numpy()
    change = np.log(asked / context["unit_price"].to_numpy()).astype(np.float32)
    units = np.expm1(predict(reprice(context, change))).astype(np.float32)  # its last bits differ between C libraries
    quantity = pd.Series(units.astype(np.float64), index=context.index).clip(lower=0)
    by_sku = quantity.groupby(context["sku"])
    return pd.DataFrame(
        {
            "sku": current.index,
            "unit_price": price.to_numpy(),
            "predicted_quantity": by_sku.mean().to_numpy(),
            "current_price": current.to_numpy(),
            "lines": by_sku.size().to_numpy(),
        }
    )


def recommend(curves: pd.DataFrame, objective: str) -> pd.DataFrame:
    """The price of each SKU with the highest objective; of equal ones the price closest to the current one.

    Args:
        curves: from ``price_curves``.
        objective: ``revenue`` (price x predicted quantity) or ``quantity``.

    Returns:
        One row a SKU: ``sku, lines, current_price, recommended_price, predicted_quantity_now,
        predicted_quantity, predicted_revenue_now, predicted_revenue`` (quantity and revenue a line).
    """
    table = curves.assign(
        predicted_revenue=curves["unit_price"] * curves["predicted_quantity"],
        distance=(curves["unit_price"] - curves["current_price"]).abs(),
    )
    value = f"predicted_{objective}"
    best = table.sort_values(["sku", value, "distance"], ascending=[True, False, True]).groupby("sku").head(1)
    now = table[table["distance"] == 0].groupby("sku").head(1).set_index("sku")
    columns = ["sku", "lines", "current_price", "unit_price", "predicted_quantity", "predicted_revenue"]
    result = best[columns].rename(columns={"unit_price": "recommended_price"})
    return result.assign(
        predicted_quantity_now=result["sku"].map(now["predicted_quantity"]),
        predicted_revenue_now=result["sku"].map(now["predicted_revenue"]),
    ).reset_index(drop=True)


def top_curves(curves: pd.DataFrame, prices: pd.DataFrame, context: pd.DataFrame, skus: int = 12) -> pd.DataFrame:
    """The curves of the SKUs with the most lines, for a reader; of equal ones the first by SKU.

    Args:
        curves: from ``price_curves``.
        prices: from ``recommend``.
        context: the lines that were asked about, with ``sku`` and ``description``.
        skus: how many.

    Returns:
        One row a SKU and grid point, most lines first, then by price: ``sku, description, lines, unit_price,
        predicted_quantity, predicted_revenue, current_price, recommended_price``. The description is the
        most frequent one, missing where no line has any.
    """
    top = prices.sort_values(["lines", "sku"], ascending=[False, True]).head(skus)[["sku", "recommended_price"]]
    named = context.groupby(["sku", "description"], sort=True).size().rename("named").reset_index()
    names = named.sort_values("named", ascending=False, kind="stable").drop_duplicates("sku")[["sku", "description"]]
    table = top.merge(names, on="sku", how="left").merge(curves, on="sku")
    columns = ["sku", "description", "lines", "unit_price", "predicted_quantity", "predicted_revenue"]
    revenue = table["unit_price"] * table["predicted_quantity"]
    return table.assign(predicted_revenue=revenue)[[*columns, "current_price", "recommended_price"]]


def summarise(prices: pd.DataFrame) -> PriceSummary:
    """Count what ``recommend`` returned."""
    now = float((prices["predicted_revenue_now"] * prices["lines"]).sum())
    then = float((prices["predicted_revenue"] * prices["lines"]).sum())
    raised = prices["recommended_price"] > prices["current_price"]
    cut = prices["recommended_price"] < prices["current_price"]
    return PriceSummary(
        skus=len(prices),
        raised_share=float(raised.mean()) if len(prices) else 0.0,
        cut_share=float(cut.mean()) if len(prices) else 0.0,
        predicted_revenue_change=then / now - 1 if now > 0 else 0.0,
    )
