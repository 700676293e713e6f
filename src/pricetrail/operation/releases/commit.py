"""What a commit built, as far as git holds it: its bundle's hash, its decision, its run's record."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from pricetrail.base import files
from pricetrail.base.errors import DataError, LineageError, ReleaseError
from pricetrail.checks.decision import read_decision
from pricetrail.checks.gates import EVIDENCE, Decision, read_verdict
from pricetrail.lineage.git import git
from pricetrail.lineage.lock import parse_lock, parse_source
from pricetrail.lineage.paths import inside

CANDIDATE: Final = "models/candidate"
LOCK: Final = "dvc.lock"
DECISION, LINEAGE, TEST = "metrics/decision.json", "reports/lineage.json", "metrics/test.json"
MD5: Final = re.compile(r"[0-9a-f]{32}(\.dir)?")


@dataclass(frozen=True)
class Built:
    """What a commit built.

    Attributes:
        commit: full hash.
        bundle_md5: DVC's hash of ``models/candidate``.
        decision: over all gates, derived again.
        decision_json: the file's bytes.
        lineage_json: the bytes of the run's own record.
    """

    commit: str
    bundle_md5: str
    decision: Decision
    decision_json: bytes
    lineage_json: bytes

    @property
    def run(self) -> str:
        """The run's name."""
        return str(files.parse_json(self.lineage_json, LINEAGE).get("run"))


def commit_of(folder: Path, rev: str) -> str:
    """The full hash of a revision's commit.

    Raises:
        ReleaseError: git knows no such revision.
    """
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}", folder=folder).strip()
    except LineageError:
        raise ReleaseError("revision", "must be a commit, branch or tag that git knows", rev) from None


def bytes_at(folder: Path, commit: str, path: str) -> bytes:
    """A file's bytes at a commit.

    Raises:
        ReleaseError: it is not there.
    """
    try:
        return git("show", f"{commit}:{path}", folder=folder).encode(errors="surrogateescape")
    except LineageError:
        raise ReleaseError(path, f"must be in git at {commit[:12]}") from None


def built_at(folder: Path, rev: str) -> Built:
    """What a revision built.

    Raises:
        ReleaseError: its lock names no candidate, or it has no decision.
        DataError: its lock or its decision is damaged.
    """
    commit = commit_of(folder, rev)
    decision_json = bytes_at(folder, commit, DECISION)
    return Built(
        commit=commit,
        bundle_md5=bundle_md5_at(folder, commit),
        decision=decision_from(folder, commit, decision_json),
        decision_json=decision_json,
        lineage_json=bytes_at(folder, commit, LINEAGE),
    )


def decision_from(folder: Path, commit: str, content: bytes) -> Decision:
    """A commit's decision, derived from its verdicts, each of which is that of its own metrics file.

    Raises:
        ReleaseError: a verdict's file is not there.
        DataError: something does not follow.
    """
    decision = read_decision(files.parse_json(content, DECISION), DECISION)
    for state in decision.gates:
        name = state.verdict.gate
        evidence = files.parse_json(bytes_at(folder, commit, EVIDENCE[name]), EVIDENCE[name])
        if read_verdict(evidence, EVIDENCE[name], name) != state.verdict:
            raise DataError(DECISION, f"verdict of the {name} gate must be that of {EVIDENCE[name]}")
    return decision


def bundle_md5_at(folder: Path, commit: str) -> str:
    """DVC's hash of the bundle that a commit's lock names.

    Raises:
        ReleaseError: it names none.
        DataError: the lock is damaged.
    """
    lock = bytes_at(folder, commit, "dvc.lock").decode(errors="replace")
    for stage in parse_lock(lock):
        if CANDIDATE in stage.outs:
            md5 = stage.outs[CANDIDATE]
            if not MD5.fullmatch(md5):
                raise DataError("dvc.lock", f"{CANDIDATE} must have an md5", md5)
            return md5
    raise ReleaseError("dvc.lock", f"must name {CANDIDATE} at {commit[:12]}: no run got so far")


def objects_at(folder: Path, commit: str) -> frozenset[str]:
    """The md5 of every output and tracked source of a commit that DVC keeps, and git does not.

    The demo shop's are among them only where the pipeline reads it: with lines of one's own nobody may ever have
    had it.

    Raises:
        DataError: a lock or a ``.dvc`` file is damaged.
    """
    listed = git("ls-tree", "-r", "-z", "--name-only", commit, folder=folder).split("\0")
    locks = {
        path: parse_lock(bytes_at(folder, commit, path).decode(), path)
        for path in listed
        if PurePosixPath(path).name == LOCK
    }
    read = {dep for stage in locks.get(LOCK, ()) for dep in stage.deps}
    found = {
        md5
        for path in listed
        if path.endswith(".dvc")
        for md5 in parse_source(bytes_at(folder, commit, path).decode(), path).outs.values()
    }
    for path, stages in locks.items():
        place = PurePosixPath(path).parent  # a lock names its outputs from its own folder
        outs = {(place / out).as_posix(): md5 for stage in stages for out, md5 in stage.outs.items()}
        if path == LOCK or not read.isdisjoint(outs):
            found |= {md5 for out, md5 in outs.items() if not any(inside(name, out) for name in listed if name)}
    return frozenset(found)
