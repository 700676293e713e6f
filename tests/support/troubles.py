"""Files that people report trouble with, made by hand after public reports; each must be read right, or be refused.

A trouble writes its files into a folder and returns what is true: the settings beside the shipped ones, the lines, and
whether only a refusal (``refuse``), only the lines (``read``) or either is right.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from support.dialect_files import cells, csv_bytes, text_row
from support.dialects import Dialect, Line, Settings, header, truth

CSV: Final = Dialect(codes="digits")
GERMAN: Final = replace(CSV, delimiter=";", decimal=",")
Must = Literal["read", "refuse", "either"]


@dataclass(frozen=True)
class Truth:
    """What is true of a trouble's files."""

    lines: Sequence[Line]
    must: Must = "either"
    settings: Settings = field(default_factory=dict)


Make = Callable[[Path], Truth]


def lines_of(base: Dialect = CSV, count: int = 24) -> list[Line]:
    """Lines without line breaks in them."""
    return [replace(line, description=(line.description or "X").replace("\n", " ")) for line in truth(base, count)]


LINES: Final = lines_of()


def text(lines: Sequence[Line] = LINES, base: Dialect = CSV) -> str:
    """The CSV text of lines."""
    return csv_bytes(cells(lines, base), base).decode(base.encoding)


def edited(must: Must, edit: Callable[[str], str | bytes], lines: Sequence[Line] = LINES, **settings: object) -> Make:
    """A trouble that is an edit of the plain file's text, its lines as they were or as given."""

    def make(folder: Path) -> Truth:
        made = edit(text())
        (folder / "a.csv").write_bytes(made.encode() if isinstance(made, str) else made)
        return Truth(lines, must, {key.replace("__", "."): value for key, value in settings.items()})

    return make


def described(old: str, new: str) -> list[Line]:
    """The plain lines with another text in their descriptions."""
    return [replace(line, description=(line.description or "").replace(old, new)) for line in LINES]


def each_line(edit: Callable[[int, str], str]) -> Callable[[str], str]:
    """An edit of each line of text by its number, the header's 0."""
    return lambda whole: "".join(edit(i, line) + "\n" for i, line in enumerate(whole.splitlines()))


def column(index: int, edit: Callable[[int, str], str]) -> Callable[[str], str]:
    """An edit of one column's cells, unquoted, by the number of their line from 0."""

    def of_text(_: str) -> str:
        rows = cells(LINES, CSV)
        for i, row in enumerate(rows[1:]):
            row[index] = edit(i, str(row[index]))
        return csv_bytes(rows, CSV).decode()

    return of_text


def _at(line: int, change: Callable[[str], str]) -> Callable[[str], str]:
    return each_line(lambda i, row: change(row) if i == line else row)


SWAPPED: Final = ",".join((header(CSV)[1], header(CSV)[0], *header(CSV)[2:]))
QUANTITY, TIME, PRICE, CUSTOMER = 3, 4, 5, 6

