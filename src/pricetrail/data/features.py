"""Lines to features, strictly as-of: a feature of a line uses days before the line's own day only (law 2).

The days are walked in order. A day's lines first read what is known that morning, then add to it, so a later day
cannot reach an earlier one by construction.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pricetrail.base.errors import DataError

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

TARGET: Final = "log_quantity"
DAY: Final = "day"

FEATURE_UNITS: Final = {
    "log_unit_price": "log of the price in the shop's currency",
    "log_price_vs_mean": "log ratio to the SKU's past mean price",
    "log_price_vs_min": "log ratio to the SKU's past lowest price",
    "log_price_vs_max": "log ratio to the SKU's past highest price",
    "sku_mean": "mean log1p(units) of the SKU's past lines",
    "sku_recent_mean": "exponentially weighted mean log1p(units) of the SKU's past lines",
    "sku_log_lines": "log1p of the SKU's past lines",
    "customer_mean": "mean log1p(units) of the customer's past lines",
    "customer_recent_mean": "exponentially weighted mean log1p(units) of the customer's past lines",
    "customer_log_lines": "log1p of the customer's past lines",
    "customer_sku_mean": "mean log1p(units) of the customer's past lines of the SKU",
    "customer_sku_log_lines": "log1p of the customer's past lines of the SKU",
    "country_mean": "mean log1p(units) of the country's past lines",
    "country_log_lines": "log1p of the country's past lines",
    "registered": "1 where the line has a customer id",
    "hour": "hour of the day, 0-23",
    "weekday": "0 Monday to 6 Sunday",
    "month": "1-12",
}
NUMERIC_FEATURES: Final = tuple(FEATURE_UNITS)
CATEGORICAL_FEATURES: Final = ("country",)
PRICE_FEATURES: Final = ("log_unit_price", "log_price_vs_mean", "log_price_vs_min", "log_price_vs_max")
TIME_FEATURES: Final = ("hour", "weekday", "month")
COUNTRY_FEATURES: Final = ("country_mean", "country_log_lines")
COUNT_FEATURES: Final = tuple(name for name in FEATURE_UNITS if name.endswith("_log_lines"))


@dataclass(frozen=True)
class FeatureTable:
    """Features of every line, and what is known of each SKU after the last day.

    Attributes:
        lines: the lines with ``day``, the features (float32) and the target ``log_quantity`` (float32), same order.
        product_state: one row a SKU: ``sku, lines, mean_log_quantity, recent_mean_log_quantity, price_mean,
            price_min, price_max, price_last, last_day``.
    """

    lines: pd.DataFrame
    product_state: pd.DataFrame


def _portable(values: Floats) -> Floats:
    """Rounded to float32: the last bits of a logarithm differ between C libraries, and sums would carry them on."""
    return values.astype(np.float32).astype(np.float64)


class _History:
    """What is known, this morning, of the past log quantities of each key (a SKU, a customer, …).

    Args:
        codes: key of every line, shape (n,); -1 for none.
        half_life_days: of the recent mean.
    """

    def __init__(self, codes: Codes, half_life_days: float) -> None:
        keys = int(codes.max(initial=-1)) + 1
        self.codes = codes
        self.half_life_days = half_life_days
        self.lines, self.total = np.zeros(keys), np.zeros(keys)
        self.recent_lines, self.recent_total = np.zeros(keys), np.zeros(keys)
        self.last_day = np.zeros(keys)
        size = len(codes)
        self.mean_before = np.full(size, np.nan)
        self.recent_mean_before = np.full(size, np.nan)
        self.lines_before = np.zeros(size)

    def read(self, rows: slice) -> None:
        """Write what is known before the day into the rows of its lines."""
        codes = self.codes[rows]
        known = np.flatnonzero(codes >= 0)
        known = known[self.lines[codes[known]] > 0]
        of, at = codes[known], known + rows.start
        self.lines_before[at] = self.lines[of]
        self.mean_before[at] = self.total[of] / self.lines[of]
        self.recent_mean_before[at] = self.recent_total[of] / self.recent_lines[of]

    def add(self, rows: slice, day: float, log_quantity: Floats) -> None:
        """Add a day's lines; the weight of older ones halves every ``half_life_days``."""
        codes, values = self.codes[rows], log_quantity[rows]
        codes, values = codes[codes >= 0], values[codes >= 0]
        seen = np.unique(codes)
        decay = _portable(np.exp2((self.last_day[seen] - day) / self.half_life_days))
        self.recent_lines[seen] *= decay
        self.recent_total[seen] *= decay
        self.last_day[seen] = day
        for lines, total in ((self.lines, self.total), (self.recent_lines, self.recent_total)):
            np.add.at(lines, codes, 1.0)
            np.add.at(total, codes, values)


class _PriceHistory:
    """What is known, this morning, of the past unit prices of each SKU."""

    def __init__(self, codes: Codes) -> None:
        keys, size = int(codes.max(initial=-1)) + 1, len(codes)
        self.codes = codes
        self.lines, self.total = np.zeros(keys), np.zeros(keys)
        self.low, self.high, self.last = np.full(keys, np.inf), np.zeros(keys), np.full(keys, np.nan)
        self.before = {name: np.full(size, np.nan) for name in ("mean", "low", "high")}

    def read(self, rows: slice) -> None:
        """Write what is known before the day into the rows of its lines."""
        codes = self.codes[rows]
        known = np.flatnonzero(self.lines[codes] > 0)
        of, at = codes[known], known + rows.start
        self.before["mean"][at] = self.total[of] / self.lines[of]
        self.before["low"][at] = self.low[of]
        self.before["high"][at] = self.high[of]

    def add(self, rows: slice, price: Floats) -> None:
        """Add a day's lines, which are in order of time."""
        codes, values = self.codes[rows], price[rows]
        np.add.at(self.lines, codes, 1.0)
        np.add.at(self.total, codes, values)
        np.minimum.at(self.low, codes, values)
        np.maximum.at(self.high, codes, values)
        self.last[codes] = values


