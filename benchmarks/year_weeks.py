"""Helper of ``year.py``: the weeks of the year, and what is kept of each run; no command is run here."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import harness
from pricetrail.base import files

FIRST: Final = dt.date(2011, 6, 6)  # the Monday of the first run
WEEKS: Final = 27  # to Monday 2011-12-05; the week after it is the last of the data
FAULT: Final = "Fault"
GOOD: Final = ("Released", "Published", "Withheld")
STEPS: Final = ("ingest", "snapshot", "reproduce", "push", "verify", "publish", "report", "start")
STATE: Final = "state.json"


@dataclass(frozen=True)
class Week:
    """One Monday.

    Attributes:
        monday: ISO date of the run; it knows the lines of all days before.
        files: that were ingested.
        outcome: of ``operation.endings.Outcome``, or ``FAULT``.
        reason: the ending's headline, or the fault's cause.
        base, commit: of the branch before and after the run.
        version: of the release that it made; empty for none.
        production: the version that serves from then on; empty for none.
        had_study: whether the run had a study; else it trained what the last one chose.
        bundle_md5: of the candidate; empty after a fault.
        seconds: by step, all of them in ``STEPS``; ``start``: what the commands took besides.
        pushed_mb: what the bucket grew by: the source files, and what the run made of them.
        figures: drift, gates and test errors of the run; empty after a fault.
    """

    monday: str
    files: int
    outcome: str
    reason: str
    base: str
    commit: str
    version: str
    production: str
    had_study: bool
    bundle_md5: str
    seconds: Mapping[str, float]
    total_seconds: float
    cpu_seconds: float
    stages: Mapping[str, float]
    pushed_mb: Mapping[str, float]
    figures: Mapping[str, Any]
    resumed: bool = False

    @property
    def is_good(self) -> bool:
        """Whether it ended published, or withheld with a reason."""
        return self.outcome in GOOD and bool(self.reason) and self.commit != self.base

    @property
    def scored_days(self) -> tuple[dt.date, dt.date]:
        """The week after the run."""
        monday = dt.date.fromisoformat(self.monday)
        return monday, monday + dt.timedelta(days=6)


@dataclass(frozen=True)
class State:
    """How far a year has got.

    Attributes:
        tip: the branch's commit after the last week.
        tags: of releases, by then.
    """

    weeks: tuple[Week, ...]
    tip: str
    tags: tuple[str, ...]

    @classmethod
    def read(cls, work: Path) -> State:
        """What ``write`` wrote."""
        tree: Any = files.read_json(work / STATE)
        return cls(tuple(Week(**week) for week in tree["weeks"]), tree["tip"], tuple(tree["tags"]))

    def write(self, work: Path) -> None:
        """Into ``state.json``, whole or not at all."""
        files.write_text(work / STATE, json.dumps(asdict(self), indent=1) + "\n")


def iso_week(day: dt.date) -> str:
    """As partitions are named."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def mondays(weeks: int) -> tuple[dt.date, ...]:
    """The days of the runs."""
    return tuple(FIRST + dt.timedelta(weeks=n) for n in range(weeks))


def new_files(monday: dt.date) -> list[Path]:
    """Daily files that came since the last Monday; at the first one all before it."""
    since = dt.date.min if monday == FIRST else monday - dt.timedelta(days=7)
    return [file for file in sorted(harness.REAL.iterdir()) if since <= dt.date.fromisoformat(file.name[:10]) < monday]
