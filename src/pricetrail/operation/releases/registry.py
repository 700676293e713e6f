"""The releases of a project, which of them serves, and which one served before; all from git's signed tags."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from pricetrail.base.errors import PricetrailError, ReleaseError
from pricetrail.lineage.commit import DECISION, Commit
from pricetrail.lineage.place import require_one_project, unknown_past
from pricetrail.operation.releases import tags
from pricetrail.operation.releases.keys import KeyPair
from pricetrail.operation.releases.records import Assignment, Record, signed_assignment, signed_record, stage_message
from pricetrail.operation.releases.tags import ARTIFACT, STAGE, STAGE_TAG, VERSION_TAG, Tag, semver
from pricetrail.operation.releases.trust import Trust, trusted

TEST = "metrics/test.json"
TOLD = 5  # tags that a warning names

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Version:
    """A release: its tag, what it is, and the key that signed it."""

    tag: Tag
    record: Record
    key: str

    @property
    def name(self) -> str:
        """Such as ``v3.0.0``."""
        return self.record.version


@dataclass(frozen=True)
class Registry:
    """What counts of the tags: those that a trusted key signed.

    Attributes:
        versions: by their order.
        assignments: what was put into production, first to last.
        left_out: the other tags by name, and why each steers nothing.
        older: what stage tags without a signature put into production; they were made so until signatures came.
    """

    versions: tuple[Version, ...]
    assignments: tuple[Assignment, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    older: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path, trust: Trust | None = None) -> Registry:
        """From the tags of a project's git.

        Raises:
            LineageError: they cannot be read, or are of several projects.
            ReleaseError: the trusted keys cannot.
        """
        require_one_project(folder)
        trust, found = trust or trusted(folder), tags.read_tags(folder)
        left_out, versions, stages = dict(found.left_out), list[Version](), list[Assignment]()
        for tag in (tag for tag in found.whole if VERSION_TAG.fullmatch(tag.name)):
            try:
                versions.append(Version(tag, *signed_record(tag, trust)))
            except ReleaseError as error:
                left_out[tag.name] = error.rule
        older = list[tuple[int, str]]()
        for tag in (tag for tag in found.whole if STAGE_TAG.fullmatch(tag.name)):
            try:
                stages.append(signed_assignment(tag, trust))
            except ReleaseError as error:
                left_out[tag.name] = error.rule
                there = [version.name for version in versions if version.tag.commit == tag.commit]
                older += [(int(tag.name.rpartition("#")[2]), name) for name in there]
        versions.sort(key=lambda version: semver(version.name))
        stages.sort(key=lambda assignment: assignment.number)
        return cls(tuple(versions), tuple(stages), left_out, tuple(name for _, name in sorted(older)))

    def warn(self) -> None:
        """Name the tags that were left out, but those of the stage from before its first signed one."""
        first = self.assignments[0].number if self.assignments else 0
        stages = {name: STAGE_TAG.fullmatch(name) for name in self.left_out}
        names = sorted(name for name, match in stages.items() if match is None or int(match[1]) > first)
        if names:
            told = [f"{name!a} ({self.left_out[name]})" for name in names[:TOLD]]
            more = f", and {len(names) - TOLD} more" if len(names) > TOLD else ""
            log.warning("git tags that steer nothing: %s%s", ", ".join(told), more)

    @property
    def production(self) -> Assignment | None:
        """What says which release serves; None where none does."""
        return self.assignments[-1] if self.assignments else None

    def put_by(self, assignment: Assignment) -> Version:
        """The very release that was put into production.

        Raises:
            ReleaseError: it is not here, or another one has its name: an older one must not serve in its place.
        """
        for version in self.versions:
            if (version.name, version.tag.object) == (assignment.version, assignment.release):
                return version
        name = f"{ARTIFACT}@{assignment.version}"
        why = self.left_out.get(name, "git has none of it")
        rule = f"must be there as it was put into production, {why}: `git fetch origin tag {name}`"
        raise ReleaseError(name, rule)

    def require_signed_stage(self) -> None:
        """Hold that what was put into production before stage tags were signed is signed by now.

        Raises:
            ReleaseError: it is not; the command that does it.
        """
        if self.older and not self.assignments:
            how = f"`pricetrail rollback --to {self.older[-1]} --reason 'sign what serves'`"
            rule = "must be signed, so that no other hand says which release serves"
            raise ReleaseError(f"{ARTIFACT}#{STAGE}", f"{rule}: see `pricetrail releases`, then {how}")

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
        """The next version's name: the first that no tag has, of anybody."""
        major = semver(self.versions[-1].name)[0] + 1 if self.versions else 1
        return f"v{self._first_free(major, f'{ARTIFACT}@v', '.0.0')}.0.0"

    @property
    def _next_number(self) -> int:
        number = self.assignments[-1].number + 1 if self.assignments else 1
        return self._first_free(number, f"{ARTIFACT}#{STAGE}#")

    def _first_free(self, least: int, before: str, after: str = "") -> int:
        """The least number whose name no tag has, nor the folder of one."""
        taken = {name.partition("/")[0] for name in self.left_out}
        return next(number for number in count(least) if f"{before}{number}{after}" not in taken)

    def version(self, name: str) -> Version:
        """A version.

        Raises:
            ReleaseError: there is none.
        """
        for version in self.versions:
            if version.name == name:
                return version
        known = ", ".join(version.name for version in self.versions) or "there is none"
        raise ReleaseError("version", f"must be a release ({known})", name)

    def of_bundle(self, bundle_md5: str) -> Version | None:
        """The version whose record names a bundle; None where no release does."""
        return next((version for version in self.versions if version.record.bundle_md5 == bundle_md5), None)

    def served_with(self, bundle_md5: str) -> Version | None:
        """The same, where that version was ever put into production."""
        made = self.of_bundle(bundle_md5)
        return made if made and made.name in {*self.older, *(event.version for event in self.assignments)} else None

    def assign(self, folder: Path, version: Version, author: str, keys: KeyPair, **why: str) -> str:
        """Make the signed tag that puts a version into production; its name.

        Args:
            folder: of the project.
            version: that serves from now on.
            author: of the tag, ``Name <mail>``.
            keys: that sign.
            **why: ``reason`` and ``rolled_back`` of a rollback.

        Raises:
            ReleaseError: it cannot be made.
        """
        said = Assignment(ARTIFACT, STAGE, self._next_number, version.name, version.tag.object, **why)
        name = f"{ARTIFACT}#{STAGE}#{said.number}"
        return tags.make_tag(folder, name, version.tag.commit, stage_message(said, keys), author).name