def build_features(lines: pd.DataFrame, half_life_days: float) -> FeatureTable:
    """Compute the as-of features of every line.

    Args:
        lines: clean lines in order of time, shape (n, 8).
        half_life_days: after so many days a line weighs half as much in the recent means.
    """
    day = lines["invoiced_at"].dt.normalize()
    day_number = (day - pd.Timestamp(0)).dt.days.to_numpy().astype(np.float64)
    log_quantity = _portable(np.log1p(lines["quantity"].to_numpy().astype(np.float64)))
    price = lines["unit_price"].to_numpy().astype(np.float64)

    sku, sku_keys = pd.factorize(lines["sku"])
    customer, _ = pd.factorize(lines["customer_id"])
    country, _ = pd.factorize(lines["country"])
    pair, _ = pd.factorize(np.where(customer >= 0, customer * np.int64(len(sku_keys)) + sku, -1), use_na_sentinel=False)
    codes = {"sku": sku, "customer": customer, "country": country, "customer_sku": np.where(customer >= 0, pair, -1)}
    history = {name: _History(code.astype(np.int64), half_life_days) for name, code in codes.items()}
    prices = _PriceHistory(sku.astype(np.int64))

    starts = np.flatnonzero(np.diff(day_number, prepend=np.nan) != 0)
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        rows = slice(int(start), int(stop))
        prices.read(rows)
        prices.add(rows, price)
        for past in history.values():
            past.read(rows)
            past.add(rows, float(day_number[start]), log_quantity)

    columns = _columns(lines, price, prices, history)
    table = lines.assign(**{DAY: day}, **columns, **{TARGET: log_quantity.astype(np.float32)})
    return FeatureTable(table, _product_state(sku_keys, prices, history["sku"]))


def _columns(
    lines: pd.DataFrame, price: Floats, prices: _PriceHistory, history: dict[str, _History]
) -> dict[str, NDArray[np.float32]]:
    """The features by name, in the order of ``FEATURE_UNITS``, each of shape (n,)."""
    time = lines["invoiced_at"].dt
    columns: dict[str, NDArray[np.float64]] = {
        "log_unit_price": np.log(price),
        "log_price_vs_mean": np.log(price / prices.before["mean"]),
        "log_price_vs_min": np.log(price / prices.before["low"]),
        "log_price_vs_max": np.log(price / prices.before["high"]),
        "sku_recent_mean": history["sku"].recent_mean_before,
        "customer_recent_mean": history["customer"].recent_mean_before,
        "registered": lines["customer_id"].notna().to_numpy().astype(np.float64),
        "hour": time.hour.to_numpy().astype(np.float64),
        "weekday": time.weekday.to_numpy().astype(np.float64),
        "month": time.month.to_numpy().astype(np.float64),
    }
    for name, past in history.items():
        columns[f"{name}_mean"] = past.mean_before
        columns[f"{name}_log_lines"] = np.log1p(past.lines_before)
    return {name: columns[name].astype(np.float32) for name in NUMERIC_FEATURES}


def _product_state(sku_keys: pd.Index, prices: _PriceHistory, history: _History) -> pd.DataFrame:
    """What is known of each SKU the morning after the last day, one row a SKU in order of its code."""
    state = pd.DataFrame(
        {
            "sku": sku_keys.astype("str"),
            "lines": history.lines.astype(np.int64),
            "mean_log_quantity": history.total / history.lines,
            "recent_mean_log_quantity": history.recent_total / history.recent_lines,
            "price_mean": prices.total / prices.lines,
            "price_min": prices.low,
            "price_max": prices.high,
            "price_last": prices.last,
            "last_day": (pd.Timestamp(0) + pd.to_timedelta(history.last_day, unit="D")).astype("datetime64[us]"),
        }
    )
    return state.sort_values("sku").reset_index(drop=True)


def reprice(features: pd.DataFrame, log_price_change: NDArray[np.float32] | float) -> pd.DataFrame:
    """The same lines at another price: the price features move, everything known of the past stays.

    Args:
        features: any rows with the price features, shape (n, …).
        log_price_change: log(new price / price), shape (n,) or one number.
    """
    return features.assign(**{name: features[name] + np.float32(log_price_change) for name in PRICE_FEATURES})


def select_sku(lines: pd.DataFrame, sku: str) -> pd.DataFrame:
    """The lines of one SKU, their features still from the whole shop's history; all lines where ``sku`` is empty.

    Raises:
        DataError: where no line has that SKU.
    """
    if not sku:
        return lines
    chosen = lines[lines["sku"] == sku.upper()]
    if chosen.empty:
        raise DataError("params.yaml", f"data.sku must be one of the {lines['sku'].nunique()} SKUs of the data", sku)
    return chosen.reset_index(drop=True)
