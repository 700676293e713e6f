"""Compare the demo shop with the UCI Online Retail lines, as a Markdown table.

Run ``python benchmarks/compare_demo.py [folder]``; the folder holds the daily CSV files of the real shop.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from pricetrail.base.params import parse_params
from pricetrail.data.demo_shop import simulate

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data" / "online_retail"
TEXT = {"InvoiceNo": "str", "StockCode": "str", "CustomerID": "str"}
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999, 1.0)


def read_real(folder: Path) -> pd.DataFrame:
    """All lines of the real shop, in the UCI columns."""
    files = sorted(folder.glob("*.csv.gz"))
    if not files:
        raise SystemExit(f"{folder}: must hold the daily files of the UCI data (*.csv.gz), got none")
    lines = pd.concat([pd.read_csv(file, dtype=TEXT) for file in files], ignore_index=True)
    return lines.assign(InvoiceDate=pd.to_datetime(lines["InvoiceDate"]))


def clean(lines: pd.DataFrame) -> pd.DataFrame:
    """Sales of real SKUs at a positive price, without exact duplicates; ``y`` is ``log1p(quantity)``."""
    sold = (lines["Quantity"] > 0) & (lines["UnitPrice"] > 0) & is_real(lines)
    kept = lines[sold].drop_duplicates()
    return kept.assign(y=np.log1p(kept["Quantity"]))


def is_real(lines: pd.DataFrame) -> pd.Series[bool]:
    """Whether each line's SKU starts with five digits."""
    return lines["StockCode"].str.match(r"\d{5}")


def best_sellers(lines: pd.DataFrame, count: int) -> pd.DataFrame:
    """The lines of the SKUs with the most lines, and every line that is no product."""
    real = is_real(lines)
    top = lines.loc[real, "StockCode"].value_counts().index[:count]
    return lines[~real | lines["StockCode"].isin(top)]


def quantiles(values: pd.Series[float] | pd.Series[int]) -> str:
    """The quantiles of ``QUANTILES`` in one cell."""
    return " · ".join(f"{value:,.4g}" if value < 1000 else f"{value:,.0f}" for value in values.quantile(QUANTILES))


def share(mask: pd.Series[bool]) -> str:
    """A mean of booleans in per cent."""
    return f"{100 * mask.mean():.2f} %"


def by_kind(sales: pd.DataFrame, column: str, figure: str) -> pd.Series[float]:
    """A figure of a column, of guests and of registered customers."""
    return sales.groupby(np.where(sales["CustomerID"].isna(), "guest", "registered"))[column].agg(figure)


def weekly(lines: pd.DataFrame) -> pd.Series[int]:
    """Lines a Monday-to-Sunday week, the weeks without lines left out."""
    return lines.groupby(lines["InvoiceDate"].dt.to_period("W-SUN")).size()


def explained(y: pd.Series[float], guess: pd.Series[float]) -> str:
    """Share of the variance of ``y`` that ``guess`` explains, on the lines that have a guess."""
    has = guess.notna()
    return f"{1 - ((y[has] - guess[has]) ** 2).mean() / y[has].var():.2f}"


def past_mean(sales: pd.DataFrame, keys: list[str]) -> pd.Series[float]:
    """Mean ``y`` of the group's lines on earlier days, NaN where there is none."""
    known = sales.dropna(subset=keys)
    days = known.groupby([*keys, known["InvoiceDate"].dt.normalize()])["y"].agg(["sum", "size"])
    before = days.groupby(level=keys).cumsum() - days
    index = pd.MultiIndex.from_frame(known[keys].assign(day=known["InvoiceDate"].dt.normalize()))
    mean = (before["sum"] / before["size"]).reindex(index).to_numpy()
    return pd.Series(mean, index=known.index).reindex(sales.index)


