"""Which date formats read all values of a column, and what proves the order of day and month."""

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

_DAYS: Final = {
    "ymd": ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%y-%m-%d", "%y/%m/%d", "%y.%m.%d", "%y%m%d"),
    "ydm": ("%Y-%d-%m", "%Y/%d/%m", "%Y.%d.%m", "%Y%d%m"),
    "dmy": (
        *("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%y", "%d/%m/%y", "%d-%m-%y", "%d%m%Y", "%d%m%y", "%d %m %Y"),
        *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d/%b/%Y", "%d %b %y", "%d %B %Y", "%d-%B-%Y", "%A, %d %B %Y"),
        *("%a, %d %b %Y", "%d. %b %Y", "%d. %B %Y"),
    ),
    "mdy": (
        *("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%m/%d/%y", "%m-%d-%y", "%m.%d.%y", "%m%d%Y", "%m%d%y", "%m %d %Y"),
        *("%b %d, %Y", "%b %d %Y", "%B %d, %Y", "%B %d %Y", "%b-%d-%Y", "%b. %d, %Y", "%A, %B %d, %Y"),
    ),
}
_CLOCKS: Final = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M%p", "%H.%M", "%H%M", "%H%M%S")
_ZONE: Final = r" ?(?:Z|[+-]\d\d:?\d\d)$"


def _skeleton(text: str) -> str:
    """What is left of a date or a format where a number is 9 and a word is a."""
    text = re.sub(r"%[BbAap]", "a", re.sub(r"(?:%[dmYyHMSfI])+", "9", text))
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))


_FORMATS: Final = {
    f"{day}{clock}": order
    for order, days in _DAYS.items()
    for day in days
    for clock in ("", *(f"{joint}{clock}" for joint in (" ", ", ", "T", "  ", " - ", " at ") for clock in _CLOCKS))
}
_BY_SKELETON: Final = {
    shape: tuple(name for name in _FORMATS if _skeleton(name) == shape) for shape in set(map(_skeleton, _FORMATS))
}
_ISO: Final = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|[+-]\d\d:?\d\d))?)?"
_SERIAL: Final = r"(?:[2-7]\d{4}|1[5-9]\d{3})(?:[.,]\d+)?"  # of days: 1941 to 2119
_LIKELY: Final = dt.date(1950, 1, 1)
_MOST = 0.95  # of the days of a likely reading lie in the past


@dataclass(frozen=True)
class DateReading:
    """What a column says under one format.

    Attributes:
        format: for ``data.datetime_format``.
        order: dmy, mdy, ymd, ydm; iso; excel.
        first, last: day.
        days: distinct ones.
        proof: a value that the other order of day and month does not read; empty where there is none.
    """

    format: str
    order: str
    first: dt.date
    last: dt.date
    days: int
    proof: str = ""

    def __str__(self) -> str:
        """For a person who has to choose."""
        return f"{self.format}: {self.days} days of {self.first} to {self.last}"


@dataclass(frozen=True)
class DateEvidence:
    """The readings of a column that differ; none where its values are of several kinds.

    Attributes:
        readings: each reads every value that any format reads.
        unlike: two values of different kinds, where no format reads all.
        unread: values that no format reads.
        offsets: from UTC, hours.
    """

    readings: tuple[DateReading, ...]
    unlike: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    offsets: tuple[float, ...] = ()


def date_evidence(values: Iterable[object], today: dt.date) -> DateEvidence:
    """Try every known format on every value.

    Args:
        values: cells: text, numbers or dates; none is missing.
        today: most of the days lie before it, or a reading is left out.
    """
    texts = pd.Series(list(dict.fromkeys(_text(value) for value in values)), dtype="str")
    if texts.empty:
        return DateEvidence(())
    read = {name: times for name in _worth_trying(texts) if (times := _read(texts, name)).notna().any()}
    known = np.logical_or.reduce([times.notna() for times in read.values()]) if read else np.zeros(len(texts), bool)
    unread = tuple(texts[~known])
    full = {name: times[known] for name, times in read.items() if times[known].notna().all()}
    if "ISO8601" in full:
        full = {"ISO8601": full["ISO8601"]}  # it is the one order that a standard fixes
    if not full:
        return DateEvidence((), _unlike(texts, read), unread)
    proofs = {name: _proof(texts, read, name) for name in full}
    readings, seen = list[DateReading](), list[pd.Series]()
    for name, times in full.items():
        if not any(times.equals(other) for other in seen):  # %b and %B both read May
            seen.append(times)
            days = times.dt.date
            readings.append(DateReading(name, order_of(name), days.min(), days.max(), days.nunique(), proofs[name]))
    likely = [reading for reading, times in zip(readings, seen, strict=True) if _is_likely(times, today)]
    return DateEvidence(tuple(likely or readings), (), unread, _offsets(texts))


