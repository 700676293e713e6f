"""The line table: its columns, dtypes, units and rules, and how raw text becomes it.

A raw row ends in exactly one of three places: the clean lines, the quarantine (it could not be parsed), or the count
of one drop reason (it was parsed, but is no sale of a product). Nothing is lost in silence (law 4).
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import pandas as pd
import pandera.pandas as pa
from numpy.typing import NDArray
from pandera.errors import SchemaErrors

from pricetrail.base.errors import ContractError, DataError

Mask = NDArray[np.bool_]

SOURCE_FILE: Final = "source_file"
SOURCE_ROW: Final = "source_row"  # the header is row 1, so the first line is row 2
REASON: Final = "reason"

LINE_COLUMNS: Final = (
    "invoice",
    "sku",
    "description",
    "quantity",
    "invoiced_at",
    "unit_price",
    "customer_id",
    "country",
)
UNSPECIFIED: Final = "Unspecified"  # the UCI data's own word for an unknown country
MAX_QUANTITY: Final = 10**9
REAL_SKU: Final = r"^[0-9]{5}"
MIN_DAYS: Final = 3

LINES_SCHEMA: Final = pa.DataFrameSchema(
    {
        "invoice": pa.Column(str, pa.Check.str_length(min_value=1)),
        "sku": pa.Column(str, pa.Check.str_matches(REAL_SKU)),
        "description": pa.Column(str, nullable=True),
        "quantity": pa.Column("int64", pa.Check.in_range(1, MAX_QUANTITY)),
        "invoiced_at": pa.Column("datetime64[us]"),
        "unit_price": pa.Column("float64", [pa.Check.gt(0), pa.Check.lt(np.inf)]),
        "customer_id": pa.Column(str, nullable=True),
        "country": pa.Column(str, pa.Check.str_length(min_value=1)),
    },
    strict=True,
    ordered=True,
)


@dataclass(frozen=True)
class Parsed:
    """Raw rows told apart by whether they could be read.

    Attributes:
        lines: rows with the dtypes of the contract, in source order, still with cancellations and fees.
        quarantine: the other rows as text, with ``source_file``, ``source_row`` and ``reason``.
    """

    lines: pd.DataFrame
    quarantine: pd.DataFrame


@dataclass(frozen=True)
class Cleaned:
    """Sales of products, and the count of what was dropped by reason."""

    lines: pd.DataFrame
    dropped: Mapping[str, int]


def parse(raw: pd.DataFrame, datetime_format: str) -> Parsed:
    """Give raw rows the dtypes of the contract; rows that cannot be read go to quarantine.

    Args:
        raw: our column names, values as text or already typed, plus ``source_file`` and ``source_row``.
        datetime_format: a strptime format, or ``ISO8601``.
    """
    invoiced_at = _datetimes(raw["invoiced_at"], datetime_format)
    quantity, unit_price = _numbers(raw["quantity"]), _numbers(raw["unit_price"])
    invoice, sku = _code(raw["invoice"]), _code(raw["sku"]).str.upper()
    rules: dict[str, Mask] = {
        "invoice must not be empty": invoice.isna().to_numpy(),
        "sku must not be empty": sku.isna().to_numpy(),
        "quantity must be a whole number": ~((quantity % 1 == 0) & (quantity.abs() <= MAX_QUANTITY)).to_numpy(),
        "invoiced_at must be a date and time": invoiced_at.isna().to_numpy(),
        "unit_price must be a number": ~np.isfinite(unit_price.to_numpy()),
    }
    reason = _first_that_holds(rules)
    good = reason == ""
    lines = pd.DataFrame(
        {
            "invoice": invoice[good],
            "sku": sku[good],
            "description": _text(raw["description"])[good],
            "quantity": quantity[good].astype("int64"),
            "invoiced_at": invoiced_at[good],
            "unit_price": unit_price[good],
            "customer_id": _code(raw["customer_id"])[good],
            "country": _text(raw["country"])[good].fillna(UNSPECIFIED),
        }
    )
    as_text = {name: raw.loc[~good, name].astype(str) for name in LINE_COLUMNS}
    source = {SOURCE_FILE: raw.loc[~good, SOURCE_FILE].astype(str), SOURCE_ROW: raw.loc[~good, SOURCE_ROW]}
    quarantine = pd.DataFrame({**source, **as_text, REASON: reason[~good]})
    return Parsed(lines.reset_index(drop=True), quarantine.sort_values([SOURCE_FILE, SOURCE_ROW], ignore_index=True))


def _first_that_holds(rules: Mapping[str, Mask]) -> NDArray[np.str_]:
    """For each row the name of the first rule that holds, or an empty string."""
    first = np.argmax(np.stack([*rules.values(), np.ones_like(next(iter(rules.values())))]), axis=0)
    names: NDArray[np.str_] = np.array([*rules, ""])[first]
    return names


def _text(values: pd.Series) -> pd.Series:
    """Stripped strings; empty ones are missing."""
    text = values.astype(str).str.strip() if not isinstance(values.dtype, pd.StringDtype) else values.str.strip()
    return text.mask((text == "") | values.isna(), np.nan).astype("str")


def _code(values: pd.Series) -> pd.Series:
    """Stripped codes; a whole number that a file holds as a float (17850.0) is the code 17850."""
    return _text(_text(values).str.removesuffix(".0"))


def _numbers(values: pd.Series) -> pd.Series:
    """Numbers as float64, NaN where the text is none."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.astype("float64")
    text = _text(values)
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    long = numbers.notna() & (text.str.len() > 15)  # to_numeric can miss the last bit of a long decimal
    numbers[long] = np.array([float(number) for number in text[long]], dtype=np.float64)
    return numbers


