"""The demo shop: invoice lines with the dirt of a real shop, and elasticities that are known.

A price acts twice, by constant elasticities: on the lines of its SKU, and on the units that buyers want in a line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pricetrail.base.params_schema import Demo
from pricetrail.base.random_streams import stream

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WHOLESALE, RETAIL, GUEST = range(3)  # kinds of buyers; what follows has a place for each
PRICE_RESPONSE = np.array([1.3, 1.0, 0.6])  # times the SKU's elasticity of units
KIND_LOG_UNITS = np.array([1.15, 0.0, -1.3])  # wanted units against a retail customer's, log units
TASTE = 0.64  # between buyers of a kind, sd of log units
NOISE = np.array([0.33, 0.40, 0.95])  # between two purchases of the same, sd of log units
HABIT = 0.45  # of a buyer for a SKU, the same at each visit, sd of log units
STOCK_UP = 0.25  # more that wholesale customers want around mid-September, log units
REORDER_SHARE = 0.7  # share of customers' lines that repeat a SKU bought before, at an unchanged demand
BULK_SHARE = 0.006  # share of customers' lines that are bulk orders

GUEST_SHARE, WHOLESALE_SHARE = 0.246, 0.35  # of the sales, of the customers
OTHER_CHANNEL = 0.03  # share of sales where a guest pays the list price, a customer the web price
LINES_A_VISIT = (10.0, 42.0)  # mean of customers, of guests; fewer in a shop with few SKUs
CANCELLED, STOCK_TAKEN, DUPLICATED, FEES = 0.0171, 0.0047, 0.0090, 0.0055  # shares of all lines

HOURS = np.array([0, 0, 0, 0, 0, 0, 0, 0, 17, 64, 91, 106, 145, 133, 124, 144, 101, 52, 15, 7, 1, 0, 0, 0])  # weights
WEEKDAYS = np.array([1.0, 1.05, 1.0, 1.1, 0.9, 0.0, 0.7])  # weights, Monday first; closed on Saturdays
SEASONS = ((0.62, 0.0), (0.16, 318.0), (0.12, 185.0), (0.10, 85.0))  # share of the SKUs, peak as a day of the year
COUNTRIES = {  # of customers: weight, wanted units against the United Kingdom in log units
    "United Kingdom": (895, 0.0), "Germany": (32, 0.1), "France": (30, 0.1), "EIRE": (10, 0.45), "Spain": (10, 0.1),
    "Belgium": (9, 0.0), "Norway": (8, 0.3), "Netherlands": (5, 1.3), "Australia": (4, 1.2), "Sweden": (3, 0.9),
}  # fmt: skip
ORDERS = np.unique(np.outer([1, 2, 3, 4, 6, 8, 10], [1, 2, 4, 12, 24, 120, 480]))  # usual units, or packs
PACKS = np.array([1, 2, 3, 4, 6, 12, 24])  # units
FEE_LINES = (  # code, text, weight, median price in pence, who pays, units
    ("POST", "POSTAGE", 43, 1_800, "abroad", 1), ("DOT", "DOTCOM POSTAGE", 24, 18_400, "guest", 1),
    ("M", "Manual", 19, 795, "anyone", 1), ("C2", "CARRIAGE", 5, 5_000, "customer", 1),
    ("BANK CHARGES", "Bank Charges", 3, 8_300, "anyone", -1), ("AMAZONFEE", "AMAZON FEE", 2, 590_000, "guest", -1),
    ("D", "Discount", 3, 2_300, "customer", -1), ("gift_0001_20", "Gift Voucher £20.00", 2, 1_667, "guest", 1),
)  # fmt: skip
ODD_TEXTS = ("check", "damages", "damaged", "?", "sold as set on dotcom", "thrown away", "found", "adjustment")
THINGS = ("LUNCH BAG ", "CAKESTAND ", "T-LIGHT HOLDER ", "ALARM CLOCK ", "BUNTING ", "MUG ")
COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]


@dataclass(frozen=True)
class Shop:
    """What a demo shop leaves behind; no stage of the pipeline may read the truth."""

    lines: pd.DataFrame  # a row a line in the UCI columns, sorted by time, with the dirt of a real shop
    truth: pd.DataFrame  # a row a SKU: what drew its lines


@dataclass(frozen=True)
class _Catalogue:
    products: pd.DataFrame  # a row a SKU; the arrays are (weeks, skus)
    list_pence: Floats
    season: Floats  # share of the week's lines if all prices were at their base
    demand: Floats  # the same at the list prices, relative


def simulate(demo: Demo, seed: int) -> Shop:
    """Draw the demo shop, of about `demo.lines` lines; the same arguments give the same bytes."""
    calendar = _calendar(demo, stream(seed, "calendar"))
    catalogue = _catalogue(demo, calendar, seed)
    target = demo.lines * (1 - CANCELLED - STOCK_TAKEN - DUPLICATED - FEES)
    visits = _visits(_buyers(demo, target, stream(seed, "buyers")), calendar, stream(seed, "visits"))
    visits["size"] *= target / (visits["size"] * catalogue.demand.sum(axis=1)[visits["week"]]).sum()
    sales = _priced(_sales(visits, catalogue, stream(seed, "lines")), catalogue, stream(seed, "units"))
    lines = _booked([sales, *_dirt(sales, calendar, demo, stream(seed, "dirt"))])
    return Shop(lines, _truth(catalogue, visits, calendar))


def _pick(weights: npt.ArrayLike, uniform: Floats) -> Ints:
    """Index of the weight in whose share each uniform number falls."""
    edges = np.cumsum(np.asarray(weights, dtype=np.float64))
    return np.asarray(np.searchsorted(edges[:-1], uniform * edges[-1], side="right"))


def _bump(days: pd.Index, peak: Floats | float, width: float) -> Floats:
    """A smooth yearly peak of height 1 at a day of the year, (days,) or (days, peaks); width in days."""
    distance = np.abs(np.subtract.outer(pd.DatetimeIndex(days).dayofyear.to_numpy(), peak))
    return np.asarray(np.exp(-((np.minimum(distance, 365.25 - distance) / width) ** 2)))


def _calendar(demo: Demo, rng: np.random.Generator) -> pd.Series[float]:
    """Relative number of visits a day, 0 on closed ones."""
    days = pd.date_range(demo.first_day, periods=7 * demo.weeks, unit="us")
    holidays = ((days.month == 12) & (days.day >= 24)) | ((days.month == 1) & (days.day <= 3))
    weight = WEEKDAYS[days.dayofweek] * (1 + 1.4 * _bump(days, 328.0, 45.0)) * np.exp(rng.normal(0, 0.15, days.size))
    return pd.Series(np.where(holidays, 0.0, weight), index=days)


def _catalogue(demo: Demo, calendar: pd.Series[float], seed: int) -> _Catalogue:
    rng, skus = stream(seed, "catalogue"), demo.skus
    base_pence = _shelf_price(100 * np.exp(rng.normal(0.70, 0.70, skus)))
    # Dear things are bought in small numbers: the model must not take this for the elasticity of a SKU.
    log_units = 1.35 - 0.42 * (np.log(base_pence / 100) - 0.70) + rng.normal(0, 0.3, skus)
    code = rng.choice(np.arange(20_000, 91_000), skus, replace=False).astype(np.str_)
    letter = np.array(["", *"ABCDEFL", "BL"])[_pick([90, 3, 3, 1, 1, 1, 1, 1, 0.2], rng.random(skus))]
    pack = PACKS[np.abs(np.log(PACKS)[:, None] - log_units - 0.8).argmin(axis=0)]
    products = {
        "StockCode": np.char.add(code, letter),
        "Description": np.char.add(np.array(THINGS)[rng.integers(len(THINGS), size=skus)], code),
        "base_price_gbp": base_pence / 100,
        "lines_elasticity": -(0.2 + 1.2 * rng.random(skus) ** 2),
        "units_elasticity": -(0.2 + 1.4 * rng.random(skus) ** 2),
        "log_units": log_units,  # wanted by a retail customer at the base price
        "pack": pack,
        "tier_units": pack * np.array([4, 6, 8, 10])[rng.integers(4, size=skus)] * np.where(pack < 4, 3, 1),
        "tier_factor": rng.uniform(0.82, 0.92, skus),  # tier price over list price
        "web_factor": np.exp(rng.normal(np.log(1.98), 0.1, skus)),  # guests' price over list price
    }
    list_pence = _list_pence(base_pence, demo.weeks, stream(seed, "prices"))
    season = _season(calendar.index[3::7], skus, stream(seed, "season"))
    demand = season * np.exp(products["lines_elasticity"] * np.log(list_pence / base_pence))
    return _Catalogue(pd.DataFrame(products), list_pence, season, demand)


def _shelf_price(pence: Floats) -> Floats:
    """The nearest price that a shop would print, pence: 42, 125, 1275."""
    return np.maximum(np.where(pence < 100, np.round(pence), 10 * np.round((pence - 5) / 10) + 5), 4.0)


def _list_pence(base_pence: Floats, weeks: int, rng: np.random.Generator) -> Floats:
    """List price of each week, (weeks, skus) in pence: every SKU changes its price once to three times."""
    shape, changes = (3, 1, base_pence.size), 1 + rng.poisson(0.35, base_pence.size)
    size = rng.uniform(0.08, 0.35, shape) * np.where(rng.random(shape) < 0.55, 1.0, -1.0)
    since = np.where(np.arange(3)[:, None, None] < changes, rng.integers(1, weeks, shape), weeks)
    step = np.where(np.arange(weeks)[:, None] >= since, size, 0.0).sum(axis=0)
    return _shelf_price(base_pence * np.exp(np.clip(step, -0.5, 0.5)))


def _season(week_days: pd.Index, skus: int, rng: np.random.Generator) -> Floats:
    """Share of a week's lines by popularity and season, (weeks, skus)."""
    share, peak = np.array(SEASONS).T
    popularity, group = np.exp(rng.normal(0, 0.55, skus)), _pick(share, rng.random(skus))
    height = np.where(group == 0, 0.0, rng.uniform(1.0, 5.0, skus))
    weight = popularity * (1 + height * _bump(week_days, peak[group], 45.0))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _buyers(demo: Demo, target: float, rng: np.random.Generator) -> pd.DataFrame:
    """A row a registered customer, then a row a guest: who they are, how often they come and what they want."""
    shares, sizes = np.array([1 - GUEST_SHARE, GUEST_SHARE]), np.minimum(LINES_A_VISIT, demo.skus / 10)
    visits, guests = (target * shares / sizes).astype(np.int64) + 1
    count, is_guest = demo.customers + guests, np.arange(demo.customers + guests) >= demo.customers
    kind = np.where(is_guest, GUEST, np.where(rng.random(count) < WHOLESALE_SHARE, WHOLESALE, RETAIL))
    weight, country_log_units = np.array(list(COUNTRIES.values())).T
    country = np.where(is_guest & (rng.random(count) < 0.9), 0, _pick(weight, rng.random(count)))
    activity = np.where(is_guest, 0.0, np.exp(rng.normal(0, 1.1, count)))
    buyers = {
        "CustomerID": pd.Series((12_346 + np.arange(count)).astype(np.str_), dtype="str").mask(is_guest),
        "Country": pd.Series(list(COUNTRIES), dtype="str").iloc[country].to_numpy(),
        "kind": kind,
        "log_units": KIND_LOG_UNITS[kind] + country_log_units[country] + TASTE * rng.normal(size=count),
        "visits": 1 + rng.poisson(activity * max(visits - demo.customers, 0) / activity.sum()),
    }
    return pd.DataFrame(buyers)


