"""Files with one thing wrong: a byte, a cell, a row, a column or a whole file; and what may become of each.

Seeded, and independent of the code under test as ``dialects`` is.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import random
import re
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
from openpyxl.utils.exceptions import IllegalCharacterError

from support.dialect_files import cells, csv_bytes, write_rows
from support.dialects import OURS, Dialect, Line, header, truth

COUNT: Final = 150  # lines a file: one bad line is fewer than data.max_bad_share
BASES: Final = (
    Dialect(),
    Dialect(delimiter=";", decimal=",", thousands=".", dates="%d.%m.%Y %H:%M", encoding="cp1252", line_end="\r\n"),
    Dialect(kind="tsv", delimiter="\t", quoting="all"),
    Dialect(kind="csv.gz"),
    Dialect(kind="csv.zip", quoting="nonnumeric"),
    Dialect(kind="xlsx typed"),
    Dialect(kind="xlsx text", missing="NULL"),
    Dialect(kind="parquet typed"),
    Dialect(kind="parquet text", dates="%d/%m/%Y %H:%M"),
)
NASTY: Final[tuple[object, ...]] = (
    "", " ", "0", "00", "-1", "-0", "+3", "1e3", "1E400", "NaN", "inf", "-inf", "1,5", "1.5", "1.000", "1,000",
    "1.000,00", "1,000.00", "1 000", "1\u00a0000", "£2.2", "2.2 €", "$1,000", "(5)", "5-", "\u22125", "\u0663",
    "\uff11\uff12", "1_000", "0x10", "TRUE", "now", "today", "2011-12-08", "2101-01-01 00:00:00",
    "1970-01-01 00:00:00", "2011-02-30 10:00:00", "08/12/2011 10:00", "12/08/2011 10:00",
    "2011-12-08 10:00:00+05:00", "2011-12-08T10:00:00Z", "0011-12-08 10:00:00", "40885.5", "20111208", "2011",
    "NULL", "n/a", "#REF!", "#N/A", "=1+1", "'", '"', '"x', 'x"', "a\nb", "a\r\nb", "\u00a0", "\u200b12",
    "12\u200b", "5.01E+12", "12345.0", "x"*5000, "\ufeff1", "1 2", "12 pcs", "12kg", "½", "1.5.2", "1..5", ".5",
    "5.", "--5", "1e-3", "9"*25, "0.1"+"0"*40, 0, -3, 1.5, 10**20, float("nan"), float("inf"), True, False,
    dt.datetime(2011, 12, 9, 10), dt.datetime(2101, 1, 1), dt.date(2011, 12, 9), dt.time(10, 30),
)  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A folder with one thing wrong.

    Attributes:
        base: how its file is written.
        what: was done, for a person.
        path: to read.
        untouched: lines that must come out as they are, unless all is refused.
        says: the rows that were touched, text or values in our order; None where nobody could tell.
        must_refuse: nothing but a refusal is right.
        row: of the one cell that was touched, as a person counts; None where more was.
    """

    base: Dialect
    what: str
    path: Path
    untouched: tuple[Line, ...]
    says: tuple[tuple[object, ...], ...] | None
    must_refuse: bool = False
    row: int | None = None


Rows = list[list[object]]


