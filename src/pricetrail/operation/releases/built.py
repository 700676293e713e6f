"""What a commit built, as far as git holds it: its bundle's hash, its decision, its objects."""

import re
from pathlib import PurePosixPath
from typing import Final

from pricetrail.base import files
from pricetrail.base.errors import DataError, ReleaseError
from pricetrail.checks.decision import read_decision
from pricetrail.checks.gates import EVIDENCE, Decision, read_verdict
from pricetrail.lineage.commit import CANDIDATE, DECISION, LOCK, Commit
from pricetrail.lineage.lock import parse_lock

MD5: Final = re.compile(r"[0-9a-f]{32}(\.dir)?")


def decision_of(commit: Commit) -> Decision:
    """A commit's decision, derived from its verdicts, each of which is that of its own metrics file.

    Raises:
        LineageError: it has none, or a verdict's file is not there.
        DataError: something does not follow.
    """
    decision = read_decision(files.parse_json(commit.content(DECISION), DECISION), DECISION)
    for state in decision.gates:
        name = state.verdict.gate
        evidence = files.parse_json(commit.content(EVIDENCE[name]), EVIDENCE[name])
        if read_verdict(evidence, EVIDENCE[name], name) != state.verdict:
            raise DataError(DECISION, f"verdict of the {name} gate must be that of {EVIDENCE[name]}")
    return decision


def bundle_md5(commit: Commit) -> str:
    """DVC's hash of the bundle that a commit's lock names.

    Raises:
        ReleaseError: it names none.
        LineageError: there is no lock.
        DataError: the lock is damaged.
    """
    stages = parse_lock(commit.text(LOCK))
    md5 = next((stage.outs[CANDIDATE] for stage in stages if CANDIDATE in stage.outs), None)
    if md5 is None:
        raise ReleaseError(LOCK, f"must name {CANDIDATE} at {commit.name}: no run got so far")
    if not MD5.fullmatch(md5):
        raise DataError(LOCK, f"{CANDIDATE} must have an md5", md5)
    return md5


def objects_of(commit: Commit) -> frozenset[str]:
    """The md5 of every output and tracked source of a commit that DVC keeps, and git does not.

    The demo shop's are among them only where the pipeline reads it: with lines of one's own nobody may ever have
    had it.

    Raises:
        DataError: a lock or a ``.dvc`` file is damaged.
    """
    read = {dep for stage in commit.locks.get(LOCK, ()) for dep in stage.deps}
    found = {md5 for source in commit.sources for md5 in source.outs.values()}
    for path, stages in commit.locks.items():
        folder = PurePosixPath(path).parent  # a lock names its outputs from its own folder
        outs = {(folder / out).as_posix(): md5 for stage in stages for out, md5 in stage.outs.items()}
        if path == LOCK or not read.isdisjoint(outs):
            found |= {md5 for out, md5 in outs.items() if not commit.inside(out)}
    return frozenset(found)