@dataclass(frozen=True)
class Row:
    """A release as a person reads it, with the figures of its commit, None where they cannot be read.

    Attributes:
        tagged_at: ISO 8601.
        author: of the tag.
        production: whether it serves.
        outcome: the decision of the commit.
        withdrawn: the reason of each rollback from it.
        key: fingerprint of the key that signed it.
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
    key: str = ""


def rows(folder: Path, trust: Trust | None = None) -> tuple[Row, ...]:
    """Every release with the figures of its commit, newest first; tags that are not signed are named in a warning.

    Raises:
        LineageError: the tags cannot be read.
        ReleaseError: the trusted keys cannot.
    """
    registry, here = Registry.read(folder, trust), Commit.at(folder=folder)
    registry.warn()
    if told := unknown_past(folder):
        log.warning("%s", told)
    serving = registry.production.version if registry.production else None
    return tuple(_row(here, registry, version, serving) for version in reversed(registry.versions))


def _row(here: Commit, registry: Registry, version: Version, serving: str | None) -> Row:
    test, decision = (_tree(here, version.tag.commit, path) for path in (TEST, DECISION))
    return Row(
        version=version.name,
        tag=version.tag.name,
        commit=version.tag.commit,
        tagged_at=version.tag.tagged_at,
        author=version.tag.author,
        production=version.name == serving,
        test_mse_log_quantity=_number(test.get("mse_log_quantity")),
        skill=_number(test.get("skill")),
        outcome=str(decision["outcome"]) if "outcome" in decision else None,
        withdrawn=tuple(event.reason for event in registry.assignments if event.rolled_back == version.name),
        key=version.key,
    )


def _tree(here: Commit, commit: str, path: str) -> Mapping[str, object]:
    try:
        return here.other(commit).json(path)
    except PricetrailError:  # a list still shows the release
        return {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