def _is_likely(times: pd.Series, today: dt.date) -> bool:
    past = (times >= pd.Timestamp(_LIKELY)) & (times < pd.Timestamp(today) + pd.Timedelta(days=2))
    return bool(past.mean() >= _MOST)


def _text(value: object) -> str:
    if isinstance(value, dt.datetime):
        return value.isoformat(" ", "seconds")
    return value.isoformat() if isinstance(value, dt.date) else f"{value}".strip()


def _worth_trying(texts: pd.Series) -> list[str]:
    """Formats of the shapes that the values have; with an offset, where one has it."""
    shapes = texts.str.replace(_ZONE, "", regex=True).map(_skeleton).unique()
    names = [name for shape in shapes for name in _BY_SKELETON.get(shape, ())]
    zone = {" ": " %z", "": "%z"}[" " if texts.str.contains(r"\d [+-]\d\d:?\d\d$|\d Z$").any() else ""]
    if texts.str.contains(r":\d\d" + _ZONE).any():
        names += [name + zone for name in names]
    return ["ISO8601", "excel", *names]


def _read(texts: pd.Series, name: str) -> pd.Series:
    """Times without a zone; NaT where the format does not read."""
    if name == "excel":
        serial = pd.to_numeric(texts.where(texts.str.fullmatch(_SERIAL)).str.replace(",", "."), errors="coerce")
        return pd.Series(pd.to_datetime(serial, unit="D", origin="1899-12-30").dt.round("s"))
    if name == "ISO8601":
        texts = texts.where(texts.str.fullmatch(_ISO)).str.replace(_ZONE, "", regex=True)
        return pd.to_datetime(texts, format="ISO8601", errors="coerce").astype("datetime64[us]")
    if name.endswith("%z"):  # the wall clock; offsets are told apart below
        name, texts = name.removesuffix("%z").rstrip(), texts.str.replace(_ZONE, "", regex=True)
    return pd.to_datetime(texts, format=name, errors="coerce").astype("datetime64[us]")


def _proof(texts: pd.Series, read: dict[str, pd.Series], name: str) -> str:
    """A value that the same format with day and month the other way round does not read."""
    swapped = name.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")
    if swapped == name or "%b" in name or "%B" in name:
        return str(texts[read[name].notna()].iloc[0])
    other = read.get(swapped)
    mine = read[name].notna() & (other.isna() if other is not None else True)
    return str(texts[mine].iloc[0]) if mine.any() else ""


def _unlike(texts: pd.Series, read: dict[str, pd.Series]) -> tuple[str, ...]:
    if not read:
        return (str(texts.iloc[0]),)
    most = max(read.values(), key=lambda times: int(times.notna().sum()))
    return (str(texts[most.notna()].iloc[0]), str(texts[most.isna()].iloc[0]))


def _offsets(texts: pd.Series) -> tuple[float, ...]:
    zone = texts.str.extract(r"\d\d:\d\d(?::\d\d(?:[.,]\d+)?)? ?(Z|[+-]\d\d:?\d\d)$")[0]
    told = {text.replace("Z", "+0000").replace(":", "") for text in zone.dropna().unique()}
    return tuple(sorted(int(text[:3]) + int(text[0] + text[3:]) / 60 for text in told))


def order_of(datetime_format: str) -> str:
    """dmy, mdy, ymd, ydm, iso or excel."""
    return _FORMATS.get(
        datetime_format.removesuffix("%z").rstrip(), {"ISO8601": "iso"}.get(datetime_format, datetime_format)
    )


def look_like_dates(values: Sequence[object], today: dt.date) -> bool:
    """Whether most of some values are dates; serial numbers are not taken for them."""
    some = [value for value in values[:200] if isinstance(value, dt.date) or not re.fullmatch(r"[\d.,]+", f"{value}")]
    if len(some) * 2 < min(len(values), 200):
        return False
    evidence = date_evidence(some, today)
    return bool(evidence.readings or len(evidence.unlike) == 2) and len(evidence.unread) * 2 <= len(set(some))