EDITS: Final[Mapping[str, Make]] = {
    # structure of CSV
    "unpaired quote swallows lines": edited(
        "refuse", each_line(lambda i, row: row.replace(",WHITE HEART,", ',"WHITE HEART,') if i in (1, 10) else row)
    ),
    "unpaired quote to the end": edited("refuse", _at(24, lambda row: row.replace(",TWO", ',"TWO'))),
    "inch mark inside a field": edited("read", lambda it: it.replace('"SIZE 12"" LAMP"', 'SIZE 12" LAMP')),
    "one delimiter too many": edited("refuse", _at(7, lambda row: row.replace(",", ",X,", 1))),
    "trailing delimiter everywhere": edited("read", each_line(lambda _, row: row + ",")),
    "trailing delimiter below the header": edited("either", each_line(lambda i, row: row + "," if i else row)),
    "empty columns take unquoted decimal commas": edited(
        "refuse",
        each_line(
            lambda i, row: (
                row + ",,"
                if i == 0
                else ",".join(
                    [
                        *text_row(LINES[i - 1], CSV)[:2],
                        "X",
                        *text_row(LINES[i - 1], CSV)[3:5],
                        "2,5",
                        *text_row(LINES[i - 1], CSV)[6:],
                        "",
                    ]
                )
            )
        ),
    ),
    "comment above": edited("either", lambda it: "# exported 2012-01-01\n" + it),
    "comment in the middle": edited("either", _at(9, lambda row: row + "\n# page 2")),
    "header again": edited("either", _at(9, lambda row: row + "\n" + ",".join(header(CSV)))),
    "second table with its columns in another order": edited("refuse", _at(9, lambda row: row + "\n\n" + SWAPPED)),
    "second header without a blank row": edited("refuse", _at(9, lambda row: row + "\n" + SWAPPED)),
    "files put together without a line end": edited("refuse", lambda it: it.rstrip("\n") + it),
    "byte-order mark in the middle": edited("either", _at(9, lambda row: row + "\n\ufeff" + ",".join(header(CSV)))),
    "zeros at the end": edited("either", lambda it: it.encode() + bytes(512)),
    "control-Z at the end": edited("either", lambda it: it + "\x1a"),
    "line ends of two kinds": edited("read", each_line(lambda i, row: row + "\r" * (i % 2))),
    "padded cells": edited("either", each_line(lambda i, row: " ,".join(row.split(",")) if '"' not in row else row)),
    "space before a quote": edited("either", lambda it: it.replace(',"', ', "')),
    "blank rows between": edited("read", each_line(lambda _, row: row + "\n")),
    "rows of delimiters between": edited("read", each_line(lambda i, row: row + "\n,,,,,,," if i % 5 == 0 else row)),
    "rows of blanks between": edited("either", each_line(lambda i, row: row + "\n , ,,,,,," if i % 5 == 0 else row)),
    "total row": edited("either", lambda it: it + "Total,,,12345,,999.5,,\n"),
    "total row with a date": edited("either", lambda it: it + ",,Total,12345,2011-12-19 23:59:59,999.5,,\n"),
    "names in another case": edited("refuse", _at(0, str.lower)),
    "name with a no-break space": edited("either", _at(0, lambda row: row.replace("UnitPrice", "\u00a0UnitPrice"))),
    "name with a line break": edited("either", _at(0, lambda row: row.replace("UnitPrice", '"Unit\nPrice"'))),
    "two price columns of one name": edited(
        "refuse", each_line(lambda i, row: row + (",UnitPrice" if i == 0 else ",9"))
    ),
    "utf-16 without a mark": edited("either", lambda it: it.encode("utf-16-le")),
    "utf-32": edited("either", lambda it: it.encode("utf-32")),
    "letters in two encodings": edited("refuse", lambda it: it.encode().replace("Ö".encode(), "Ö".encode("cp1252"), 1)),
    # numbers
    "thousands with a point in some rows": edited(
        "refuse", column(QUANTITY, lambda i, it: "1.000" if it == "1000" else it)
    ),
    "quantities of thousands with a comma": edited("refuse", column(QUANTITY, lambda _, it: f"{int(it):,}")),
    "prices all ambiguous": edited("refuse", column(PRICE, lambda i, it: f"{i % 9 + 1}.{i % 7 + 1}00")),
    "both decimal marks": edited("refuse", column(PRICE, lambda i, it: it.replace(".", ",") if i % 2 else it)),
    "own currency before": edited("read", column(PRICE, lambda _, it: f"£{it}")),
    "own currency behind": edited("read", column(PRICE, lambda _, it: f"{it} £")),
    "own currency's code": edited("either", column(PRICE, lambda _, it: f"GBP {it}")),
    "another currency": edited("refuse", column(PRICE, lambda _, it: f"€{it}")),
    "two currencies": edited("refuse", column(PRICE, lambda i, it: f"{'£$'[i % 2]}{it}")),
    "prices in pence": edited("refuse", column(PRICE, lambda _, it: f"{it}p")),
    "percent": edited("refuse", column(PRICE, lambda _, it: f"{it}%")),
    "quantities with zeros behind": edited("read", column(QUANTITY, lambda _, it: f"{it}.00")),
    "quantities with three zeros behind": edited("either", column(QUANTITY, lambda _, it: f"{it}.000")),
    "quantities with a plus": edited("either", column(QUANTITY, lambda _, it: f"+{it}")),
    "quantities as powers": edited("either", column(QUANTITY, lambda _, it: f"{float(it):.4E}")),
    "quantities with a word": edited("refuse", column(QUANTITY, lambda _, it: f"{it} pcs")),
    "quantities times": edited("refuse", column(QUANTITY, lambda _, it: f"x{it}")),
    "Indian groups": edited("refuse", column(QUANTITY, lambda _, it: f"1,{it:0>2.2},456"), data__thousands=","),
    "groups of four": edited("refuse", column(QUANTITY, lambda _, it: "1,2345"), data__thousands=","),
    "Arabic digits": edited(
        "either", column(QUANTITY, lambda _, it: it.translate({48 + i: 0x660 + i for i in range(10)}))
    ),
    "wide digits": edited(
        "either", column(QUANTITY, lambda _, it: it.translate({48 + i: 0xFF10 + i for i in range(10)}))
    ),
    "underscores": edited("either", column(QUANTITY, lambda _, it: f"{int(it):_}")),
    "thin spaces": edited(
        "either", column(QUANTITY, lambda _, it: f"{int(it):,}".replace(",", "\u202f")), data__thousands=" "
    ),
    "no-break spaces": edited(
        "read", column(QUANTITY, lambda _, it: f"{int(it):,}".replace(",", "\u00a0")), data__thousands=" "
    ),
    "Swiss apostrophes": edited(
        "either", column(QUANTITY, lambda _, it: f"{int(it):,}".replace(",", "\u2019")), data__thousands="'"
    ),
    "thousands mark is wrong": edited("refuse", column(QUANTITY, lambda _, it: f"{int(it):,}"), data__thousands="'"),
    # dates
    "half of the dates converted": edited(
        "refuse", column(TIME, lambda i, _: _half(LINES[i].invoiced_at)), data__datetime_format="%d/%m/%Y %H:%M"
    ),
    "half converted, ISO set": edited("refuse", column(TIME, lambda i, _: _half(LINES[i].invoiced_at))),
    "serial numbers": edited("refuse", column(TIME, lambda i, _: f"{40885 + i / 2 + 0.25}")),
    "whole serial numbers": edited("refuse", column(TIME, lambda i, _: f"{40885 + i // 2}")),
    "epoch seconds": edited("refuse", column(TIME, lambda i, _: f"{1323331200 + 43200 * i}")),
    "epoch seconds, excel set": edited(
        "refuse", column(TIME, lambda i, _: f"{1323331200 + 43200 * i}"), data__datetime_format="excel"
    ),
    "epoch milliseconds": edited("refuse", column(TIME, lambda i, _: f"{1323331200000 + 43200000 * i}")),
    "years alone": edited("refuse", column(TIME, lambda i, _: f"{2008 + i // 6}")),
    "months alone": edited("refuse", column(TIME, lambda i, _: f"2011-{1 + i // 3:02}")),
    "days of the year": edited("refuse", column(TIME, lambda i, _: f"2011-{100 + i}")),
    "times alone": edited("refuse", column(TIME, lambda i, _: f"{8 + i % 9:02}:30")),
    "zone names behind": edited("either", column(TIME, lambda _, it: f"{it} GMT")),
    "a zone in some rows": edited("refuse", column(TIME, lambda i, it: it + "-05:00" * (i % 2))),
    "zones far apart": edited("refuse", column(TIME, lambda i, it: it + ("+09:00" if i % 2 else "-05:00"))),
    "parts of a second": edited("read", column(TIME, lambda i, it: it + ".000" * (i % 2))),
    "T between in some rows": edited("either", column(TIME, lambda i, it: it.replace(" ", "T") if i % 2 else it)),
    "hours of one digit": edited("either", column(TIME, lambda _, it: it.replace(" 0", " "))),
    "day and month of one digit": edited(
        "either", column(TIME, lambda i, it: f"{LINES[i].invoiced_at:%Y-%-m-%-d %H:%M}")
    ),
    "weekday before": edited("either", column(TIME, lambda i, it: f"{LINES[i].invoiced_at:%a} {it}")),
    "year of two digits, order wrong": edited(
        "refuse", column(TIME, lambda i, _: f"{_early(i):%d/%m/%y %H:%M}"), data__datetime_format="%y/%m/%d %H:%M"
    ),
    "day and month swapped, all early": edited(
        "refuse", column(TIME, lambda i, _: f"{_early(i):%d/%m/%Y %H:%M}"), data__datetime_format="%m/%d/%Y %H:%M"
    ),
    "month by name, year or day first": edited(
        "refuse", column(TIME, lambda i, _: f"{_early(i):%d-%b-%y %H:%M}"), data__datetime_format="%y-%b-%d %H:%M"
    ),
    # codes and words for nothing
    "codes shortened to powers": edited("refuse", column(1, lambda i, _: f"5.01E+{12 + i % 2}")),
    "codes as floats": edited("read", column(1, lambda _, it: f"{it}.0")),
    "some codes as floats": edited("either", column(1, lambda i, it: it + ".0" * (i % 2))),
    "customers as floats": edited("read", column(CUSTOMER, lambda _, it: f"{it}.0" if it else it)),
    "codes as formulas": edited("either", column(1, lambda _, it: f'="{it}"')),
    "codes with apostrophes": edited("either", column(1, lambda _, it: f"'{it}")),
    "codes with no-break spaces": edited("either", column(1, lambda i, it: it + "\u00a0" * (i % 2))),
    "codes with zero-width spaces": edited("either", column(1, lambda i, it: it + "\u200b" * (i % 2))),
    "zeros lost from some codes": edited("refuse", column(1, lambda i, _: "02003" if i % 2 else "2003")),
    # more of each
    "quotes around names and a mark before them": edited(
        "read", _at(0, lambda row: "\ufeff" + ",".join(f'"{name}"' for name in row.split(",")))
    ),
    "carriage returns doubled": edited("read", lambda it: it.replace("\n", "\r\r\n")),
    "line separators of other alphabets in a text": edited(
        "refuse", lambda it: it.replace("TWO LINES", "TWO\u2028LI\x85N\x0bE\x0cS\x1c") + "bad,,,,,,,\n"
    ),
    "a carriage return inside quotes": edited(
        "either", lambda it: it.replace("TWO LINES", '"TWO\rLINES"'), described("TWO LINES", "TWO\rLINES")
    ),
    "a text of 200,000 letters": edited(
        "either", lambda it: it.replace("CAFÉ", "C" * 200_000), described("CAFÉ", "C" * 200_000)
    ),
    "blank rows above": edited("read", lambda it: "\n\n" + it),
    "many titles": edited("refuse", lambda it: "Title\n" * 25 + it),
    "many titles, told": edited("read", lambda it: "Title\n" * 25 + it, data__header_row=26),
    "units below the names": edited("either", _at(0, lambda row: row + "\n,,,pcs,,GBP,,")),
    "rows counted below": edited("either", lambda it: it + "\n(24 rows affected)\n"),
    "a table as a database shows it": edited(
        "refuse",
        each_line(lambda i, row: " | ".join(row.split(",")) + ("\n---+---+---+---+---+---+---+---" if i == 0 else "")),
    ),
    "zero bytes inside": edited("refuse", _at(5, lambda row: row + "\0")),
    "points at the end of numbers": edited("either", column(QUANTITY, lambda _, it: f"{it}.")),
    "minus of other signs": edited("refuse", column(QUANTITY, lambda i, it: "\u2011" * (i % 2) + it)),
    "accountants' brackets": edited("refuse", column(QUANTITY, lambda _, it: f"({it})")),
    "minus behind": edited("refuse", column(QUANTITY, lambda _, it: f"{it}-")),
    "debit and credit": edited("refuse", column(QUANTITY, lambda _, it: f"{it} CR")),
    "two numbers in a cell": edited("refuse", column(QUANTITY, lambda _, it: f"{it} 2")),
    "spaces between thousands, not told": edited(
        "refuse", column(QUANTITY, lambda _, it: f"{int(it):,}".replace(",", " "))
    ),
    "years of the Buddhist calendar": edited("refuse", column(TIME, lambda _, it: it.replace("2011", "2554"))),
    "years of the Persian calendar": edited("refuse", column(TIME, lambda _, it: it.replace("2011", "1390"))),
    "hours after noon": edited("refuse", column(TIME, lambda _, it: f"{it} PM")),
    "offsets without a colon": edited("read", column(TIME, lambda _, it: f"{it}+0000"), data__timezone="Europe/London"),
    "day above 31": edited("refuse", column(TIME, lambda i, it: it.replace("2011-12-", "2011-12-3"))),
    "the day after February": edited("refuse", column(TIME, lambda i, it: f"2011-02-{28 + i % 3} 10:00:00")),
    "dots in times": edited("either", column(TIME, lambda _, it: it.replace(":", "."))),
    "two blanks in times": edited("either", column(TIME, lambda _, it: it.replace(" ", "  "))),
    "dates of other digits": edited(
        "either", column(TIME, lambda _, it: it.translate({48 + i: 0x660 + i for i in range(10)}))
    ),
    "months in German": edited(
        "refuse",
        column(TIME, lambda i, _: f"{LINES[i].invoiced_at:%d}. Dez 2011 10:00"),
        data__datetime_format="%d. %b %Y %H:%M",
    ),
    "codes of 17 digits as powers": edited("refuse", column(0, lambda i, _: f"8.93901010235848e+{18 + i % 2}")),
    "German powers for codes": edited("refuse", column(1, lambda i, _: f"5,01E+{12 + i % 2}")),
    "invoices repeated as powers": edited("refuse", column(0, lambda i, _: "5.36E+05")),
}


def _early(i: int) -> dt.datetime:
    """One of five December days, all below 13."""
    return dt.datetime(2011, 12, 5 + i // 5, 8 + i % 5, 15)


def _half(time: dt.datetime) -> str:
    """A d/m/Y time as a spreadsheet that expects m/d/Y leaves it: early days are turned, the others stay text."""
    return f"{time:%Y-%d-%m %H:%M:%S}" if time.day <= 12 else f"{time:%d/%m/%Y %H:%M}"
