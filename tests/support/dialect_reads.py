"""What the one reading path makes of a dialect's file: the same table, a refusal, or a third that must not be."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from pricetrail.base.errors import PricetrailError
from pricetrail.base.params import Params, parse_params
from pricetrail.base.params_data import Data, Shop
from pricetrail.cli.app import app
from pricetrail.data.reading import Reading, read_shop
from support.dialect_files import write
from support.dialects import Dialect, Line, Settings, right_settings, shipped_settings, truth, wrong_settings
from support.said import Read, read_of
from support.tables import PARAMS, SHIPPED

EQUAL, REFUSED, MISREAD = "equal", "refused", "misread"


@dataclass(frozen=True)
class Outcome:
    """How a reading ended: ``equal``, ``refused`` or ``misread``, and a person's word on it."""

    how: str
    why: str = ""


def params_of(path: Path, settings: Settings) -> Params:
    """The shipped parameters with another path and some settings, ``section.name: value``.

    Raises:
        ValueError: where they contradict each other.
    """
    data, shop = SHIPPED.data.model_dump() | {"path": str(path)}, SHIPPED.shop.model_dump()
    for key, value in settings.items():
        section, _, name = key.partition(".")
        {"data": data, "shop": shop}[section][name] = value
    return SHIPPED.model_copy(update={"data": Data.model_validate(data), "shop": Shop.model_validate(shop)})


def lines_of(reading: Reading) -> list[Read]:
    """The clean lines as plain values."""
    table = reading.cleaned.lines
    odd = table["invoiced_at"][~table["invoiced_at"].dt.year.between(1, 9999)]  # that Python's dates do not reach
    assert odd.empty, f"a time of the year {odd.dt.year.iloc[0]}"
    rows = table.astype(object).where(table.notna(), None).itertuples(index=False, name=None)
    return [(*row[:3], float(row[3]), row[4].to_pydatetime(), *row[5:]) for row in rows]


def outcome(path: Path, settings: Settings, lines: list[Line]) -> Outcome:
    """Read a file and hold it against its truth; any error but our own is a misreading too."""
    try:
        params = params_of(path, settings)
    except ValueError as error:  # settings that contradict each other are refused before a file is opened
        return Outcome(REFUSED, f"params: {error}")
    return outcome_by(params, lines)


def outcome_by(params: Params, lines: list[Line]) -> Outcome:
    """As ``outcome``, by whole parameters."""
    try:
        read = lines_of(read_shop(params))
    except PricetrailError as error:
        return Outcome(REFUSED, str(error))
    except Exception as error:
        return Outcome(MISREAD, f"{type(error).__name__}: {error}")
    found, wanted = Counter(read), Counter(map(read_of, lines))
    if found == wanted:
        return Outcome(EQUAL)
    odd, lost = next(iter(found - wanted), None), next(iter(wanted - found), None)
    return Outcome(MISREAD, f"{len(read)} lines of {len(lines)}; read {odd}, true {lost}")


def trials(folder: Path, dialect: Dialect, wrong: int) -> list[tuple[str, Settings, Outcome]]:
    """Read a dialect with the right settings, the shipped ones and some of the wrong ones, drawn by its own text."""
    folder.mkdir()
    path, lines = write(folder, dialect), truth(dialect)
    others = list(wrong_settings(dialect))
    step = max(1, len(others) // wrong) if wrong else len(others)
    tried = [("right", right_settings(dialect)), ("shipped", shipped_settings(dialect))]
    start = sum(map(ord, str(dialect))) % step
    tried += [("wrong", settings) for settings in others[start::step][:wrong]]
    return [(name, settings, outcome(path, settings, lines)) for name, settings in tried]


def proposed(folder: Path, dialect: Dialect, *, told: bool) -> Outcome:
    """Have ``pricetrail init`` find the settings of a dialect, and read by them; a question is a refusal.

    Args:
        folder: to work in, new.
        dialect: to write.
        told: whether what a file may not tell is answered, as it truly is.
    """
    (folder / "shop").mkdir(parents=True)
    write(folder / "shop", dialect)
    right, options = right_settings(dialect), ["--currency", "GBP"]
    if dialect.dates in ("offset", "utc"):
        options += ["--timezone", "Europe/London"]
    if dialect.is_text and not dialect.encoding.startswith("utf-8"):
        options += ["--encoding", dialect.encoding]
    if not dialect.is_typed:
        options += ["--decimal", dialect.decimal, "--set", f"data.quote={right['data.quote']}"]
    if dialect.days == "early" and dialect.dates[:2] in ("%d", "%m"):
        options += ["--date-order", {"%d": "dmy", "%m": "mdy"}[dialect.dates[:2]]]
    with contextlib.chdir(folder):
        Path("params.yaml").write_text(PARAMS, encoding="utf-8")
        ended = CliRunner().invoke(app, ["init", "shop", *(options if told else ())])
        if ended.exit_code:
            ours = isinstance(ended.exception, PricetrailError | SystemExit)
            return Outcome(REFUSED if ours else MISREAD, f"{ended.exception!r} {ended.output[-300:]}")
        params = parse_params(Path("params.yaml").read_text(encoding="utf-8"))
        return outcome_by(params, truth(dialect))