def mutant(folder: Path, seed: int) -> Mutant:
    """The mutant of a seed, written below a folder."""
    rng = random.Random(seed)
    base = BASES[seed % len(BASES)]
    lines = truth(base, COUNT)
    make = (_cell, _cell, _row, _column, _file, _byte, _byte)[seed // len(BASES) % 7]
    return make(folder, base, lines, rng)


def _without(lines: Sequence[Line], *gone: int) -> tuple[Line, ...]:
    return tuple(line for i, line in enumerate(lines) if i not in gone)


def _cell(folder: Path, base: Dialect, lines: list[Line], rng: random.Random) -> Mutant:
    rows, i, column = cells(lines, base), rng.randrange(COUNT), rng.randrange(len(OURS))
    value = rng.choice(NASTY)
    if base.is_text or base.kind.endswith("text"):
        value = str(value)
    rows[i + 1][column] = value
    path = _write(folder, rows, base)
    told = f"row {i + 2}: {OURS[column]} = {value!r}"
    return Mutant(base, told, path, _without(lines, i), (tuple(rows[i + 1]),), row=i + 2)


def _write(folder: Path, rows: Rows, base: Dialect) -> Path:
    """Write rows; where a sheet, a column or an encoding cannot hold a value, text that it can."""
    try:
        return write_rows(folder, rows, base)
    except (ValueError, TypeError, OverflowError, pa.ArrowException, IllegalCharacterError):
        for row in rows[1:]:
            row[:] = [it if it is None else _holdable(str(it), base.encoding) for it in row]
        return write_rows(folder, rows, base)


def _holdable(text: str, encoding: str) -> str:
    return re.sub(r"[\x00-\x08]", "", text).encode(encoding, "replace").decode(encoding)


def _row(folder: Path, base: Dialect, lines: list[Line], rng: random.Random) -> Mutant:
    rows, i, width = cells(lines, base), rng.randrange(COUNT), len(OURS)
    row, nothing = rows[i + 1], "" if base.is_text else None
    says: tuple[tuple[object, ...], ...] = ()
    untouched = tuple(lines)
    what = rng.choice(
        ["delete", "twice", "swap", "blank", "left", "right", "header again", "total", "note", "short", "long"]
    )
    if what == "delete":
        del rows[i + 1]
        untouched = _without(lines, i)
    elif what == "twice":
        rows.insert(i + 1, list(row))
        untouched = (*lines, lines[i])
    elif what == "swap":
        rows[i + 1], rows[1] = rows[1], rows[i + 1]
    elif what == "blank":
        rows.insert(i + 1, [nothing] * width)
    elif what in ("left", "right"):
        rows[i + 1] = [*row[1:], nothing] if what == "left" else [nothing, *row[:-1]]
        untouched, says = _without(lines, i), (tuple(rows[i + 1]),)
    elif what == "header again":
        rows.insert(i + 1, list(header(base)))
    elif what == "total":
        rows.append(["Total", nothing, nothing, 12345, nothing, 17, nothing, nothing])
    elif what == "note":
        rows.append(["Printed by the till", *[nothing] * (width - 1)])
    elif what == "short":
        rows[i + 1] = row[:4] if base.is_text else [*row[:4], *[nothing] * 4]
        untouched = _without(lines, i)
    else:
        rows[i + 1] = [*row, "7"] if base.is_text else row
        untouched = _without(lines, i) if base.is_text else untouched
        says = (tuple(row),) if base.is_text else ()
    return Mutant(base, f"row {i + 2}: {what}", _write(folder, rows, base), untouched, says)


def _column(folder: Path, base: Dialect, lines: list[Line], rng: random.Random) -> Mutant:
    rows, column = cells(lines, base), rng.randrange(len(OURS))
    what = rng.choice(["delete", "rename", "twice", "move", "extra", "blank name", "spaces", "case"])
    name = str(rows[0][column])
    must_refuse = what in ("delete", "rename", "twice", "blank name")
    if what == "delete":
        rows = [row[:column] + row[column + 1 :] for row in rows]
    elif what == "twice":
        rows = [[*row, row[(column + (i > 0)) % len(OURS)] if i else name] for i, row in enumerate(rows)]
    elif what == "move":
        rows = [row[:column] + row[column + 1 :] + [row[column]] for row in rows]
    elif what == "extra":
        rows = [["Line" if i == 0 else i, *row] for i, row in enumerate(rows)]
    else:
        rows[0][column] = {"rename": "Other", "blank name": "", "spaces": f" {name} ", "case": name}[what]
    path = _write(folder, rows, base)
    return Mutant(base, f"column {name}: {what}", path, tuple(lines), (), must_refuse)


def _file(folder: Path, base: Dialect, lines: list[Line], rng: random.Random) -> Mutant:
    rows = cells(lines, base)
    inside = folder / "shop"
    inside.mkdir()
    path = write_rows(inside, rows, base)
    what = rng.choice(
        ["cut", "empty", "wrong suffix", "copy", "hidden", "stranger", "header only", "again", "lock file"]
    )
    untouched, says, must_refuse = tuple(lines), (), False
    if what == "cut":
        content = path.read_bytes()
        at = rng.randrange(1, len(content) - 1)
        path.write_bytes(content[:at])
        if base.kind in ("csv", "tsv"):
            untouched = tuple(line for line, (_, end) in zip(lines, _spans(rows, base)[1:], strict=True) if end <= at)
            return Mutant(base, f"file cut at {at}", inside, untouched, None, not untouched)
        must_refuse = True
    elif what == "empty":
        path.write_bytes(b"")
        must_refuse = True
    elif what == "wrong suffix":
        path.rename(inside / ("lines.csv" if not base.is_text or "." in base.kind else "lines.xlsx"))
        must_refuse = True
    elif what == "copy":
        shutil.copy(path, inside / f"copy of {path.name}")
    elif what == "hidden":
        (inside / ".old").mkdir()
        shutil.copy(path, inside / ".old" / path.name)
        shutil.copy(path, inside / f".{path.name}")
    elif what == "stranger":
        (inside / "lines.ods").write_bytes(b"PK\x03\x04")
        must_refuse = True
    elif what == "header only":
        write_rows(inside, rows[:1], base, "second")
    elif what == "lock file":  # that Excel leaves beside an open workbook
        (inside / f"~${path.name}").write_bytes(b"\x05user")
    else:  # half of the lines once more under another name, in another order
        write_rows(inside, [rows[0], *reversed(rows[1:80])], base, "w2")
    return Mutant(base, f"file: {what}", inside, untouched, says, must_refuse)


def _spans(rows: Rows, base: Dialect) -> list[tuple[int, int]]:
    """From which byte to which each row of an unpacked text file lies."""
    spans, at = [], 0
    for row in rows:
        size = len(csv_bytes([row], base))
        spans.append((at, at + size))
        at += size
    return spans


def _byte(folder: Path, base: Dialect, lines: list[Line], rng: random.Random) -> Mutant:
    rows = cells(lines, base)
    path = write_rows(folder, rows, base)
    content = bytearray(csv_bytes(rows, base) if base.is_text else path.read_bytes())
    at = rng.randrange(len(content))
    what = rng.choice(["flip", "set", "insert", "delete"])
    mark = rng.choice(b"\",;\t\n\r'\\ 0123456789.-\x00\xe9\xff/:ENa")
    if what == "flip":
        content[at] ^= 1 << rng.randrange(8)
    elif what == "set":
        content[at] = mark
    elif what == "insert":
        content.insert(at, mark)
    else:
        del content[at]
    told = f"byte {at}: {what} {bytes([mark])!r}"
    if not base.is_text:
        path.write_bytes(content)  # what a sheet or a Parquet file has no check for cannot be told: see the test
        return Mutant(base, told, path, tuple(lines) if base.kind.startswith("xlsx") else (), None)
    if base.kind in ("csv", "tsv"):
        path.write_bytes(content)
    else:
        _pack(path, bytes(content))
    near = [i for i, (start, end) in enumerate(_spans(rows, base)) if start - 1 <= at <= end]
    if 0 in near:  # of the header
        return Mutant(base, told, path, tuple(lines), ())
    return Mutant(base, told, path, _without(lines, *(i - 1 for i in near)), _as_read(bytes(content), base))


def _pack(path: Path, content: bytes) -> None:
    import gzip

    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content, mtime=0))
        return
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("lines.csv", content)


def _as_read(content: bytes, base: Dialect) -> tuple[tuple[object, ...], ...] | None:
    """Every row of a text file as Python's csv module has it; None where it is no text."""
    try:
        text = content.decode(base.encoding)
        return tuple(tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=base.delimiter))
    except (UnicodeDecodeError, csv.Error):
        return None
