"""Which date formats read all values of a column, and what proves the order of day and month."""

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

_DAYS: Final = {
    "ymd": ("%Y-%m-%d %Y/%m/%d %Y.%m.%d %Y%m%d %y-%m-%d %y/%m/%d %y.%m.%d %y%m%d"),
    "ydm": ("%Y-%d-%m %Y/%d/%m %Y.%d.%m %Y%d%m"),
    "dmy": ("%d.%m.%Y %d/%m/%Y %d-%m-%Y %d.%m.%y %d/%m/%y %d-%m-%y %d%m%Y %d_%b_%Y %d-%b-%Y %d-%b-%y %d/%b/%Y %d_%b_%y")
    + (" %d_%B_%Y %d-%B-%Y %A,_%d_%B_%Y %a,_%d_%b_%Y"),
    "mdy": ("%m/%d/%Y %m-%d-%Y %m.%d.%Y %m/%d/%y %m-%d-%y %m.%d.%y %m%d%Y %b_%d,_%Y %b_%d_%Y %B_%d,_%Y %B_%d_%Y")
    + (" %A,_%B_%d,_%Y"),
    "ybd": "%Y-%b-%d %y-%b-%d",
}
_CLOCKS: Final = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M_%p", "%I:%M:%S_%p", "%I:%M%p", "%H.%M", "%H%M", "%H%M%S")
_ZONE: Final = r":\d\d(?:[.,]\d+)? ?(?:Z|[+-]\d\d:?\d\d)$"
_RUN: Final = r"(?:%[dmYyHMS]){2,}"  # strptime would take one digit for any of them
_ISO: Final = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|[+-]\d\d:?\d\d))?)?"
_SERIAL: Final = r"(?:[2-7]\d{4}|1[5-9]\d{3})(?:[.,]\d+)?"  # of days: 1941 to 2119
_OLDEST, _LIKELY = pd.Timestamp("1900-01-01"), pd.Timestamp("1950-01-01")
_MOST = 0.95  # of the days of a likely reading lie in the past


def _skeleton(text: str) -> str:
    """What is left of a date or a format where a number is 9 and a word is a."""
    text = re.sub(r"%[BbAap]", "a", re.sub(r"(?:%[dmYyHMSfI])+", "9", text))
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))


_FORMATS: Final = {"ISO8601": "iso", "excel": "excel", "%Y%m%d%H%M": "ymd", "%Y%m%d%H%M%S": "ymd"} | {
    f"{day}{clock}".replace("_", " "): order
    for order, days in _DAYS.items()
    for day in days.split()
    for clock in ("", *(f"{joint}{clock}" for joint in ("_", ",_", "T", "__", "_-_") for clock in _CLOCKS))
}


@dataclass(frozen=True)
class DateReading:
    """What a column says under one format.

    Attributes:
        format: for ``data.datetime_format``.
        order: dmy, mdy, ymd, ydm, ybd; iso; excel.
        days: how many, the first and the last.
        proof: a value that the other order of day and month does not read; empty where there is none.
    """

    format: str
    order: str
    days: str
    proof: str


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
    shapes = set(_local(texts).map(_skeleton))
    names = [name for name in _FORMATS if name in {"ISO8601", "excel"} or _skeleton(name) in shapes]
    if texts.str.contains(_ZONE).any():
        zone = " %z" if texts.str.contains(r"\d (?:[+-]\d\d:?\d\d|Z)$").any() else "%z"
        names += [name + zone for name in names[2:]]
    read = {name: times for name in names if (times := _read(texts, name)).notna().any()}
    known = np.logical_or.reduce([times.notna() for times in read.values()]) if read else np.zeros(len(texts), bool)
    full = {name: times[known] for name, times in read.items() if times[known].notna().all()}
    if "ISO8601" in full:
        full = {"ISO8601": full["ISO8601"]}  # the one order that a standard fixes
    unlike = tuple(str(texts[where].iloc[0]) for where in _kinds(read, known)) if not full else ()
    different = {
        name: times
        for n, (name, times) in enumerate(full.items())
        if not any(map(times.equals, list(full.values())[:n]))
    }
    likely = {name: times for name, times in different.items() if _is_likely(times, today)} or different
    readings = tuple(
        DateReading(
            name,
            order_of(name),
            f"{times.dt.date.nunique()} days of {times.min():%Y-%m-%d} to {times.max():%Y-%m-%d}",
            _proof(texts, read, name),
        )
        for name, times in likely.items()
    )
    return DateEvidence(readings, unlike, tuple(texts[~known]), _offsets(texts))


