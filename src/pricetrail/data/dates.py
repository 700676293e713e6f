"""Dates and times as lands and systems write them."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pricetrail.base.params_data import FileFormat
from pricetrail.data.text import DATE, Cells, Mask

FAR_DAYS: Final = 180  # a gap before days that are far from the rest
FAR_SHARE: Final = 0.05  # of all lines; more of them beyond a gap are a shop that had a break
_ISO: Final = re.compile(
    r"(?!0000)\d{4}(([-/.])\d{1,2}\2\d{1,2}|\d{4})([T ]+\d{1,2}(:?\d\d){0,2}([.,]\d+)?)?", re.ASCII
)
_OFFSET: Final = re.compile(r"(?<=\d) ?(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$", re.ASCII)
_HAS_TIME: Final = re.compile(r"\d[T ]+\d")  # the -05 of 2011-12-05 is no offset
_MIDNIGHT: Final = re.compile(r"(?<=[T ])24(?=:00(:00)?$)")
_SERIAL: Final = re.compile(r"\d{5}([.,]\d+)?", re.ASCII)  # of days of Excel: 1927 to 2173
_NUMBERED: Final = {
    re.compile(r"\d{10}(\.\d+)?|\d{13}", re.ASCII): "seconds or milliseconds since 1970: export dates and times",
    _SERIAL: "a serial number of Excel: set data.datetime_format: excel",
}
_ORDERS: Final = ("%d{0}%m{0}%Y", "%m{0}%d{0}%Y", "%Y{0}%m{0}%d", "%d{0}%m{0}%y", "%m{0}%d{0}%y", "%y{0}%m{0}%d")
_NAMED: Final = ("%d{0}%b{0}%Y", "%d{0}%b{0}%y", "%d{0}%B{0}%Y", "%b{0}%d,{0}%Y", "%B{0}%d,{0}%Y")
_HOURS: Final = ("", "{0}%H:%M", "{0}%H:%M:%S", "{0}%H:%M:%S.%f", "{0}%I:%M %p", "{0}%I:%M:%S %p")
FORMATS: Final = tuple(
    order.format(mark) + hours.format(gap)
    for orders, marks in ((_ORDERS, "/-. "), (_NAMED, "- "))
    for order in orders
    for mark in marks
    for gap in (" ", ", ", "T")
    for hours in (_HOURS if gap == " " else _HOURS[1:3])
)
_CLOCK_WORDS: Final = frozenset({"now", "today"})  # pandas reads the clock for them, against law 1
_YEAR_1: Final = np.datetime64("0001-01-01", "us")
_NEVER: Final = np.datetime64("NaT", "us")


@dataclass(frozen=True)
class _Read:
    """Of the distinct values: text without offset, time, offset in minutes, and whether the format told the time.

    A time that the format did not tell is one by ISO 8601, such as a date cell's.
    """

    bare: list[str]
    times: NDArray[np.datetime64]
    offsets: NDArray[np.float64]
    own: Mask


def parse_datetimes(cells: Cells, written: FileFormat) -> pd.Series:
    """Local shop time without a zone, in microseconds; NaT where the text is a date in no land.

    Raises:
        ContractError: at the first row that another format than ``data.datetime_format`` reads, whose day and month
            may be swapped, or whose offset from UTC cannot be put beside the others.
    """
    read = _read(cells, written.datetime_format)
    own, iso = cells.rows(read.own), cells.rows(~read.own & ~np.isnat(read.times))
    if written.datetime_format not in {"ISO8601", "excel"}:
        cells.refuse(own & cells.in_file(iso), lambda row: _two_ways(cells, row, iso))
    _require_format(cells, read, written.datetime_format)
    if written.prove_date_order:
        _require_order(cells, read, written.datetime_format)
    times = _on_one_clock(cells, read, written.timezone)
    return pd.Series(np.append(times, _NEVER)[cells.index], index=cells.place.index)


def _two_ways(cells: Cells, row: int, iso: Mask) -> str:
    """The rule for a column of two kinds of dates, with a row of the other kind."""
    other = int((iso & (cells.file == cells.file[row])).argmax())
    told = "must be written in one way, and a spreadsheet may have turned some into dates: export them as text;"
    return f"{told} {cells.where(other)} has {cells.text(other)!r}"


def _times(texts: Sequence[str], datetime_format: str) -> NDArray[np.datetime64]:
    """Times of texts by one format, NaT where it reads none."""
    texts = ["" if text.lower() in _CLOCK_WORDS else text for text in texts]
    parsed = pd.to_datetime(pd.Series(texts, dtype="str"), format=datetime_format, errors="coerce", utc=True)
    times = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    return np.where(times < _YEAR_1, _NEVER, times)


def _read(cells: Cells, datetime_format: str) -> _Read:
    zoned = [_OFFSET.search(text) if _HAS_TIME.search(text) else None for text in cells.texts]
    bare = [text[: zone.start()] if zone else text for text, zone in zip(cells.texts, zoned, strict=True)]
    late = np.array([bool(_MIDNIGHT.search(text)) for text in bare], dtype=bool)
    bare = [_MIDNIGHT.sub("00", text) for text in bare]
    iso = _times([text if _ISO.fullmatch(text) else "" for text in bare], "ISO8601")
    if datetime_format == "ISO8601":
        times = iso
    elif datetime_format == "excel":
        times = _serial_times(cells.texts)
    else:
        all_zones = "%z" in datetime_format
        texts = [text if all_zones or zone is None else "" for text, zone in zip(bare, zoned, strict=True)]
        times = _times(texts, datetime_format.replace("%z", "").strip())
    own = ~np.isnat(times) & (cells.kinds != DATE)
    times = np.where(own, times, iso)
    times[late] += np.timedelta64(1, "D")
    offsets = np.array([_minutes(zone[1]) if zone else np.nan for zone in zoned], dtype=np.float64)
    return _Read(bare, times, offsets, own)


def _minutes(zone: str) -> float:
    """Of an offset: Z, UTC, GMT, +01, +0100 or +01:00."""
    offset = dt.datetime.strptime(zone.ljust(5, "0") if zone[0] in "+-" else "Z", "%z").utcoffset()
    return (offset or dt.timedelta()) / dt.timedelta(minutes=1)


def _serial_times(texts: Sequence[str]) -> NDArray[np.datetime64]:
    """Serial numbers of days of Excel (1900 system), to the second."""
    days = pd.Series([float(text.replace(",", ".")) if _SERIAL.fullmatch(text) else np.nan for text in texts])
    times = pd.to_datetime((days * 86400).round(), unit="s", origin="1899-12-30")
    return times.to_numpy().astype("datetime64[us]")


def _require_format(cells: Cells, read: _Read, datetime_format: str) -> None:
    """Stop at a text that is a date, but not in this format: it is no dirt."""
    rule = f"must be written as data.datetime_format {datetime_format!r} says"
    unread = np.isnat(read.times)
    for form, fix in _NUMBERED.items():
        numbers = np.array([bool(form.fullmatch(text)) for text in cells.texts], dtype=bool)
        cells.refuse(cells.rows(numbers & unread), f"{rule}, and may be {fix}")
    texts = [text for text, missed in zip(read.bare, unread, strict=True) if missed]
    likely = [form for form in FORMATS if any({*re.sub("%.", "", form)} <= {*text} for text in texts)]
    known = {form: read_by for form in likely if (read_by := ~np.isnat(_times(texts, form))).any()}
    if not known:
        return
    dates = unread.copy()
    dates[unread] = np.any([*known.values()], axis=0)

    def told(row: int) -> str:
        stand = cells.of_file(row) & (dates | ~unread)
        in_file = [text for text, stands in zip(read.bare, stand, strict=True) if stands]
        zone = "" if np.isnan(read.offsets[cells.index[row]]) else "%z"
        fitting = [repr(form + zone) for form in known if not np.isnat(_times(in_file, form)).any()]
        return f"{rule}; set it to what reads all dates of the file: {' or '.join(fitting) or 'no one format does'}"

    cells.refuse(cells.rows(dates), told)


def _require_order(cells: Cells, read: _Read, datetime_format: str) -> None:
    """Stop where numbers of a date could change places: a file, or its like, must hold a day above 12."""
    order = "".join(re.findall(r"%([dmYybB])", datetime_format)).replace("B", "b")
    for rival in ("dmY", "mdY", "Ymd", "Ydm", "dmy", "mdy", "ymd", "dby", "ybd"):
        if sorted(rival) == sorted(order) and rival != order != "Ymd" and read.own.any():
            _require_rival(cells, read, datetime_format, rival, must_prove=rival.find("y") == order.find("y"))


def _require_rival(cells: Cells, read: _Read, datetime_format: str, order: str, *, must_prove: bool) -> None:
    """Stop where another order reads all, or closer days: two-digit years that may be days are told by these only."""
    parts = iter(order.replace("b", "B" if "%B" in datetime_format else "b"))
    rival = re.sub(r"%[dmYybB]", lambda _: f"%{next(parts)}", datetime_format)
    times = np.where(read.own, _times(read.bare, rival.replace("%z", "").strip()), _NEVER)
    group = cells.file if must_prove else np.zeros_like(cells.file)
    asked = cells.rows(read.own) & ~np.isin(group, group[cells.rows(read.own & np.isnat(times))])
    must_prove = must_prove and asked.sum() == cells.rows(read.own).sum()
    for one in np.unique(group[asked & cells.rows(times != read.times)]):
        here = asked & (group == one)
        days = [np.append(kind, _NEVER)[cells.index[here]].astype("datetime64[D]") for kind in (read.times, times)]
        as_told, as_rival = (int((of.max() - of.min()).astype(int)) for of in days)
        if must_prove or 2 * as_rival < as_told:
            told, other = (f"{of.min()} to {of.max()}" for of in days)
            why = "no day above 12 tells" if must_prove else "its days lie closer together in the second way"
            rule = f"could be two dates, {why}: as {datetime_format!r}: {told}; as {rival!r}: {other}"
            cells.refuse(here, f"{rule}; set data.prove_date_order: false if the format is right")


def _on_one_clock(cells: Cells, read: _Read, timezone: str) -> NDArray[np.datetime64]:
    """Wall-clock times: those with an offset turned into the shop's zone, or as the clock shows where it has none.

    Raises:
        ContractError: without a zone, some times have an offset and some none, or offsets differ by more than the
            hour of summer time.
    """
    offset = ~np.isnan(read.offsets) & ~np.isnat(read.times)
    having = cells.rows(offset)
    if not having.any():
        return read.times
    if timezone:
        utc = read.times - (np.nan_to_num(read.offsets) * 60e6).astype("timedelta64[us]")
        local = pd.DatetimeIndex(utc).tz_localize("UTC").tz_convert(timezone).tz_localize(None)
        return np.where(offset, local.to_numpy().astype("datetime64[us]"), read.times)
    first = int(having.argmax())
    fix = "set data.timezone to the clock of the shop, such as Europe/London"
    beside = f"{cells.where(first)} has {cells.text(first)!r}"
    cells.refuse(cells.rows(~offset & ~np.isnat(read.times)), f"must have an offset from UTC, as {beside}: {fix}")
    apart = offset & (np.abs(read.offsets - read.offsets[cells.index[first]]) > 60)
    cells.refuse(cells.rows(apart), f"must be of one clock, and {beside}: {fix}")
    cells.refuse(having & (not read.offsets[offset].any()), f"is a time of UTC: {fix}, or UTC")
    return read.times


def far_from_the_rest(times: pd.Series) -> pd.Series:
    """Why a day is too far from the others to be true, an empty text where it is not; mistyped years, lone defaults.

    A group of days at either end is far where a gap of at least ``FAR_DAYS``, longer than the group, cuts it off, and
    it holds less than ``FAR_SHARE`` of the lines.
    """
    days = times.dt.normalize()
    counts = days.value_counts().sort_index()
    reasons = dict[pd.Timestamp, str]()
    limit = FAR_SHARE * counts.sum()
    for step, words in ((1, "before the first"), (-1, "after the last")):
        while len(counts) > 1:
            ends = counts.index[::step]
            gaps = np.abs(np.diff(ends).astype("timedelta64[D]").astype(int))
            spans = np.abs((ends[:-1] - ends[0]).days.to_numpy())
            few = counts.iloc[::step].cumsum().to_numpy()[:-1] + days.isin([*reasons]).sum() < limit
            far = np.flatnonzero((gaps >= FAR_DAYS) & (gaps > spans) & few)
            if not len(far):
                break
            rest = ends[far[-1] + 1]
            for day in ends[: far[-1] + 1]:
                reasons[day] = f"{day.date()} is {abs((day - rest).days):,} days {words} but these"
            counts = counts[~counts.index.isin([*reasons])]
    why: pd.Series = days.map(reasons).fillna("").astype("str")
    return why
