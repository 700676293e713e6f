"""Laws of the demo shop: same seed same bytes, the dirt of a real shop, and elasticities that the lines show.

The oracle of the elasticities sees only the lines: it finds the list prices, and what follows from their changes.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from pricetrail.base.params_schema import Demo
from pricetrail.data.demo_shop import COLUMNS, Shop, simulate

TINY = Demo(first_day="2010-12-01", weeks=6, skus=12, customers=40, lines=3000)
YEAR = Demo(first_day="2010-12-01", weeks=54, skus=120, customers=600, lines=60_000)
LARGE = Demo(first_day="2010-12-01", weeks=54, skus=100, customers=2500, lines=400_000)
WINDOW = 3  # weeks on each side of a price change


@pytest.fixture(scope="module")
def shop() -> Shop:
    return simulate(YEAR, 7)


@pytest.fixture(scope="module")
def changes() -> pd.DataFrame:
    """A row a change of a list price: the log ratio of the prices, and of the lines and units after and before."""
    shop = simulate(LARGE, 11)
    return price_changes(shop).merge(shop.truth, on="sku")


def products(lines: pd.DataFrame) -> pd.DataFrame:
    sold = lines["StockCode"].str.match(r"\d{5}") & (lines["Quantity"] > 0) & (lines["UnitPrice"] > 0)
    return lines[sold].drop_duplicates()


def price_changes(shop: Shop) -> pd.DataFrame:
    sold = products(shop.lines)
    sold = sold.assign(week=(sold["InvoiceDate"] - sold["InvoiceDate"].min().normalize()).dt.days // 7)
    own = sold[sold["CustomerID"].notna()].assign(log_units=lambda own: np.log(own["Quantity"]))
    cells = own.groupby(["StockCode", "week"])
    price = cells["UnitPrice"].agg(lambda prices: prices.mode().iloc[0]).unstack()  # most pay the list price
    count = sold.groupby(["StockCode", "week"]).size().unstack(fill_value=0)
    log_units = cells["log_units"].mean().unstack()
    shop_lines, shop_units = np.log(count.sum()), log_units.mean()
    found = []
    for sku, prices in price.iterrows():
        for week in range(WINDOW, prices.size - WINDOW):
            before, after = prices.iloc[week - WINDOW : week], prices.iloc[week : week + WINDOW]
            if before.nunique() == after.nunique() == 1 and before.max() != after.max():
                sides = [slice(week - WINDOW, week), slice(week, week + WINDOW)]
                lines = [np.log(count.loc[sku].iloc[side].mean()) - shop_lines.iloc[side].mean() for side in sides]
                units = [(log_units.loc[sku] - shop_units).iloc[side].mean() for side in sides]
                ratio = np.log(after.max() / before.max())
                found.append((sku, ratio, lines[1] - lines[0], units[1] - units[0]))
    return pd.DataFrame(found, columns=["sku", "ratio", "lines", "units"])


def slope(expected: pd.Series, seen: pd.Series) -> float:
    """Of the line through the origin by least squares."""
    return float((expected * seen).sum() / (expected**2).sum())


def assert_steep_falls_more(steep: pd.Series, ratio: pd.Series, seen: pd.Series) -> None:
    assert slope(ratio[steep], seen[steep]) < slope(ratio[~steep], seen[~steep]) - 0.2


def test_same_seed_gives_the_same_shop() -> None:
    first, second = simulate(TINY, 3), simulate(TINY, 3)
    pd.testing.assert_frame_equal(first.lines, second.lines, check_exact=True)
    pd.testing.assert_frame_equal(first.truth, second.truth, check_exact=True)


def test_other_seed_gives_another_shop() -> None:
    assert not simulate(TINY, 3).lines.equals(simulate(TINY, 4).lines)


def test_columns_and_types_are_those_of_the_uci_data(shop: Shop) -> None:
    assert list(shop.lines) == COLUMNS
    assert [str(kind) for kind in shop.lines.dtypes] == [
        "str", "str", "str", "int64", "datetime64[us]", "float64", "str", "str",
    ]  # fmt: skip
    assert shop.lines["CustomerID"].dropna().str.fullmatch(r"\d{5}").all()
    assert shop.lines["InvoiceNo"].str.fullmatch(r"C?\d{6}").all()
    assert shop.lines.drop(columns=["Description", "CustomerID"]).notna().all(axis=None)


def test_lines_are_sorted_by_time_then_invoice(shop: Shop) -> None:
    pd.testing.assert_frame_equal(
        shop.lines, shop.lines.sort_values(["InvoiceDate", "InvoiceNo"], kind="stable", ignore_index=True)
    )
    assert shop.lines.groupby("InvoiceNo")["InvoiceDate"].nunique().max() == 1
    assert shop.lines.dropna(subset="CustomerID").groupby("InvoiceNo")["CustomerID"].nunique().max() == 1


def test_prices_are_whole_pence_and_units_whole(shop: Shop) -> None:
    pence = shop.lines["UnitPrice"] * 100
    assert (pence - pence.round()).abs().max() < 1e-6
    assert shop.lines["UnitPrice"].min() == 0
    assert (shop.lines["Quantity"] != 0).all()


def test_shop_keeps_its_opening_days(shop: Shop) -> None:
    days = shop.lines["InvoiceDate"].dt
    first = dt.date.fromisoformat(YEAR.first_day)
    assert days.date.min() == first
    assert days.date.max() < first + dt.timedelta(weeks=YEAR.weeks)
    assert (days.dayofweek != 5).all()
    assert not ((days.month == 12) & (days.day >= 24)).any()
    assert not ((days.month == 1) & (days.day <= 3)).any()


@pytest.mark.parametrize(
    ("dirt", "low", "high"),
    [
        ("guests", 0.22, 0.28),
        ("cancellations", 0.013, 0.021),
        ("duplicates", 0.007, 0.014),
        ("fees", 0.004, 0.007),
        ("no description", 0.001, 0.005),
        ("price of zero", 0.003, 0.007),
        ("stock losses", 0.001, 0.004),
        ("United Kingdom", 0.86, 0.95),
    ],
)
def test_dirt_has_its_share(shop: Shop, dirt: str, low: float, high: float) -> None:
    lines = shop.lines
    cancelled = lines["InvoiceNo"].str.startswith("C")
    share = {
        "guests": lines["CustomerID"].isna(),
        "cancellations": cancelled,
        "duplicates": lines.duplicated(),
        "fees": ~lines["StockCode"].str.match(r"\d{5}"),
        "no description": lines["Description"].isna(),
        "price of zero": lines["UnitPrice"] == 0,
        "stock losses": (lines["Quantity"] < 0) & ~cancelled & (lines["UnitPrice"] == 0),
        "United Kingdom": lines["Country"] == "United Kingdom",
    }[dirt].mean()
    assert low < share < high


def test_negative_units_are_cancellations_or_unpriced(shop: Shop) -> None:
    cancelled = shop.lines["InvoiceNo"].str.startswith("C")
    assert ((shop.lines["Quantity"] < 0) == cancelled)[shop.lines["UnitPrice"] > 0].all()


def test_most_cancellations_match_an_earlier_line(shop: Shop) -> None:
    lines = shop.lines[shop.lines["StockCode"].str.match(r"\d{5}") & shop.lines["CustomerID"].notna()]
    cancelled = lines["InvoiceNo"].str.startswith("C")
    both = lines[cancelled].merge(
        lines[~cancelled], on=["CustomerID", "StockCode", "UnitPrice"], suffixes=("", "_sold")
    )
    earlier = (both["InvoiceDate_sold"] < both["InvoiceDate"]) & (both["Quantity_sold"] >= -both["Quantity"])
    assert 0.9 < both.loc[earlier, "InvoiceNo"].nunique() / cancelled.sum() < 1


def test_tail_reaches_thousands_of_units(shop: Shop) -> None:
    units = products(shop.lines)["Quantity"]
    assert units.median() < 10
    assert 1000 < units.max() < 10_000


def test_large_quantities_earn_a_lower_price_and_guests_pay_more(shop: Shop) -> None:
    sold = products(shop.lines).merge(shop.truth, left_on="StockCode", right_on="sku")
    ratio = sold["UnitPrice"] / sold["base_price_gbp"]
    guest, tier = sold["CustomerID"].isna(), sold["Quantity"] >= sold["tier_units"]
    assert ratio[tier & ~guest].median() < 0.95 * ratio[~tier & ~guest].median()
    assert ratio[guest].median() > 1.6 * ratio[~guest].median()


def test_customer_orders_a_sku_again_in_similar_quantities(shop: Shop) -> None:
    sold = products(shop.lines).dropna(subset="CustomerID")
    log_units = np.log(sold["Quantity"])
    pairs = sold.groupby(["CustomerID", "StockCode"])["Quantity"].transform("size") > 1
    within = log_units[pairs].groupby([sold["CustomerID"], sold["StockCode"]]).var().mean()
    assert within < 0.35 * log_units.var()


def test_list_prices_change(changes: pd.DataFrame) -> None:
    assert changes["sku"].nunique() > 0.5 * LARGE.skus
    assert changes["ratio"].abs().between(0.03, 0.5).all()


def test_lines_follow_their_elasticity(changes: pd.DataFrame) -> None:
    assert slope(changes["lines_elasticity"] * changes["ratio"], changes["lines"]) == pytest.approx(1, abs=0.15)
    assert_steep_falls_more(changes["lines_elasticity"] < -0.6, changes["ratio"], changes["lines"])


def test_units_follow_their_elasticity(changes: pd.DataFrame) -> None:
    # Packs, tiers and the unit below which nobody can go blunt the response, so it is below 1.
    assert slope(changes["units_elasticity"] * changes["ratio"], changes["units"]) == pytest.approx(0.9, abs=0.15)
    assert_steep_falls_more(changes["units_elasticity"] < -0.8, changes["ratio"], changes["units"])


def test_truth_has_one_row_a_sku(shop: Shop) -> None:
    assert len(shop.truth) == YEAR.skus == shop.truth["sku"].nunique()
    assert set(products(shop.lines)["StockCode"]) <= set(shop.truth["sku"])
    assert shop.truth.notna().all(axis=None)
    total = shop.truth["lines_elasticity"] + shop.truth["units_elasticity"]
    assert total.between(-3.5, -0.3).all()
    assert (shop.truth["low_price_gbp"] <= shop.truth["high_price_gbp"]).all()


def test_best_price_earns_the_most_of_the_range(shop: Shop) -> None:
    truth = shop.truth
    elasticity = (truth["lines_elasticity"] + truth["units_elasticity"]).to_numpy()
    prices = np.linspace(truth["low_price_gbp"], truth["high_price_gbp"], 50)  # (prices, skus)
    revenue = prices * (prices / truth["base_price_gbp"].to_numpy()) ** elasticity
    best = prices[revenue.argmax(axis=0), np.arange(len(truth))]
    np.testing.assert_allclose(best, truth["best_price_gbp"], rtol=1e-6)


def test_truth_expects_the_lines_that_came(shop: Shop) -> None:
    sold = products(shop.lines)
    days = sold["InvoiceDate"].dt.date.nunique()
    seen = sold.groupby("StockCode").size().reindex(shop.truth["sku"], fill_value=0).to_numpy() / days
    assert np.corrcoef(np.log(seen + 0.01), np.log(shop.truth["base_daily_lines"] + 0.01))[0, 1] > 0.9
    assert seen.sum() == pytest.approx(shop.truth["base_daily_lines"].sum(), rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_tiny_shop_works(seed: int) -> None:
    shop = simulate(TINY, seed)
    assert len(shop.lines) == pytest.approx(TINY.lines, rel=0.15)
    assert len(shop.truth) == TINY.skus


@pytest.mark.parametrize("seed", range(5))
def test_smallest_shop_works(seed: int) -> None:
    smallest = Demo(first_day="2011-12-24", weeks=2, skus=4, customers=10, lines=200)
    assert len(simulate(smallest, seed).lines) > 100