def _datetimes(values: pd.Series, datetime_format: str) -> pd.Series:
    """Local shop time without a zone, in microseconds; NaT where the text is no date of that format."""
    if not pd.api.types.is_datetime64_any_dtype(values):
        values = _text(values)
        values = values.mask(values.str.lower().isin(_CLOCK_WORDS))
    try:
        parsed = pd.to_datetime(values, format=datetime_format, errors="coerce")
    except ValueError:  # offsets differ between rows, as in summer and winter: each row keeps its own wall clock
        clock = {text: _wall_clock(text, datetime_format) for text in values.dropna().unique()}
        parsed = pd.Series([clock.get(text) for text in values], index=values.index, dtype="datetime64[us]")
    if isinstance(parsed.dtype, pd.DatetimeTZDtype):
        parsed = parsed.dt.tz_localize(None)
    parsed = parsed.astype("datetime64[us]")
    if isinstance(values.dtype, pd.StringDtype) and datetime_format != "ISO8601":
        # Excel and Parquet hold real dates, which come as ISO text, beside CSV files that need the format.
        real = parsed.isna() & values.str.match(_REAL_DATE).to_numpy(dtype=bool, na_value=False)
        parsed[real] = pd.to_datetime(values[real], format="ISO8601", errors="coerce").astype("datetime64[us]")
    return parsed


_CLOCK_WORDS: Final = ("now", "today")  # pandas reads the clock for them, and the same input would differ (law 1)
_REAL_DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}( [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?)?$"


def _wall_clock(text: str, datetime_format: str) -> dt.datetime | None:
    """The time that a text shows, its offset left out; None where it is no date of that format."""
    time = pd.to_datetime(text, format=datetime_format, errors="coerce")
    return None if pd.isna(time) else time.tz_localize(None).to_pydatetime()


def require_parseable(parsed: Parsed, max_bad_share: float) -> None:
    """Stop where too many rows went to quarantine.

    Raises:
        ContractError: naming the first such row, its rule and its value.
    """
    bad, total = len(parsed.quarantine), len(parsed.quarantine) + len(parsed.lines)
    if bad == 0 or bad / total <= max_bad_share:
        return
    first = parsed.quarantine.iloc[0]
    column = str(first[REASON]).split(" ", 1)[0]
    raise ContractError(
        f"{first[SOURCE_FILE]}: row {first[SOURCE_ROW]}",
        f"{first[REASON]} ({bad} of {total} rows are unparseable, data.max_bad_share is {max_bad_share})",
        first[column],
    )


def clean(lines: pd.DataFrame) -> Cleaned:
    """Keep the sales of products, in an order that depends on the lines alone, not on how files hold them.

    A row counts under the first reason that holds. Later cancellations do not remove the line they cancel: on the
    line's own day nobody knew of them (law 2).

    Args:
        lines: parsed lines, shape (n, 8).
    """
    reasons: dict[str, Mask] = {
        "duplicate": lines.duplicated(keep="first").to_numpy(),
        "cancellation": lines["invoice"].str.upper().str.startswith("C").to_numpy().astype(bool),
        "not_a_product": ~lines["sku"].str.match(REAL_SKU).to_numpy().astype(bool),
        "quantity_not_positive": (lines["quantity"] <= 0).to_numpy(),
        "price_not_positive": (lines["unit_price"] <= 0).to_numpy(),
    }
    reason = _first_that_holds(reasons)
    kept = lines[reason == ""].sort_values(["invoiced_at", *_REST], kind="stable").reset_index(drop=True)
    return Cleaned(kept, MappingProxyType({name: int((reason == name).sum()) for name in reasons}))


_REST: Final = [name for name in LINE_COLUMNS if name != "invoiced_at"]


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
        DataError: where nothing can be learned: fewer than three days, or one quantity only.
    """
    if lines.empty:
        raise ContractError(place, "must hold at least one sale of a product", 0)
    try:
        checked = LINES_SCHEMA.validate(lines, lazy=True)
    except SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        rule = f"{first['column']} must satisfy {first['check']}"
        raise ContractError(f"{place}: row {first['index']}", rule, first["failure_case"]) from None
    require_learnable(checked, place)
    return checked


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
