"""What a check of ``pricetrail doctor`` says: a state, what was found, and what to do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pricetrail.base.errors import cause_of
from pricetrail.base.redaction import redacted


class State(StrEnum):
    """How a check ended: well; it will run, but; it will not run, or not safely."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """What a check found, and what to do about it: nothing where the state is ``ok``."""

    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Finding(Outcome):
    """An outcome with the name of its check."""

    check: str = field(kw_only=True)


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong: what looks, given the project's folder, and what to do where that raises."""

    name: str
    look: Callable[[Path], Outcome]
    advice: str


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Several outcomes as one: the worst state, everything that was found, every advice.

    >>> worst([Outcome(State.OK, "git 2.39"), Outcome(State.WARNING, "no make", "install make")])
    Outcome(state=<State.WARNING: 'warning'>, found='git 2.39; no make', advice='install make')
    """
    state = max((outcome.state for outcome in outcomes), key=list(State).index)
    found, advice = ([getattr(outcome, name) for outcome in outcomes] for name in ("found", "advice"))
    return Outcome(state, "; ".join(found), "; ".join(filter(None, advice)))


def examined(check: Check, project: Path) -> Finding:
    """Run a check; never raises."""
    try:
        outcome = check.look(project)
    except Exception as error:  # whatever a library raises, the later checks still run
        outcome = Outcome(State.FAILED, cause_of(error), check.advice)
    return Finding(outcome.state, redacted(outcome.found), redacted(outcome.advice), check=check.name)
