"""Where an output comes from, as types: the stages behind it, the commit, the gates, and whether it all holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pricetrail.base.json_type import Json
from pricetrail.lineage.lock import StageRecord
from pricetrail.lineage.paths import PACKAGES


@dataclass(frozen=True)
class Mismatch:
    """Something that is not as the lock says.

    Attributes:
        path: file, folder or parameter.
        place: where it was found: ``workspace``, a revision, another stage's record, ``reports/lineage.json``.
        recorded: hash or value in the lock.
        found: hash or value found; None where there is none.
    """

    path: str
    place: str
    recorded: Json
    found: Json


@dataclass(frozen=True)
class Trace:
    """The whole chain from raw files to one output.

    Attributes:
        target: as it was asked for.
        path: the output it means.
        md5: of that output, None for a file in a folder that is not at hand.
        rev: as it was asked for; empty for the workspace.
        commit: of that revision, or the one that the workspace is based on.
        committed_at: time of that commit, ISO 8601.
        dirty: the workspace's files are not those of the commit.
        run: name of the run in the ledger; None where it is not recorded.
        stages: every stage on the way, sources first, the stage or source that the output is of last.
        outcome, gates: as in ``metrics/decision.json``; None and empty where nothing was decided.
        verified: every check held; None where none was made. ``differences`` are what did not hold.
        prediction: the row that a lineage id names; None for other targets, or where it is not at hand.
    """

    target: str
    path: str
    md5: str | None
    rev: str
    commit: str
    committed_at: str
    dirty: bool
    run: str | None
    stages: tuple[StageRecord, ...]
    outcome: str | None
    gates: tuple[Mapping[str, Json], ...]
    verified: bool | None
    differences: tuple[Mismatch, ...] = ()
    prediction: Mapping[str, Json] | None = None
    notes: tuple[str, ...] = ()

    @property
    def environment(self) -> str | None:
        """Hash of the lock of packages that the last stage ran with."""
        return next((s.deps[PACKAGES] for s in reversed(self.stages) if PACKAGES in s.deps), None)

    def record(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {**asdict(self), "environment": self.environment}
