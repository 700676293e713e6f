"""Laws of dates: one reading that the file proves, or a refusal that says what to set; what is no date is dirt.

The oracle is written by hand, or Python's own calendar and time zones.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pandas as pd
import pytest

from pricetrail.base.errors import ContractError
from pricetrail.data.contract import Parsed
from pricetrail.data.dates import FORMATS, far_from_the_rest
from support.tables import SHOP, parsed_table, raw_table

DMY, MDY = "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"


def raw(dates: list[str], file: str = "a.csv", types: str = "") -> pd.DataFrame:
    """A table with these dates; a letter of ``types`` is the type of a cell."""
    table = raw_table([(*SHOP[0][:4], date, *SHOP[0][5:]) for date in dates], file)
    return table.assign(cell_types=[f"tttt{letter}ttt" for letter in types]) if types else table


def parsed(*tables: pd.DataFrame, **dials: object) -> Parsed:
    return parsed_table(pd.concat(tables, ignore_index=True), **dials)


def read(dates: list[str], **dials: object) -> list[str]:
    return parsed(raw(dates), **dials).lines["invoiced_at"].dt.strftime("%Y-%m-%d %H:%M:%S").tolist()


def refusal(*tables: pd.DataFrame, **dials: object) -> str:
    with pytest.raises(ContractError) as caught:
        parsed(*tables, **dials)
    return str(caught.value)


@pytest.mark.parametrize(
    ("datetime_format", "dates"),
    [
        (
            "ISO8601",
            ["2011-12-31 08:26", "2011-12-31T08:26:00.000", "20111231T0826", "2011/12/31 8:26", "2011-12-31 08:26:00"],
        ),
        (DMY, ["31/12/2011 08:26", "31/12/2011 8:26"]),
        (MDY, ["12/31/2011 08:26"]),
        ("%d.%m.%y %H:%M", ["31.12.11 08:26"]),
        ("%d %B %Y %I:%M %p", ["31 December 2011 8:26 AM"]),
        ("%d-%b-%Y %I:%M%p", ["31-Dec-2011 08:26am"]),
        ("%Y-%m-%d %H:%M", ["2011-12-31 08:26"]),
        ("excel", ["40908.3513889", "40908,3513889"]),
    ],
)
def test_a_date_is_read_by_its_format(datetime_format: str, dates: list[str]) -> None:
    assert read(dates, datetime_format=datetime_format) == ["2011-12-31 08:26:00"] * len(dates)


def test_midnight_at_the_end_is_the_next_day() -> None:
    assert read(["2011-12-31 24:00", "2011-12-30 24:00:00"]) == ["2012-01-01 00:00:00", "2011-12-31 00:00:00"]


@pytest.mark.parametrize("day", [dt.date(1970, 1, 1), dt.date(2011, 12, 5), dt.date(2099, 12, 31)])
def test_each_format_of_the_list_reads_what_it_writes(day: dt.date) -> None:
    at = dt.datetime.combine(day, dt.time(18, 5, 7))
    for form in FORMATS:
        assert dt.datetime.strptime(at.strftime(form), form).month == day.month
    assert len({*FORMATS}) == len(FORMATS)


@pytest.mark.parametrize(
    ("dates", "datetime_format", "told"),
    [
        (["05/12/2011 12:06"], "ISO8601", f"set it to what reads all dates of the file: {DMY!r} or {MDY!r}, got"),
        (["05/12/2011 12:06", "13/12/2011 12:06"], "ISO8601", f"reads all dates of the file: {DMY!r}, got"),
        (["05/12/2011 12:06", "13/12/2011 12:06"], MDY, f"row 3: invoiced_at .* of the file: {DMY!r}"),
        (["12/13/2011 12:06", "13/12/2011 12:06"], MDY, "row 3: invoiced_at .* no one format does"),
        (["05.12.11"], "ISO8601", "'%d.%m.%y' or '%m.%d.%y' or '%y.%m.%d'"),
        (["5 Dec 2011 8:26 PM"], "ISO8601", "'%d %b %Y %I:%M %p'"),
        (["13/12/2011 08:26 +0100"], "ISO8601", "'%d/%m/%Y %H:%M%z'"),
        (["13/12/2011 08:26 +0100", "14/12/2011 08:26 +0100"], DMY, "'%d/%m/%Y %H:%M%z'"),
        (["40550.5"], "ISO8601", "a serial number of Excel: set data.datetime_format: excel, got '40550.5'"),
        (["1291191960"], "ISO8601", "seconds or milliseconds since 1970"),
        (["1291191960000"], DMY, "seconds or milliseconds since 1970"),
        (["31/12/2011 08:26", "2011-12-05 08:26"], DMY, "row 2: invoiced_at must be written in one way"),
        (["31/12/2011 08:26"], "excel", f"reads all dates of the file: {DMY!r}"),
    ],
)  # fmt: skip
def test_a_date_of_another_format_is_no_dirt(dates: list[str], datetime_format: str, told: str) -> None:
    said = refusal(raw([*dates]), datetime_format=datetime_format)
    for part in told.split(" .* "):
        assert part in said


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "now", "today", "8:26",
      "2011", "2011-12", "201112", "2011-13-01", "2011-02-30", "31/13/2011", ".5", "0000-01-01"],
)  # fmt: skip
@pytest.mark.parametrize("datetime_format", ["ISO8601", DMY])
def test_what_is_no_date_goes_to_quarantine(text: str, datetime_format: str) -> None:
    good = "2011-12-05" if datetime_format == "ISO8601" else "25/12/2011 08:26"
    assert parsed(raw([good, text]), datetime_format=datetime_format).quarantine["source_row"].tolist() == [3]


def test_a_year_of_another_calendar_goes_to_quarantine() -> None:
    dates = ["1390-12-08", "2011-12-08", "2554-12-08"]
    assert parsed(raw(dates)).quarantine["reason"].tolist() == ["invoiced_at must be of the years 1970 to 2099"] * 2


FIFTH_TO_NINTH = [f"{day:02d}/12/2011 12:06" for day in range(5, 10)]


def test_an_order_that_no_day_proves_is_refused() -> None:
    both = (
        f"as {MDY!r}: 2011-05-12 to 2011-09-12; as {DMY!r}: 2011-12-05 to 2011-12-09; "
        "set data.prove_date_order: false if the format is right, got '05/12/2011 12:06'"
    )
    said = refusal(raw(FIFTH_TO_NINTH), datetime_format=MDY)
    assert said.startswith("a.csv: row 2: invoiced_at could be two dates, no day above 12 tells")
    assert said.endswith(both)
    assert refusal(raw(FIFTH_TO_NINTH), datetime_format=DMY)
    assert len(read(FIFTH_TO_NINTH, datetime_format=DMY, prove_date_order=False)) == 5
    assert len(read([*FIFTH_TO_NINTH, "13/12/2011 08:00"], datetime_format=DMY)) == 6
    assert len(read(["11/11/2011 08:00", "12/12/2011 08:00"], datetime_format=DMY)) == 2  # the same in both orders


def test_other_files_prove_the_order_of_a_likely_file() -> None:
    proof = raw(["13/12/2011 08:00", "14/12/2011 08:00"], "b.csv")
    assert len(parsed(raw(FIFTH_TO_NINTH), proof, datetime_format=DMY).lines) == 7
    assert len(parsed(raw(FIFTH_TO_NINTH[:1]), proof, datetime_format=DMY).lines) == 3
    american = raw(["12/13/2011 08:00"], "b.csv")
    said = refusal(raw(FIFTH_TO_NINTH), american, datetime_format=MDY)
    assert "a.csv: row 2: invoiced_at could be two dates, its days lie closer together in the second way" in said


@pytest.mark.parametrize(
    ("datetime_format", "dates"),
    [
        ("%y/%m/%d", ["05/12/11", "06/12/11", "09/12/11"]),
        ("%d/%m/%y", ["11/12/05", "11/12/06", "11/12/13"]),
        ("%y-%b-%d", ["05-Dec-11", "06-Dec-11", "09-Dec-11"]),
        ("%Y-%d-%m", ["2011-12-05", "2011-12-09"]),
    ],
)
def test_a_year_of_two_digits_may_be_a_day(datetime_format: str, dates: list[str]) -> None:
    assert "invoiced_at could be two dates" in refusal(raw(dates), datetime_format=datetime_format)


def test_a_year_of_two_digits_is_read_in_its_place() -> None:
    assert read(["05-Dec-11", "06-Dec-11"], datetime_format="%d-%b-%y") == [
        "2011-12-05 00:00:00",
        "2011-12-06 00:00:00",
    ]
    assert read(["11/12/05", "11/12/13"], datetime_format="%y/%m/%d") == ["2011-12-05 00:00:00", "2011-12-13 00:00:00"]


def test_date_cells_beside_texts_are_half_a_column() -> None:
    half = raw(["2011-05-12 00:00:00", "13/12/2011"], types="dt")
    assert "must be written in one way" in refusal(half, datetime_format="%d/%m/%Y")
    assert "no one format does" in refusal(half)
    cells = parsed(raw(["2011-12-05 00:00:00", "soon"], types="dt"), datetime_format="%Y-%d-%m")
    assert cells.lines["invoiced_at"].tolist() == [pd.Timestamp(2011, 12, 5)]  # never by the format
    assert cells.quarantine["source_row"].tolist() == [3]


@pytest.mark.parametrize("zone", ["Europe/London", "America/New_York", "UTC"])
def test_offsets_are_turned_into_the_shop_s_clock(zone: str) -> None:
    texts = ["2011-01-03T23:30:00Z", "2011-07-03 23:30:00+01:00", "2011-07-03 23:30:00 -0500", "2011-07-03 12:00:00+01"]
    expected = [
        dt.datetime.fromisoformat(iso).astimezone(zoneinfo.ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")
        for iso in (
            "2011-01-03T23:30+00:00",
            "2011-07-03T23:30+01:00",
            "2011-07-03T23:30-05:00",
            "2011-07-03T12:00+01:00",
        )
    ]
    assert read(texts, timezone=zone) == expected
    assert read(["2011-07-03 12:00", *texts], timezone=zone) == ["2011-07-03 12:00:00", *expected]


@pytest.mark.parametrize(
    ("dates", "told"),
    [
        (["2011-07-03 12:00+01:00", "2011-07-03 12:00"], "row 3: invoiced_at must have an offset from UTC, as"),
        (["2011-07-03 12:00+01:00", "2011-07-03 12:00-05:00"], "row 3: invoiced_at must be of one clock, and"),
        (["2011-07-03 12:00Z", "2011-07-04 12:00 UTC"], "row 2: invoiced_at is a time of UTC"),
    ],
)  # fmt: skip
def test_clocks_that_differ_need_a_zone(dates: list[str], told: str) -> None:
    said = refusal(raw(dates))
    assert told in said
    assert "set data.timezone to the clock of the shop, such as Europe/London" in said


def days(*spans: tuple[str, int, int]) -> pd.Series:
    """Days from one on, a number of them, with lines on each."""
    return pd.Series(
        [day for first, many, lines in spans for day in pd.date_range(first, periods=many) for _ in range(lines)]
    )


@pytest.mark.parametrize(
    ("spans", "far"),
    [
        ([("2011-01-01", 100, 4), ("2101-02-02", 1, 1)], 1),
        ([("1970-01-01", 1, 3), ("2011-01-01", 100, 4)], 3),
        ([("1970-01-01", 2, 1), ("2011-01-01", 100, 4), ("2050-01-01", 1, 1), ("2098-01-01", 2, 2)], 7),
        ([("2011-01-01", 100, 4), ("2011-09-01", 10, 1)], 0),  # a gap of 143 days
        ([("2011-01-01", 100, 4), ("2011-10-09", 10, 1)], 10),  # of 181
        ([("2011-01-01", 100, 4), ("2012-10-09", 30, 1)], 0),  # a shop that had a break: 7% of the lines
        ([("2009-01-01", 500, 1), ("2011-01-01", 1000, 11)], 0),  # the group is longer than the gap
        ([("2011-01-01", 1, 1), ("2099-01-01", 1, 1)], 0),
    ],
)
def test_days_far_from_the_rest(spans: list[tuple[str, int, int]], far: int) -> None:
    assert (far_from_the_rest(days(*spans)) != "").sum() == far


def test_the_reason_of_a_far_day_says_how_far() -> None:
    dates = [f"2011-{month:02d}-{day:02d}" for month in (1, 2) for day in range(1, 29)]
    quarantine = parsed(raw([*dates, "2012-02-28", "0201-01-05"])).quarantine
    assert quarantine["reason"].tolist() == [
        "invoiced_at must not be far from the other days: 2012-02-28 is 365 days after the last but these",
        "invoiced_at must not be far from the other days: 0201-01-05 is 661,085 days before the first but these",
    ]
