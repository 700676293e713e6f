"""The price that sells best, against a demand curve whose best price is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from pricetrail.base.params_schema import Pricing
from pricetrail.data.features import DAY
from pricetrail.pricing.recommend import context_lines, price_curves, recommend, summarise, top_curves

DIALS = Pricing(objective="revenue", grid_points=21, max_change=0.5, window_days=7, min_lines=2)


def make_context(prices: dict[str, list[float]]) -> pd.DataFrame:
    rows = [(sku, price) for sku, many in prices.items() for price in many]
    table = pd.DataFrame(rows, columns=["sku", "unit_price"]).assign(**{DAY: pd.Timestamp("2011-11-01")})
    for name in ("log_unit_price", "log_price_vs_mean", "log_price_vs_min", "log_price_vs_max"):
        table[name] = np.log(table["unit_price"]).astype("float32")
    return table


def make_state(bounds: dict[str, tuple[float, float]]) -> pd.DataFrame:
    return pd.DataFrame([(k, *v) for k, v in bounds.items()], columns=["sku", "price_min", "price_max"])


def linear_demand(features: pd.DataFrame) -> NDArray[np.float64]:
    """10 - 2 price units: revenue is largest at 2.50 GBP (by the derivative)."""
    price = np.exp(features["log_unit_price"].to_numpy().astype(np.float64))
    return np.log1p(np.maximum(10 - 2 * price, 0))


def test_the_best_price_of_a_linear_demand_is_found() -> None:
    curves = price_curves(
        make_context({"10001": [2.0, 2.0, 2.0]}), make_state({"10001": (1.0, 3.0)}), linear_demand, DIALS
    )
    assert curves["unit_price"].min() == 1.0
    assert curves["unit_price"].max() == 3.0
    np.testing.assert_allclose(curves["predicted_quantity"], 10 - 2 * curves["unit_price"], rtol=1e-5)
    (best,) = recommend(curves, "revenue").to_dict("records")
    assert best["recommended_price"] == 2.5
    assert best["predicted_quantity"] == pytest.approx(5.0, rel=1e-5)
    assert best["predicted_revenue_now"] == pytest.approx(2.0 * 6.0, rel=1e-5)
    (most,) = recommend(curves, "quantity").to_dict("records")
    assert most["recommended_price"] == 1.0
    summary = summarise(recommend(curves, "revenue"))
    assert (summary.skus, summary.raised_share, summary.cut_share) == (1, 1.0, 0.0)
    assert summary.predicted_revenue_change == pytest.approx(12.5 / 12.0 - 1, rel=1e-5)


def test_prices_stay_in_the_skus_past_and_allowed_change() -> None:
    context = make_context({"10001": [2.0, 2.0], "10002": [4.0, 4.0]})
    curves = price_curves(context, make_state({"10001": (1.9, 2.1), "10002": (0.01, 99.0)}), linear_demand, DIALS)
    by_sku = curves.groupby("sku")["unit_price"]
    assert by_sku.min().to_dict() == {"10001": 1.9, "10002": 2.0}
    assert by_sku.max().to_dict() == {"10001": 2.1, "10002": 6.0}


def test_a_flat_curve_keeps_the_current_price() -> None:
    curves = price_curves(
        make_context({"10001": [2.0, 2.0]}),
        make_state({"10001": (1.0, 3.0)}),
        lambda features: np.full(len(features), np.log1p(3.0)),
        DIALS,
    )
    (kept,) = recommend(curves, "quantity").to_dict("records")
    assert kept["recommended_price"] == 2.0


def test_context_is_the_last_days_of_skus_with_enough_lines() -> None:
    day = pd.Timestamp("2011-11-10")
    rows = [("10001", 0), ("10001", 6), ("10002", 0), ("10003", 7), ("10003", 8)]
    lines = pd.DataFrame([(sku, day - pd.Timedelta(days=ago)) for sku, ago in rows], columns=["sku", DAY])
    assert context_lines(lines, window_days=7, min_lines=2)["sku"].tolist() == ["10001", "10001"]


def test_no_sku_with_enough_lines_is_no_recommendation() -> None:
    empty = make_context({"10001": [1.0]}).iloc[:0]
    prices = recommend(price_curves(empty, make_state({"10001": (1, 2)}), linear_demand, DIALS), "revenue")
    assert prices.empty
    assert summarise(prices).skus == 0


def test_the_curves_shown_are_of_skus_with_most_lines() -> None:
    context = make_context({"10001": [2.0] * 2, "10002": [2.0] * 4, "10003": [2.0] * 4, "10004": [2.0] * 3})
    names = {"10002": ["MUG", "MUG", "CUP", None], "10003": [None] * 4}
    told = [
        name
        for sku, many in (("10001", 2), ("10002", 4), ("10003", 4), ("10004", 3))
        for name in names.get(sku, ["BAG"] * many)
    ]
    context = context.assign(description=pd.Series(told, dtype="str"))
    state = make_state(dict.fromkeys(("10001", "10002", "10003", "10004"), (1.0, 3.0)))
    curves = price_curves(context, state, linear_demand, DIALS)
    shown = top_curves(curves, recommend(curves, "revenue"), context, skus=3)
    assert list(dict.fromkeys(shown["sku"])) == ["10002", "10003", "10004"], "most lines first, of equal ones by SKU"
    assert shown.drop_duplicates("sku")["description"].fillna("").tolist() == ["MUG", "", "BAG"]
    assert len(shown) == 3 * 21
    assert set(shown["recommended_price"]) == {2.5}
    assert set(shown["current_price"]) == {2.0}
    price = shown["unit_price"]
    np.testing.assert_allclose(shown["predicted_revenue"], price * (10 - 2 * price), rtol=1e-5)
    assert all(group.is_monotonic_increasing for _, group in shown.groupby("sku")["unit_price"])


def test_no_recommendation_is_no_curve() -> None:
    empty = make_context({"10001": [1.0]}).assign(description="MUG").iloc[:0]
    curves = price_curves(empty, make_state({"10001": (1, 2)}), linear_demand, DIALS)
    assert top_curves(curves, recommend(curves, "revenue"), empty).empty
