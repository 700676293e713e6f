"""The releases of a project, which of them serves, and which one served before; all from git's tags."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pricetrail.base.errors import PricetrailError, ReleaseError
from pricetrail.base.json_type import Json
from pricetrail.lineage.commit import DECISION, Commit
from pricetrail.operation.releases import tags
from pricetrail.operation.releases.tags import Event, semver

TEST = "metrics/test.json"
REASON, ROLLED_BACK = "reason", "rolled_back"  # of a rollback's note: why, and the version that served until then


@dataclass(frozen=True)
class Registry:
    """Versions by their order, and what was put into production, first to last."""

    versions: tuple[Event, ...]
    assignments: tuple[Event, ...]

    @classmethod
    def read(cls, folder: Path) -> Registry:
        """From the tags of a project's git.

        Raises:
            ReleaseError: they cannot be read.
        """
        return cls(*tags.history(folder))

    @property
    def production(self) -> Event | None:
        """The tag that says what serves; None where nothing does."""
        return self.assignments[-1] if self.assignments else None

    @property
    def previous(self) -> str | None:
        """The version that served before the one in production, and was not withdrawn."""
        served = list[str]()
        for event in self.assignments:
            if event.version in served:  # a rollback: what came after it is withdrawn
                del served[served.index(event.version) + 1 :]
            else:
                served.append(event.version)
        return served[-2] if len(served) > 1 else None

    @property
    def next_version(self) -> str:
        """The next version's name."""
        return f"v{semver(self.versions[-1].version)[0] + 1 if self.versions else 1}.0.0"

    def version(self, name: str) -> Event:
        """A version's tag.

        Raises:
            ReleaseError: there is none.
        """
        for event in self.versions:
            if event.version == name:
                return event
        known = ", ".join(event.version for event in self.versions) or "there is none"
        raise ReleaseError("version", f"must be a release ({known})", name)

    def of_bundle(self, bundle_md5: str) -> Event | None:
        """The version whose record names a bundle; None where no release does."""
        for event in self.versions:
            with contextlib.suppress(ReleaseError):
                if tags.parts(event.message, event.tag)[0].bundle_md5 == bundle_md5:
                    return event
        return None

    def served_with(self, bundle_md5: str) -> Event | None:
        """The same, where that version was ever put into production."""
        made = self.of_bundle(bundle_md5)
        return made if made and any(event.version == made.version for event in self.assignments) else None


@dataclass(frozen=True)
class Row:
    """A release as a person reads it, with the figures of its commit, None where they cannot be read.

    Attributes:
        tagged_at: ISO 8601.
        author: of the tag.
        production: whether it serves.
        outcome: the decision of the commit.
        withdrawn: the reason of each rollback from it.
    """

    version: str
    tag: str
    commit: str
    tagged_at: str
    author: str
    production: bool
    test_mse_log_quantity: float | None
    skill: float | None
    outcome: str | None
    withdrawn: tuple[str, ...]

    def record(self) -> Mapping[str, Json]:
        """As JSON."""
        return {**asdict(self), "withdrawn": list(self.withdrawn)}


def rows(folder: Path) -> tuple[Row, ...]:
    """Every release with the figures of its commit, newest first.

    Raises:
        ReleaseError: the tags cannot be read.
    """
    registry, here = Registry.read(folder), Commit.at(folder=folder)
    serving = registry.production.version if registry.production else None
    return tuple(_row(here, registry, event, serving) for event in reversed(registry.versions))


def _row(here: Commit, registry: Registry, event: Event, serving: str | None) -> Row:
    test, decision = (_tree(here, event.commit, path) for path in (TEST, DECISION))
    notes = [tags.note_of(other.message) for other in registry.assignments]
    return Row(
        version=event.version,
        tag=event.tag,
        commit=event.commit,
        tagged_at=event.tagged_at,
        author=event.author,
        production=event.version == serving,
        test_mse_log_quantity=_number(test.get("mse_log_quantity")),
        skill=_number(test.get("skill")),
        outcome=str(decision["outcome"]) if "outcome" in decision else None,
        withdrawn=tuple(note[REASON] for note in notes if REASON in note and note.get(ROLLED_BACK) == event.version),
    )


def _tree(here: Commit, commit: str, path: str) -> Mapping[str, object]:
    try:
        return here.other(commit).json(path)
    except PricetrailError:  # a list still shows the release
        return {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
