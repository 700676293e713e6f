"""What a check of ``pricetrail doctor`` says: a state, what was found, and what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pricetrail.base.errors import PricetrailError
from pricetrail.operation.servers.redacted import redacted

LONGEST = 300  # characters of a cause; botocore and git can write pages


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    Attributes:
        advice: what to do about it; empty where there is nothing to do.
    """

    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong.

    Attributes:
        look: finds out, given the project's folder; whatever it raises is a failed check.
        advice: what to do where it raises.
    """

    name: str
    look: Callable[[Path], Outcome]
    advice: str


@dataclass(frozen=True)
class Finding:
    """A check with its outcome."""

    check: str
    state: State
    found: str
    advice: str


def ok(found: str) -> Outcome:
    """Nothing to do."""
    return Outcome(State.OK, found)


def warning(found: str, advice: str) -> Outcome:
    """It will run, but."""
    return Outcome(State.WARNING, found, advice)


def failed(found: str, advice: str) -> Outcome:
    """It will not run, or not safely."""
    return Outcome(State.FAILED, found, advice)


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Several outcomes as one: the worst state, everything that was found, every advice.

    >>> worst([ok("git 2.39"), warning("no make", "install make")])
    Outcome(state=<State.WARNING: 'warning'>, found='git 2.39; no make', advice='install make')
    """
    order = list(State)
    state = max((outcome.state for outcome in outcomes), key=order.index, default=State.OK)
    return Outcome(
        state,
        "; ".join(outcome.found for outcome in outcomes),
        "; ".join(outcome.advice for outcome in outcomes if outcome.advice),
    )


def examined(check: Check, project: Path) -> Finding:
    """Run a check; never raises."""
    try:
        outcome = check.look(project)
    except Exception as error:  # whatever a library raises, the later checks still run
        outcome = failed(cause(error), check.advice)
    return Finding(check.name, outcome.state, redacted(outcome.found), redacted(outcome.advice))


def cause(error: BaseException) -> str:
    """An error in one line, its kind in front where the message alone says little.

    >>> cause(KeyError("bucket"))
    "KeyError: 'bucket'"
    """
    lines = str(error).strip().splitlines() or [""]
    text = lines[0] if isinstance(error, PricetrailError) else f"{type(error).__name__}: {lines[0]}".rstrip(": ")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
