"""The line table: its columns, dtypes, units and rules, and how raw text becomes it.

A raw row ends in exactly one of three places: the clean lines, the quarantine (it could not be parsed), or the count
of one drop reason (it was parsed, but is no sale of a product). Nothing is lost in silence (law 4).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from pricetrail.base.errors import ContractError, DataError
from pricetrail.base.params_data import FileFormat
from pricetrail.data.dates import far_from_the_rest, parse_datetimes
from pricetrail.data.numbers import parse_numbers
from pricetrail.data.shop_rules import ShopRules
from pricetrail.data.text import SOURCE_FILE, SOURCE_ROW, Mask, plain_code, read_cells, require_one_width

REASON: Final = "reason"
STATUS: Final = "status"

UNSPECIFIED: Final = "Unspecified"  # the UCI data's own word for an unknown country
MAX_QUANTITY: Final = 10**9
MIN_DAYS: Final = 3
YEARS: Final = (1970, 2099)  # of our calendar: in Bangkok 2011 is 2554
MAX_DECIMALS: Final = 2  # rows; more are a shop that sells by weight or length
ONE_WIDTH: Final = {
    "sku": "set shop.sku_width to the digits of a SKU, or format the column as text and export it again",
    "customer_id": "format the column as text and export it again",
}

LINES_SCHEMA: Final = pa.DataFrameSchema(
    {
        "invoice": pa.Column(str, pa.Check.str_length(min_value=1)),
        "sku": pa.Column(str, pa.Check.str_length(min_value=1)),
        "description": pa.Column(str, nullable=True),
        # int64 where units are whole, else float64
        "quantity": pa.Column(None, pa.Check.in_range(0, MAX_QUANTITY, include_min=False)),
        "invoiced_at": pa.Column("datetime64[us]"),
        "unit_price": pa.Column("float64", [pa.Check.gt(0), pa.Check.lt(np.inf)]),
        "customer_id": pa.Column(str, nullable=True),
        "country": pa.Column(str, pa.Check.str_length(min_value=1)),
    },
    strict=True,
    ordered=True,
)
LINE_COLUMNS: Final = tuple(str(name) for name in LINES_SCHEMA.columns)


@dataclass(frozen=True)
class Parsed:
    """Raw rows told apart by whether they could be read.

    Attributes:
        lines: rows with the dtypes of the contract, in source order, still with cancellations and fees.
        source_file: of each line, shape (n,), categorical.
        source_row: of each line, shape (n,).
        status: of each line's order; None where the shop has none.
        quarantine: the other rows as text, with ``source_file``, ``source_row`` and ``reason``.
        rows: of each raw row ``source_file``, ``source_row``, ``reason`` (empty for a line) and ``day``, NaT where no
            date can be read.
    """

    lines: pd.DataFrame
    source_file: pd.Series
    source_row: pd.Series
    status: pd.Series | None
    quarantine: pd.DataFrame
    rows: pd.DataFrame


def parse(raw: pd.DataFrame, formats: Mapping[str, FileFormat], rules: ShopRules) -> Parsed:
    """Give raw rows the dtypes of the contract; rows that cannot be read go to quarantine.

    Args:
        raw: our column names, values as text or already typed, plus ``source_file`` (categorical) and ``source_row``.
        formats: how each source file is written.
        rules: of the shop.

    Raises:
        ContractError: a value that can be read in two ways, or only in another way than the parameters say.
    """
    alike = dict[FileFormat, list[str]]()
    for name in raw[SOURCE_FILE].unique():
        alike.setdefault(formats[name], []).append(name)
    parts = [_parse_alike(raw[raw[SOURCE_FILE].isin(names)], written, rules) for written, names in alike.items()]
    lines = pd.concat(parts).sort_index()
    reason = lines.pop(REASON)
    far = far_from_the_rest(lines["invoiced_at"])
    reason = reason.mask((reason == "") & (far != ""), "invoiced_at must not be far from the other days: " + far)
    odd = ~lines["invoiced_at"].dt.year.between(*YEARS)
    reason = reason.mask((reason == "") & odd, f"invoiced_at must be of the years {YEARS[0]} to {YEARS[1]}")
    good = reason == ""
    for name, fix in ONE_WIDTH.items():
        require_one_width(lines.loc[good, name], raw, fix)
    bad = raw.loc[~good, [SOURCE_FILE, SOURCE_ROW, *LINE_COLUMNS]]
    quarantine = bad.astype(dict.fromkeys((SOURCE_FILE, *LINE_COLUMNS), str)).assign(reason=reason[~good])
    return Parsed(
        lines=lines[good].astype({"quantity": "int64" if rules.whole_units else "float64"}).reset_index(drop=True),
        source_file=raw.loc[good, SOURCE_FILE].reset_index(drop=True),
        source_row=raw.loc[good, SOURCE_ROW].reset_index(drop=True),
        status=raw.loc[good, STATUS].astype("str").str.strip().reset_index(drop=True) if STATUS in raw else None,
        quarantine=quarantine.sort_values([SOURCE_FILE, SOURCE_ROW], ignore_index=True),
        rows=raw[[SOURCE_FILE, SOURCE_ROW]].assign(reason=reason, day=lines["invoiced_at"].dt.normalize()),
    )


def _parse_alike(raw: pd.DataFrame, written: FileFormat, rules: ShopRules) -> pd.DataFrame:
    """Rows of files that are written alike: each as a line, with the first reason why it is none, or an empty text."""
    cells = read_cells(raw, LINE_COLUMNS, written.missing)
    invoiced_at = parse_datetimes(cells["invoiced_at"], written)
    quantity = pd.Series(parse_numbers(cells["quantity"], written, rules), index=raw.index)
    unit_price = pd.Series(parse_numbers(cells["unit_price"], written, rules), index=raw.index)
    invoice, sku = plain_code(cells["invoice"]), plain_code(cells["sku"]).str.upper()
    if rules.sku_width:
        sku = sku.mask(sku.str.fullmatch("[0-9]+").fillna(False), sku.str.zfill(rules.sku_width))
    if written.columns.line_total:  # of a line of no units the total stands: it is dropped as a return
        unit_price = (unit_price / quantity.where(quantity != 0, 1)).round(6)
    decimals = np.isfinite(quantity.to_numpy()) & (quantity % 1 != 0).to_numpy() & rules.whole_units
    if decimals.sum() > MAX_DECIMALS:
        cells["quantity"].refuse(decimals, "must be a whole number: set shop.whole_units: false")
    kind = "whole number" if rules.whole_units else "number"
    broken: dict[str, Mask] = {
        "invoice must not be empty": invoice.isna().to_numpy(),
        "sku must not be empty": sku.isna().to_numpy() & rules.sku_required,
        f"quantity must be a {kind}": decimals | ~(quantity.abs() <= MAX_QUANTITY).to_numpy(),
        "invoiced_at must be a date and time": invoiced_at.isna().to_numpy(),
        "unit_price must be a number": ~np.isfinite(unit_price.to_numpy()),
    }
    return pd.DataFrame(
        {
            "invoice": invoice,
            "sku": sku,
            "description": cells["description"].strings(),
            "quantity": quantity,
            "invoiced_at": invoiced_at,
            "unit_price": unit_price,
            "customer_id": plain_code(cells["customer_id"]),
            "country": cells["country"].strings().fillna(UNSPECIFIED),
            REASON: pd.Series(np.select([*broken.values()], [*broken], default=""), index=raw.index, dtype="str"),
        }
    )


def require_parseable(parsed: Parsed, max_bad_share: float) -> None:
    """Stop where too many rows went to quarantine.

    Raises:
        ContractError: naming the first such row, its rule and its value.
    """
    bad, total = len(parsed.quarantine), len(parsed.quarantine) + len(parsed.lines)
    if bad and bad / total > max_bad_share:
        first = parsed.quarantine.iloc[0]
        rule = f"{first[REASON]} ({bad} of {total} rows are unparseable, data.max_bad_share is {max_bad_share})"
        column = first[REASON].split(" ", 1)[0]
        raise ContractError(f"{first[SOURCE_FILE]}: row {first[SOURCE_ROW]}", rule, first[column])


def require_conservation(read: int, kept: int, quarantined: int, dropped: Mapping[str, int]) -> None:
    """Rows in = rows out + rows dropped, by reason (law 4).

    Raises:
        ContractError: where a row is unaccounted for.
    """
    accounted = kept + quarantined + sum(dropped.values())
    if read != accounted:
        raise ContractError("etl", f"must account for each of {read} rows read", accounted)


def validate(lines: pd.DataFrame, place: str) -> pd.DataFrame:
    """Hold clean lines against the contract.

    Raises:
        ContractError: where a rule is broken or no line is left.
    """
    if lines.empty:
        raise ContractError(place, "must hold at least one sale of a product", 0)
    try:
        return LINES_SCHEMA.validate(lines, lazy=True)
    except SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        rule = f"{first['column']} must satisfy {first['check']}"
        raise ContractError(f"{place}: row {first['index']}", rule, first["failure_case"]) from None


def require_learnable(lines: pd.DataFrame, place: str) -> None:
    """Stop where the lines cannot be split by day or have nothing to predict.

    Raises:
        DataError: fewer than three days, or a constant target.
    """
    days = lines["invoiced_at"].dt.normalize().nunique()
    if days < MIN_DAYS:
        raise DataError(place, f"must hold at least {MIN_DAYS} days of sales (train, validation, test)", days)
    if lines["quantity"].nunique() == 1:
        raise DataError(place, "quantity must not be constant", int(lines["quantity"].iloc[0]))


def iso_week(invoiced_at: pd.Series) -> pd.Series:
    """ISO-8601 week of each time, such as ``2011-W05``: the name of its partition."""
    codes, days = pd.factorize(invoiced_at.dt.normalize())
    # Four digits keep the order of names the order of time, also for a mistyped year such as 0201.
    weeks = [f"{day.isocalendar().year:04d}-W{day.isocalendar().week:02d}" for day in pd.DatetimeIndex(days)]
    return pd.Series(np.array(weeks)[codes], index=invoiced_at.index, dtype="str")
