"""How a run can end, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """The normal endings; anything else is a fault, and publishes nothing."""

    RELEASED = "Released"  # results published, and a new release serves
    PUBLISHED = "Published"  # results published, the candidate is the one that serves already
    WITHHELD = "Withheld"  # results published, a gate is closed
    UNCHANGED = "Unchanged"  # nothing new: nothing published
    SUPERSEDED = "Superseded"  # the branch holds other inputs or results by now: nothing published


@dataclass(frozen=True)
class Ending:
    """One run that came to an end.

    Attributes:
        headline: one sentence.
        base: the commit it started from.
        commit: the commit it published; ``base`` where it published none.
        version: of the release it made; empty for none.
        objects, object_bytes: new ones of this run, all of them in the remote.
        message: of the commit; empty where there was none.
        seconds: by step.
    """

    outcome: Outcome
    headline: str
    base: str
    commit: str
    version: str = ""
    objects: int = 0
    object_bytes: int = 0
    message: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