ROWS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], str]] = {
    "lines": lambda lines, sales: f"{len(lines):,}",
    "lines a week, median": lambda lines, sales: f"{weekly(lines).median():,.0f}",
    "lines a week, lowest to highest over the median": lambda lines, sales: (
        f"{weekly(lines).iloc[1:-1].min() / weekly(lines).median():.2f} to "
        f"{weekly(lines).max() / weekly(lines).median():.2f}"
    ),
    "lines in the last 4 weeks, share": lambda lines, sales: share(
        lines["InvoiceDate"] > lines["InvoiceDate"].max() - pd.Timedelta(days=28)
    ),
    "guest lines": lambda lines, sales: share(lines["CustomerID"].isna()),
    "cancellations": lambda lines, sales: share(lines["InvoiceNo"].str.startswith("C")),
    "stock adjustments": lambda lines, sales: share((lines["Quantity"] < 0) & ~lines["InvoiceNo"].str.startswith("C")),
    "exact duplicates": lambda lines, sales: share(lines.duplicated()),
    "fee lines": lambda lines, sales: share(~is_real(lines)),
    "missing descriptions": lambda lines, sales: share(lines["Description"].isna()),
    "price of zero": lambda lines, sales: share(lines["UnitPrice"] == 0),
    "United Kingdom": lambda lines, sales: share(lines["Country"] == "United Kingdom"),
    "units, positive lines": lambda lines, sales: quantiles(lines.loc[lines["Quantity"] > 0, "Quantity"]),
    "units, registered": lambda lines, sales: quantiles(sales.loc[sales["CustomerID"].notna(), "Quantity"]),
    "units, guests": lambda lines, sales: quantiles(sales.loc[sales["CustomerID"].isna(), "Quantity"]),
    "unit price, GBP": lambda lines, sales: quantiles(sales["UnitPrice"]),
    "unit price, guests over registered, medians": lambda lines, sales: (
        f"{by_kind(sales, 'UnitPrice', 'median')['guest'] / by_kind(sales, 'UnitPrice', 'median')['registered']:.2f}"
    ),
    "distinct prices a SKU, median": lambda lines, sales: (
        f"{sales.groupby('StockCode')['UnitPrice'].nunique().median():.0f}"
    ),
    "lines a SKU": lambda lines, sales: quantiles(sales.groupby("StockCode").size()),
    "lines an invoice, registered": lambda lines, sales: quantiles(
        sales[sales["CustomerID"].notna()].groupby("InvoiceNo").size()
    ),
    "lines an invoice, guests": lambda lines, sales: quantiles(
        sales[sales["CustomerID"].isna()].groupby("InvoiceNo").size()
    ),
    "lines a customer": lambda lines, sales: quantiles(sales.groupby("CustomerID").size()),
    "same SKU again in one invoice": lambda lines, sales: share(sales.duplicated(["InvoiceNo", "StockCode"])),
    "lines of 1 unit, of 12 units": lambda lines, sales: (
        f"{share(sales['Quantity'] == 1)}, {share(sales['Quantity'] == 12)}"
    ),
    "variance of log1p(units)": lambda lines, sales: f"{sales['y'].var():.2f}",
    "the same, registered": lambda lines, sales: f"{by_kind(sales, 'y', 'var')['registered']:.2f}",
    "the same, guests": lambda lines, sales: f"{by_kind(sales, 'y', 'var')['guest']:.2f}",
    "explained by the SKU's median": lambda lines, sales: explained(
        sales["y"], sales.groupby("StockCode")["y"].transform("median")
    ),
    "explained by the customer's past mean": lambda lines, sales: explained(
        sales["y"], past_mean(sales, ["CustomerID"])
    ),
    "explained by the customer's past mean of the SKU": lambda lines, sales: explained(
        sales["y"], past_mean(sales, ["CustomerID", "StockCode"])
    ),
    "lines with such a past": lambda lines, sales: share(past_mean(sales, ["CustomerID", "StockCode"]).notna()),
}


def main() -> None:
    """Print the table: the real shop, its 400 best sellers, and the demo shop."""
    real = read_real(Path(sys.argv[1]) if len(sys.argv) > 1 else REAL)
    params = parse_params((ROOT / "params.yaml").read_text(encoding="utf-8"))
    demo = simulate(params.demo, params.seed).lines
    shops = [(lines, clean(lines)) for lines in (real, best_sellers(real, params.demo.skus), demo)]
    print(f"| | real | real, its {params.demo.skus} best sellers | demo |\n| --- | --- | --- | --- |")
    for name, figure in ROWS.items():
        print(f"| {name} | {' | '.join(figure(*shop) for shop in shops)} |")


if __name__ == "__main__":
    main()
