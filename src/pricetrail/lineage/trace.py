"""From an output, a release, or one prediction's id back to the raw files: ``trace``."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pricetrail.base import files
from pricetrail.base.dvc_hashes import md5_of
from pricetrail.base.errors import LineageError, SourceError
from pricetrail.base.json_type import Json
from pricetrail.lineage import git
from pricetrail.lineage.chain import Trace
from pricetrail.lineage.git import WORKSPACE
from pricetrail.lineage.ledger import parse_ledger
from pricetrail.lineage.lock import StageRecord, ancestry
from pricetrail.lineage.paths import inside
from pricetrail.lineage.verify import RECORD, differences, hashes_at, record_at
from pricetrail.model.prediction_id import LineageId

CANDIDATE, PREDICTIONS = "models/candidate", "data/predictions.parquet"
LEDGER, DECISION = "reports/runs.jsonl", "metrics/decision.json"
StagesAt = Callable[[str], tuple[StageRecord, ...]]


@dataclass(frozen=True)
class _Place:
    """What a target means."""

    path: str
    rev: str
    prediction: LineageId | None = None


def trace(target: str, rev: str = WORKSPACE, *, verify: bool = True) -> Trace:
    """The whole chain from raw files to a target.

    Args:
        target: an output's path or a file in it, ``REV:path``, a git revision or release tag (its candidate), or the
            ``lineage_id`` of a prediction.
        rev: where to look for a path; the workspace where it is empty.
        verify: hold files, stages and the run's own record against the lock.

    Raises:
        LineageError: the target is not known; it says what was looked for.
        DataError, SourceError: a lock, the ledger or the record is damaged.
    """
    stages_at = cache(git.stages_at)
    place = _find(target, rev, stages_at)
    chain = ancestry(stages_at(place.rev), place.path)
    commit = git.commit_of(place.rev or "HEAD")
    decision = _json_at(DECISION, place.rev)
    found = differences(chain, place.rev) if verify else ()
    prediction, notes = _prediction(place, chain)
    return Trace(
        target=target,
        path=place.path,
        md5=_md5(place, chain),
        rev=place.rev,
        commit=commit,
        committed_at=git.committed_at(commit),
        dirty=place.rev == WORKSPACE and git.is_dirty(),
        run=record_at(place.rev).get("run"),
        stages=chain,
        outcome=decision.get("outcome"),
        gates=tuple(decision.get("gates", ())),
        verified=not found if verify else None,
        differences=found,
        prediction=prediction,
        notes=notes,
    )


def _find(target: str, rev: str, stages_at: StagesAt) -> _Place:
    if LineageId.fits(target):
        if rev:
            raise LineageError("lineage id", "tells its run by itself: leave the revision out", rev)
        return _find_prediction(LineageId.parse(target))
    if _is_output(_from_root(target), rev, stages_at):
        return _Place(_from_root(target), rev)
    named, colon, path = target.partition(":")
    if colon and not rev:
        commit = git.commit_of(named)
        if _is_output(_from_root(path), named, stages_at):
            return _Place(_from_root(path), named)
        raise LineageError(path, f"must be an output of a stage at {named} ({commit[:12]})")
    if not rev and _is_revision(target):
        return _Place(CANDIDATE, target)
    rule = f"must be a git revision, a lineage id, or an output {_where(rev)}, such as {CANDIDATE}"
    raise LineageError(target, f"{rule}; looked at {len(_outs(stages_at(rev)))} outputs")


def _where(rev: str) -> str:
    return f"at {rev}" if rev else "in the workspace"


def _outs(stages: Sequence[StageRecord]) -> set[str]:
    return {out for stage in stages for out in stage.outs}


def _is_output(path: str, rev: str, stages_at: StagesAt) -> bool:
    """Whether a stage wrote it, and, for a file in a folder, whether it is there as far as git or the disk can tell."""
    outs = _outs(stages_at(rev))
    if path in outs:
        return True
    folder = next((out for out in outs if inside(path, out)), None)
    if folder is None or rev == WORKSPACE:
        return folder is not None and Path(path).exists()
    listed = git.listed(rev)
    is_in_git = any(inside(name, folder) for name in listed)
    return not is_in_git or any(inside(name, path) for name in listed)


def _is_revision(text: str) -> bool:
    try:
        return bool(git.commit_of(text))
    except LineageError:
        return False


def _from_root(path: str) -> str:
    """A path as the lock has it."""
    folder = Path.cwd().as_posix()
    return posixpath.normpath(posixpath.relpath(path, folder) if inside(path, folder) else path)


def _find_prediction(wanted: LineageId) -> _Place:
    """The run of a prediction: the workspace's, or the newest commit whose record names its bundle."""
    if _bundle_in_workspace().startswith(wanted.bundle):
        return _Place(PREDICTIONS, WORKSPACE, wanted)
    commits = git.commits_of(RECORD)
    for commit in commits:
        if str(record_at(commit).get("bundle", "")).startswith(wanted.bundle):
            return _Place(PREDICTIONS, commit, wanted)
    ledger = Path(LEDGER)
    runs = parse_ledger(files.read_text(ledger), LEDGER) if ledger.exists() else ()
    looked = f"looked at the workspace, {len(runs)} runs of {LEDGER} and {len(commits)} commits of {RECORD}"
    for run in runs:
        if run.bundle.startswith(wanted.bundle):
            raise LineageError("lineage id", f"is of run {run.run}, which no commit holds: {looked}", str(wanted))
    raise LineageError("lineage id", f"must be of a bundle that a run recorded: {looked}", str(wanted))


def _bundle_in_workspace() -> str:
    manifest = Path(CANDIDATE) / "manifest.json"
    if manifest.exists():
        return hashlib.sha256(files.read_bytes(manifest)).hexdigest()
    return str(record_at().get("bundle", ""))


def _prediction(place: _Place, chain: Sequence[StageRecord]) -> tuple[Mapping[str, Json] | None, tuple[str, ...]]:
    """The row of a lineage id, where the workspace's predictions are those of its run; else what would bring it."""
    if place.prediction is None:
        return None, ()
    recorded, file = _recorded(PREDICTIONS, chain), Path(PREDICTIONS)
    if not file.exists() or md5_of(file) != recorded:
        way = "`dvc checkout`" if place.rev == WORKSPACE else f"`git checkout {place.rev[:12]}` and `dvc checkout`"
        return None, (f"{PREDICTIONS} here is not that run's: {way} or `pricetrail replay` would bring the row",)
    table = files.read_table(file)
    if "lineage_id" not in table or not (rows := table[table["lineage_id"] == str(place.prediction)]).size:
        raise LineageError(
            "lineage id", f"must name one of the {len(table)} rows of {PREDICTIONS}", str(place.prediction)
        )
    row = rows.iloc[0].items()
    return {str(key): value.item() if hasattr(value, "item") else str(value) for key, value in row}, ()


def _md5(place: _Place, chain: Sequence[StageRecord]) -> str | None:
    """The lock's hash of an output; of a file inside one, the file's own, where it is at hand."""
    return _recorded(place.path, chain) or hashes_at([place.path], place.rev).get(place.path)


def _recorded(path: str, chain: Sequence[StageRecord]) -> str | None:
    return next((stage.outs[path] for stage in chain if path in stage.outs), None)


def _json_at(path: str, rev: str) -> Mapping[str, Any]:
    """A JSON file of a revision; empty where it is not there."""
    try:
        text = git.read_at(path, rev)
    except (LineageError, SourceError):
        return {}
    return files.parse_json(text, path)
