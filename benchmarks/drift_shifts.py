"""Helper of drift_calibration: known shifts, put into the lines before they are cleaned and made into features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pricetrail.base.errors import ContractError
from pricetrail.base.params import Params
from pricetrail.data.cleaning import clean
from pricetrail.data.contract import parse, require_parseable
from pricetrail.data.features import build_features
from pricetrail.data.shop_rules import PRESETS
from pricetrail.data.text import SOURCE_FILE, SOURCE_ROW

Mask = NDArray[np.bool_]
Change = Callable[[pd.DataFrame, Mask, float, np.random.Generator], pd.DataFrame]


def _price_up(lines: pd.DataFrame, window: Mask, size: float, rng: np.random.Generator) -> pd.DataFrame:
    """Prices of the window rise by a share, to whole pence."""
    price = lines["unit_price"]
    return lines.assign(unit_price=price.mask(window, (price * (1 + size)).round(2)))


def _some_skus(lines: pd.DataFrame, window: Mask, share: float, rng: np.random.Generator) -> Mask:
    """The window's lines of SKUs drawn with a probability: a department whose export changed."""
    skus = np.sort(lines.loc[window, "sku"].unique())
    chosen = skus[rng.random(len(skus)) < share]
    return window & lines["sku"].isin(chosen).to_numpy()


def _in_pence(lines: pd.DataFrame, window: Mask, size: float, rng: np.random.Generator) -> pd.DataFrame:
    price = lines["unit_price"]
    return lines.assign(unit_price=price.mask(_some_skus(lines, window, size, rng), price * 100))


def _in_dozens(lines: pd.DataFrame, window: Mask, size: float, rng: np.random.Generator) -> pd.DataFrame:
    """Units become dozens, rounded away from zero."""
    quantity = lines["quantity"]
    dozens = np.sign(quantity) * np.ceil(quantity.abs() / 12).astype("int64")
    return lines.assign(quantity=quantity.mask(_some_skus(lines, window, size, rng), dozens))


def _more_guests(lines: pd.DataFrame, window: Mask, size: float, rng: np.random.Generator) -> pd.DataFrame:
    """The window has that many times its own guests' lines."""
    return _with_guests(lines, window, size * lines.loc[window, "customer_id"].isna().sum(), rng)


def _guests_of_before(lines: pd.DataFrame, window: Mask, size: float, rng: np.random.Generator) -> pd.DataFrame:
    """The share of guests' lines in the window is that many times the one before it."""
    return _with_guests(lines, window, size * lines.loc[~window, "customer_id"].isna().mean() * window.sum(), rng)


def _with_guests(lines: pd.DataFrame, window: Mask, wanted: float, rng: np.random.Generator) -> pd.DataFrame:
    """Whole invoices lose their customer until the window has so many guests' lines."""
    here = lines[window]
    invoices = here.loc[here["customer_id"].notna(), "invoice"].value_counts(sort=False).sort_index()
    drawn = invoices.iloc[rng.permutation(len(invoices))].cumsum()
    wanted = wanted - here["customer_id"].isna().sum()
    guests = lines["invoice"].isin(drawn.index[drawn <= wanted]).to_numpy() & window
    return lines.assign(customer_id=lines["customer_id"].mask(guests))


def _nulls(column: str) -> Change:
    def change(lines: pd.DataFrame, window: Mask, size: float, rng: np.random.Generator) -> pd.DataFrame:
        return lines.assign(**{column: lines[column].mask(window & (rng.random(len(lines)) < size))})

    return change


@dataclass(frozen=True)
class Shift:
    """A change of the window's lines, at several sizes, the smallest first."""

    name: str
    sizes: Mapping[str, float]
    change: Change


def _percent(*sizes: float) -> dict[str, float]:
    return {f"{size:g}%": size / 100 for size in sizes}


def _times(*sizes: float) -> dict[str, float]:
    return {f"x{size:g}": size for size in sizes}


SHIFTS: Final = (
    Shift("price up", {f"+{name}": size for name, size in _percent(5, 10, 20, 50).items()}, _price_up),
    Shift("price in pence, of the SKUs", _percent(1, 2, 5, 10, 100), _in_pence),
    Shift("quantity in dozens, of the SKUs", _percent(25, 50, 100), _in_dozens),
    Shift("guests, of the window's own", _times(1.5, 2.0, 2.5, 3.0), _more_guests),
    Shift("share of guests, of that before", _times(1.25, 1.5, 2.0), _guests_of_before),
    Shift("customer id null, of the lines", _percent(2, 5, 10), _nulls("customer_id")),
    Shift("country null, of the lines", _percent(2, 5, 10), _nulls("country")),
    Shift("price null, of the lines", _percent(2, 5, 10), _nulls("unit_price")),
)


def features_of(original: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Lines as stage etl_pipeline makes them of what it read, by the rules of the UCI's shop.

    Raises:
        ContractError: the contract stops them.
    """
    raw = original.assign(**{SOURCE_FILE: "shifted", SOURCE_ROW: range(2, len(original) + 2)})
    parsed = parse(raw, {"shifted": params.data.format_of("shifted")}, PRESETS["uci"])
    require_parseable(parsed, params.data.max_bad_share)
    cleaned = clean(parsed, PRESETS["uci"]).lines
    if cleaned.empty:
        raise ContractError("shifted", "must hold at least one sale of a product", 0)
    return build_features(cleaned, params.features.half_life_days).lines