def _read(texts: pd.Series, name: str) -> pd.Series:
    """Times without a zone; NaT where the format does not read."""
    if name == "excel":
        serial = pd.to_numeric(texts.where(texts.str.fullmatch(_SERIAL)).str.replace(",", "."), errors="coerce")
        return pd.Series(pd.to_datetime(serial, unit="D", origin="1899-12-30")).astype("datetime64[us]")
    for run in re.findall(_RUN, name):
        digits = 2 * run.count("%") + 2 * run.count("%Y")
        texts = texts.where(texts.str.contains(rf"(?:^|\D)\d{{{digits}}}(?:\D|$)"))
    if name == "ISO8601":
        texts = texts.where(texts.str.fullmatch(_ISO))
    if name == "ISO8601" or name.endswith("%z"):
        texts = _local(texts.where(texts.str.contains(_ZONE) | (name == "ISO8601")))
    times = pd.to_datetime(texts, format=name.removesuffix("%z").rstrip(), errors="coerce").astype("datetime64[us]")
    return times.where(times >= _OLDEST)


def _local(texts: pd.Series) -> pd.Series:
    """Times without the offset at their end."""
    return texts.str.replace(_ZONE.replace(":", "(:", 1).replace(" ?", ") ?", 1), r"\1", regex=True)


def _is_likely(times: pd.Series, today: dt.date) -> bool:
    return bool(times.between(_LIKELY, pd.Timestamp(today) + pd.Timedelta(days=1)).mean() >= _MOST)


def _proof(texts: pd.Series, read: dict[str, pd.Series], name: str) -> str:
    """A value that the same format with day and month the other way round does not read."""
    swapped = name.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")
    other = read[swapped].notna() if swapped in read and swapped != name else False
    mine = texts[read[name].notna() & ~pd.Series(other, index=texts.index)]
    return str(mine.iloc[0]) if len(mine) else ""


def _kinds(read: dict[str, pd.Series], known: np.ndarray) -> list[pd.Series]:
    """Rows that most formats read, and rows that they do not."""
    if not read:
        return [pd.Series(~known)][: len(known)]
    most = max(read.values(), key=lambda times: int(times.notna().sum()))
    return [most.notna(), most.isna() & known]


def _offsets(texts: pd.Series) -> tuple[float, ...]:
    told = texts.str.extract(r":\d\d(?:[.,]\d+)?( ?(?:Z|[+-]\d\d:?\d\d))$")[0].dropna().unique()
    plain = {text.strip().replace("Z", "+0000").replace(":", "") for text in told}
    return tuple(sorted(int(text[:3]) + int(text[0] + text[3:]) / 60 for text in plain))


def order_of(datetime_format: str) -> str:
    """dmy, mdy, ymd, ydm, ybd, iso or excel."""
    return _FORMATS[datetime_format if datetime_format in _FORMATS else datetime_format.removesuffix("%z").rstrip()]


def look_like_dates(values: Iterable[object], today: dt.date) -> bool:
    """Whether most of some values are dates."""
    some = list(dict.fromkeys(map(str, values)))[:200]
    evidence = date_evidence(some, today)
    return bool(some) and len(evidence.unread) * 2 < len(some)
