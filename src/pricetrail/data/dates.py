"""Dates and times as lands and systems write them."""

import datetime as dt
from typing import Final

import pandas as pd

from pricetrail.data.text import plain_text


def parse_datetimes(values: pd.Series, datetime_format: str) -> pd.Series:
    """Local shop time without a zone, in microseconds; NaT where the text is no date of that format."""
    if not pd.api.types.is_datetime64_any_dtype(values):
        values = plain_text(values)
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
