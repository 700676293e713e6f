"""What a commit built, as far as git holds it: its bundle's hash, its decision, its objects."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pricetrail.base import files
from pricetrail.base.errors import DataError, ReleaseError
from pricetrail.checks.decision import read_decision
from pricetrail.checks.gates import EVIDENCE, Decision, read_verdict
from pricetrail.lineage.commit import CANDIDATE, DECISION, LOCK, Commit
from pricetrail.lineage.dvc_cache import OID
from pricetrail.lineage.lock import parse_yaml
from pricetrail.operation.releases.remote import BUNDLE_LIMIT


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
    commit.content(LOCK)
    md5 = next((stage.outs[CANDIDATE] for stage in commit.locks[LOCK] if CANDIDATE in stage.outs), None)
    if md5 is None:
        raise ReleaseError(LOCK, f"must name {CANDIDATE} at {commit.name}: no run got so far")
    if not OID.fullmatch(md5):
        raise DataError(LOCK, f"{CANDIDATE} must have an md5", md5)
    return md5


def bundle_bytes(commit: Commit) -> int:
    """How large a commit's lock says that its bundle is; never more than this process takes into memory.

    Raises:
        DataError: the lock is no YAML.
    """
    outs = [out for stage in _stages(commit, LOCK) for out in _mappings(stage.get("outs"))]
    sizes = [out.get("size") for out in outs if out.get("path") == CANDIDATE]
    return min([BUNDLE_LIMIT, *(size for size in sizes if isinstance(size, int) and size >= 0)])


def objects_of(commit: Commit) -> frozenset[str]:
    """The md5 of every output and tracked source of a commit that DVC keeps, and git does not.

    The demo shop's are among them only where the pipeline reads it: with lines of one's own nobody may ever have
    had it. What ``dvc push`` leaves out, or puts into another remote than the default one, is not.

    Raises:
        DataError: a lock, a ``dvc.yaml`` or a ``.dvc`` file is damaged.
    """
    read = {dep for stage in commit.locks.get(LOCK, ()) for dep in stage.deps}
    found = set[str]()
    for source in commit.sources:
        tree = _tree(commit, source.name)
        is_import = any("repo" in dep for dep in _mappings(tree.get("deps")))  # lies in that repository's remote
        elsewhere = _elsewhere({str(out.get("path")): out for out in _mappings(tree.get("outs"))}, source.name)
        found |= {md5 for out, md5 in source.outs.items() if not is_import and out not in elsewhere}
    for path, stages in commit.locks.items():
        folder = PurePosixPath(path).parent  # a lock names its outputs from its own folder
        outs = {(folder / out).as_posix(): md5 for stage in stages for out, md5 in stage.outs.items()}
        if path == LOCK or not read.isdisjoint(outs):
            elsewhere = _elsewhere(_declared(commit, (folder / "dvc.yaml").as_posix()), path)
            found |= {md5 for out, md5 in outs.items() if out not in elsewhere and not commit.inside(out)}
    return frozenset(found)


def _elsewhere(outs: Mapping[str, Mapping[str, Any]], place: str) -> set[str]:
    """The outputs that are not in the default remote, as paths from the project's root."""
    folder = PurePosixPath(place).parent
    kept = {path for path, flags in outs.items() if flags.get("push") is False or flags.get("remote")}
    return {(folder / path).as_posix() for path in kept}


def _declared(commit: Commit, path: str) -> dict[str, Mapping[str, Any]]:
    """The outputs of a ``dvc.yaml`` that have settings."""
    entries = _stages(commit, path) if commit.read(path) is not None else []
    named = [out for entry in entries for kind in ("outs", "metrics", "plots") for out in _mappings(entry.get(kind))]
    return {str(name): flags for out in named for name, flags in out.items() if isinstance(flags, Mapping)}


def _stages(commit: Commit, path: str) -> list[Mapping[str, Any]]:
    """The stages of a ``dvc.yaml`` or a lock."""
    stages = _tree(commit, path).get("stages")
    return _mappings(list(stages.values())) if isinstance(stages, Mapping) else []


def _tree(commit: Commit, path: str) -> Mapping[str, Any]:
    tree = parse_yaml(commit.text(path), path)
    return tree if isinstance(tree, Mapping) else {}


def _mappings(entries: object) -> list[Mapping[str, Any]]:
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