def _visits(buyers: pd.DataFrame, calendar: pd.Series[float], rng: np.random.Generator) -> pd.DataFrame:
    """A row a visit, customers' before guests', each in the order of time; each buyer comes at least once."""
    buyer = np.repeat(np.arange(len(buyers)), buyers["visits"])
    visits = buyers.iloc[buyer].assign(buyer=buyer)
    kind, count, size = visits["kind"].to_numpy(), buyer.size, np.exp(rng.normal(size=buyer.size))
    is_guest = (kind == GUEST).astype(np.int64)
    day = _pick(calendar, rng.random(count))
    minute = 60 * _pick(HOURS, rng.random(count)) + rng.integers(60, size=count)
    visits["size"] = size * np.array([1 - GUEST_SHARE, GUEST_SHARE])[is_guest] / np.bincount(is_guest, size)[is_guest]
    visits["log_units"] += np.where(kind == WHOLESALE, STOCK_UP * _bump(calendar.index, 260.0, 50.0)[day], 0.0)
    visits["InvoiceDate"] = calendar.index[day] + pd.to_timedelta(minute, unit="min")
    return visits.assign(week=day // 7).iloc[np.lexsort((minute, day, is_guest))].reset_index(drop=True)


def _sales(visits: pd.DataFrame, catalogue: _Catalogue, rng: np.random.Generator) -> pd.DataFrame:
    """Visit and SKU of each sale: Poisson counts, so that a SKU's lines follow its demand and nothing else."""
    demand, week = catalogue.demand, visits["week"].to_numpy()
    total, skus = demand.sum(axis=1), demand.shape[1]
    visit = np.repeat(np.arange(len(visits)), rng.poisson(visits["size"] * total[week]))
    edges = (np.cumsum(demand / total[:, None], axis=1) + np.arange(total.size)[:, None]).ravel()
    drawn = np.searchsorted(edges, week[visit] + rng.random(visit.size), side="right") - week[visit] * skus
    sku = _reordered(visits.iloc[visit], np.minimum(drawn, skus - 1), demand, rng)
    for _ in range(4):
        # Few list a SKU twice in an invoice. Such a line moves near by: dropping it would bend an elasticity.
        again = pd.Series(visit * skus + sku).duplicated().to_numpy()
        visit[again] = np.minimum(visit[again] + rng.integers(1, 6, again.sum()), len(visits) - 1)
    return visits.iloc[visit].assign(visit=visit, sku=sku)


def _reordered(sales: pd.DataFrame, drawn: Ints, demand: Floats, rng: np.random.Generator) -> Ints:
    """The SKUs drawn, some replaced by one bought before, the likelier the higher its demand is now against then."""
    buyer, week = sales["buyer"].to_numpy(), sales["week"].to_numpy()
    order = np.argsort(buyer, kind="stable")  # by buyer, then by time
    before = pd.Series(buyer).groupby(buyer).cumcount().to_numpy()
    then = order[np.searchsorted(buyer[order], buyer) + np.floor(before * rng.random(buyer.size)).astype(np.int64)]
    chance = REORDER_SHARE * demand[week, drawn[then]] / demand[week[then], drawn[then]]
    return np.where((sales["kind"].to_numpy() != GUEST) & (rng.random(buyer.size) < chance), drawn[then], drawn)


def _priced(sales: pd.DataFrame, catalogue: _Catalogue, rng: np.random.Generator) -> pd.DataFrame:
    """Add units and price: the price moves the units, and enough units earn the tier price."""
    sku, kind, week, count = sales["sku"].to_numpy(), sales["kind"].to_numpy(), sales["week"].to_numpy(), len(sales)
    product = {name: column.to_numpy()[sku] for name, column in catalogue.products.items()}
    list_pence = catalogue.list_pence[week, sku]
    habit = np.unique(sales["buyer"].to_numpy() * len(catalogue.products) + sku, return_inverse=True)[1]
    wanted = product["log_units"] + sales["log_units"].to_numpy() + HABIT * rng.normal(size=count)[habit]
    log_ratio = np.log(list_pence / (100 * product["base_price_gbp"]))
    wanted += product["units_elasticity"] * PRICE_RESPONSE[kind] * log_ratio
    bulk = (kind != GUEST) & (rng.random(count) < BULK_SHARE)
    wanted += NOISE[kind] * rng.normal(size=count) + np.where(bulk, 1.2 + rng.exponential(1.2, count), 0.0)
    wanted = np.minimum(np.exp(wanted), ORDERS[-1])
    pack = np.where(wanted > 0.6 * product["pack"], product["pack"], 1)  # about a pack or more comes in packs
    units = ORDERS[np.searchsorted(np.sqrt(ORDERS[:-1] * ORDERS[1:]), wanted / pack)] * pack
    tier, on_list = product["tier_units"], (kind != GUEST) ^ (rng.random(count) < OTHER_CHANNEL)
    units = np.where(on_list & (units >= 0.7 * tier) & (units < tier), tier, units)  # worth the tier price
    factor = np.where(on_list, np.where(units >= tier, product["tier_factor"], 1.0), product["web_factor"])
    price = np.maximum(np.round(list_pence * factor), 1) / 100
    labels = catalogue.products[["StockCode", "Description"]].iloc[sku].set_axis(sales.index)
    return sales.assign(**labels, Quantity=units, UnitPrice=price, cancelled=False)


def _dirt(sales: pd.DataFrame, calendar: pd.Series[float], demo: Demo, rng: np.random.Generator) -> list[pd.DataFrame]:
    """What the books hold beside sales: cancellations, stock-taking, lines booked twice and fees."""
    shares = (1.36 * CANCELLED, STOCK_TAKEN, DUPLICATED)  # of the cancellations, some prove too late
    cancelled, stock, twice = (sales.iloc[rng.integers(len(sales), size=round(demo.lines * part))] for part in shares)
    count, texts = len(stock), pd.Series([*ODD_TEXTS, None], dtype="str")
    moved, lost = np.exp(rng.normal(0, 1.5, count)), rng.random(count) < 0.53
    units = np.where(lost, -np.ceil(30 * moved), np.ceil(6 * moved)).astype(np.int64)
    text = texts.iloc[np.minimum(rng.integers(20, size=count), len(ODD_TEXTS))].to_numpy()
    stock = stock.assign(visit=-1, CustomerID=pd.Series(dtype="str"), Country="United Kingdom", UnitPrice=0.0)
    stock = stock.assign(Quantity=units, Description=text)
    return [_cancellations(cancelled, calendar, rng), stock, twice, _fees(sales, demo, rng)]


def _cancellations(rows: pd.DataFrame, calendar: pd.Series[float], rng: np.random.Generator) -> pd.DataFrame:
    """Lines sent back whole or in part on a later open day; those after the last day are not seen."""
    count, open_days = len(rows), calendar.index[calendar > 0]
    day = rows["InvoiceDate"].dt.normalize()
    later = np.searchsorted(open_days, day) + rng.geometric(0.07, count)
    units = np.where(rng.random(count) < 0.4, rows["Quantity"], np.ceil(rng.random(count) ** 3 * rows["Quantity"]))
    rows = rows.assign(visit=-1, cancelled=True, Quantity=-units.astype(np.int64))
    rows["InvoiceDate"] += open_days[np.minimum(later, len(open_days) - 1)] - pd.DatetimeIndex(day)
    rows["UnitPrice"] = rows["UnitPrice"].mask(rng.random(count) < 0.03, 1.25)  # some match no earlier line
    return rows.iloc[np.flatnonzero((later < len(open_days)) & ((rows["kind"] != GUEST) | (rng.random(count) < 0.15)))]


def _fees(sales: pd.DataFrame, demo: Demo, rng: np.random.Generator) -> pd.DataFrame:
    """Postage, vouchers and charges in the invoices of those who pay them, or in one of their own."""
    fee, guest = _pick([row[2] for row in FEE_LINES], rng.random(round(demo.lines * FEES))), sales["kind"] == GUEST
    pays = {"anyone": guest | True, "customer": ~guest, "guest": guest, "abroad": sales["Country"] != "United Kingdom"}
    parts: list[pd.DataFrame] = []
    for number, (code, text, _, median, payer, units) in enumerate(FEE_LINES):
        payers = sales[pays[payer]] if pays[payer].any() else sales
        rows = payers.iloc[rng.integers(len(payers), size=(fee == number).sum())]
        price = np.round(median * np.exp(rng.normal(0, 0.4, len(rows)))) / 100
        rows = rows.assign(StockCode=code, Description=text, UnitPrice=price, Quantity=units)
        parts.append(rows if units > 0 else rows.assign(visit=-1, cancelled=True))
    return pd.concat(parts)


def _booked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """All rows in the UCI columns, sorted by time, their invoices numbered in that order."""
    rows = pd.concat(parts, ignore_index=True)
    rows["visit"] = np.where(rows["visit"] < 0, -1 - rows.index, rows["visit"])  # an invoice of its own
    rows = rows.sort_values(["InvoiceDate", "cancelled", "visit"], kind="stable", ignore_index=True)
    number = pd.Series(536_365 + pd.factorize(rows["visit"])[0]).astype("str")
    return rows.assign(InvoiceNo=number.mask(rows["cancelled"], "C" + number)).loc[:, COLUMNS]


def _truth(catalogue: _Catalogue, visits: pd.DataFrame, calendar: pd.Series[float]) -> pd.DataFrame:
    """One row a SKU; a day is an open day of an average season, a price a list price."""
    products, days = catalogue.products, (calendar > 0).sum()
    kind, week, size = visits["kind"].to_numpy(), visits["week"], visits["size"]
    units = size * np.exp(visits["log_units"] + (NOISE[kind] ** 2 + HABIT**2) / 2)  # a log-normal's mean
    lines_a_week, units_a_week = (np.bincount(week, weight, len(catalogue.season))[:, None] for weight in (size, units))
    elasticity = products["units_elasticity"] * (units * PRICE_RESPONSE[kind]).sum() / units.sum()
    truth = products.drop(columns=["Description", "log_units"]).rename(columns={"StockCode": "sku"})
    truth["units_elasticity"] = elasticity
    truth["base_daily_lines"] = (lines_a_week * catalogue.season).sum(axis=0) / days
    truth["base_daily_units"] = (units_a_week * catalogue.season).sum(axis=0) * np.exp(products["log_units"]) / days
    truth["low_price_gbp"] = low = catalogue.list_pence.min(axis=0) / 100
    truth["high_price_gbp"] = high = catalogue.list_pence.max(axis=0) / 100
    # Revenue is a power of the price, so the best price is an end of the range.
    truth["best_price_gbp"] = np.where(products["lines_elasticity"] + elasticity < -1, low, high)
    return truth.round(6).sort_values("sku", ignore_index=True)
