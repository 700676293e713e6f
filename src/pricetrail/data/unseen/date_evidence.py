"""Which date formats read all values of a column, and what proves the order of day and month."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from pricetrail.data.dates import FORMATS

_COMPACT: Final = {"%Y%m%d%H%M": 12, "%Y%m%d%H%M%S": 14}  # digits; a format alone would take fewer
_ZONE: Final = r"(:\d\d(?:[.,]\d+)?) ?(Z|[+-]\d\d:?\d\d)$"
_ISO: Final = r"\d{4}(?:-\d\d-\d\d|\d{4})(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?"
_SERIAL: Final = r"(?:[2-7]\d{4}|1[5-9]\d{3})(?:[.,]\d+)?"  # of days: 1941 to 2119
_OLDEST, _LIKELY = pd.Timestamp("1900-01-01"), pd.Timestamp("1950-01-01")
_MOST = 0.95  # of the days of a likely reading lie in the past


def _swapped(name: str) -> str:
    """A format with day and month the other way round."""
    return name.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")


_FORMATS: Final = (*FORMATS, *(_swapped(name) for name in FORMATS if name.startswith("%Y")), *_COMPACT)


@dataclass(frozen=True)
class DateReading:
    """What a column says under one format.

    Attributes:
        format: for ``data.datetime_format``.
        days: how many, the first and the last.
        proof: a value that the other order of day and month does not read; empty where there is none.
    """

    format: str
    days: str
    proof: str

    @property
    def order(self) -> str:
        """Of day, month and year, such as dmy; empty for ISO 8601 and serial numbers."""
        return "".join(re.findall("%([dmy])", self.format.replace("%Y", "%y").replace("%b", "%m").replace("%B", "%m")))


@dataclass(frozen=True)
class DateEvidence:
    """The readings of a column.

    Attributes:
        readings: those that differ; each reads every value that any format reads.
        unlike: two values of different kinds, where no format reads all.
        unread: values that no format reads.
        offsets: from UTC, hours.
    """

    readings: tuple[DateReading, ...]
    unlike: tuple[str, ...]
    unread: tuple[str, ...]
    offsets: tuple[float, ...]


def date_evidence(values: Iterable[object], today: dt.date) -> DateEvidence:
    """Try every known format on every value.

    Args:
        values: cells: text, numbers or dates; none is missing.
        today: most of the days lie before it, or a reading is left out where another is there.
    """
    texts = pd.Series([str(value) for value in dict.fromkeys(values)], dtype="str").drop_duplicates(ignore_index=True)
    bare = texts.str.replace(_ZONE, r"\1", regex=True)
    shapes = set(bare.map(_shape))
    names = ["ISO8601", "excel", *(name for name in _FORMATS if _shape(name) in shapes)]
    read = {name: times for name in names if (times := _read(bare, name)).notna().any()}
    known = pd.DataFrame(read, index=texts.index).notna().any(axis=1)
    full = {name: times for name, times in read.items() if times[known].notna().all()}
    if "ISO8601" in full:
        full = {"ISO8601": full["ISO8601"]}  # the one order that a standard fixes
    unlike = pd.Series(dtype="str")
    if read and not full:
        most = max(read.values(), key=lambda times: int(times.notna().sum())).notna()
        unlike = pd.concat([texts[most].head(1), texts[known & ~most].head(1)])
    different = {tuple(times[known]): name for name, times in reversed(full.items())}
    likely = [name for name in full if name in different.values()]
    likely = [name for name in likely if _is_likely(full[name][known], today)] or likely
    zones = texts.str.extract(_ZONE)[1].dropna().unique()
    offsets = {dt.datetime.strptime(zone, "%z").utcoffset() or dt.timedelta() for zone in zones}
    return DateEvidence(
        tuple(_reading(texts, read, name, "%z" if len(zones) and name in _FORMATS else "") for name in likely),
        tuple(unlike),
        tuple(texts[~known]),
        tuple(offset / dt.timedelta(hours=1) for offset in sorted(offsets)),
    )


def _shape(text: str) -> str:
    """What is left of a date or a format where a number is 9 and a word is a."""
    text = re.sub(r"%[BbAap]", "a", re.sub(r"(?:%[dmYyHMSfI])+", "9", text))
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))


def _read(texts: pd.Series, name: str) -> pd.Series:
    """Times of texts without a zone; NaT where the format does not read."""
    if name == "excel":
        serial = pd.to_numeric(texts.where(texts.str.fullmatch(_SERIAL)).str.replace(",", "."), errors="coerce")
        return pd.Series(pd.to_datetime(serial, unit="D", origin="1899-12-30")).astype("datetime64[us]")
    if name == "ISO8601":
        texts = texts.where(texts.str.fullmatch(_ISO))
    elif name in _COMPACT:
        texts = texts.where(texts.str.len() == _COMPACT[name])
    times = pd.to_datetime(texts, format=name, errors="coerce").astype("datetime64[us]")
    return times.where(times >= _OLDEST)


def _is_likely(times: pd.Series, today: dt.date) -> bool:
    return bool(times.between(_LIKELY, pd.Timestamp(today) + pd.Timedelta(days=1)).mean() >= _MOST)


def _reading(texts: pd.Series, read: Mapping[str, pd.Series], name: str, zone: str) -> DateReading:
    times, swapped = read[name].dropna(), _swapped(name)
    proven = read[name].notna() & (read[swapped].isna() if swapped in read and swapped != name else True)
    days = f"{times.dt.date.nunique()} days of {times.min():%Y-%m-%d} to {times.max():%Y-%m-%d}"
    return DateReading(name + zone, days, next(iter(texts[proven]), ""))


def look_like_dates(values: Iterable[object], today: dt.date) -> bool:
    """Whether most of some values are dates."""
    some = list(dict.fromkeys(map(str, values)))[:200]
    return bool(some) and 2 * len(date_evidence(some, today).unread) < len(some)
