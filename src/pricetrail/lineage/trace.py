"""From an output, a release, or one prediction's id back to the raw files: ``trace``."""

import hashlib
import posixpath
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pricetrail.base import files
from pricetrail.base.dvc_hashes import md5_of
from pricetrail.base.errors import LineageError
from pricetrail.base.json_type import Json
from pricetrail.lineage.chain import Trace
from pricetrail.lineage.commit import CANDIDATE, DECISION, RECORD, WORKSPACE, Commit, revision
from pricetrail.lineage.git import git
from pricetrail.lineage.ledger import LEDGER, parse_ledger
from pricetrail.lineage.lock import StageRecord, ancestry
from pricetrail.lineage.paths import inside
from pricetrail.lineage.verify import mismatches
from pricetrail.model.prediction_id import LineageId

PREDICTIONS = "data/predictions.parquet"


@dataclass(frozen=True)
class _Output:
    """What a target means."""

    path: str
    commit: Commit
    prediction: LineageId | None = None


def trace(target: str, rev: str = WORKSPACE, *, verify: bool = True) -> Trace:
    """The whole chain from raw files to a target.

    Args:
        target: an output's path or a file in it, ``REV:path``, a git revision or release tag (its candidate), or the
            ``lineage_id`` of a prediction.
        rev: where to look for a path; the workspace where it is empty.
        verify: hold files, stages and the run's own record against the lock.

    Raises:
        LineageError: the target is not known; it says what was looked for. An empty one is none.
        DataError, SourceError: a lock, the ledger or the record is damaged.
    """
    output = _find(revision(target), Commit.at(rev))
    commit = output.commit
    chain = ancestry(commit.stages, output.path)
    decision = commit.json(DECISION)
    found = mismatches(chain, commit) if verify else ()
    prediction, notes = _prediction(output, chain)
    return Trace(
        target=target,
        path=output.path,
        md5=_md5(output, chain),
        rev=commit.rev,
        commit=commit.hash,
        committed_at=commit.committed_at,
        dirty=commit.is_dirty,
        run=commit.record.get("run"),
        stages=chain,
        outcome=decision.get("outcome"),
        gates=tuple(decision.get("gates", ())),
        verified=not found if verify else None,
        differences=found,
        prediction=prediction,
        notes=notes,
    )


def _find(target: str, commit: Commit) -> _Output:
    rev, path = commit.rev, _from_root(target)
    if LineageId.fits(target):
        if rev:
            raise LineageError("lineage id", "tells its run by itself: leave the revision out", rev)
        return _find_prediction(LineageId.parse(target), commit)
    if _is_output(path, commit):
        return _Output(path, commit)
    named, colon, inner = target.partition(":")
    if colon and not rev:
        other, path = commit.other(revision(named)), _from_root(inner)
        if _is_output(path, other):
            return _Output(path, other)
        raise LineageError(inner, f"must be an output of a stage at {named} ({other.hash[:12]})")
    if not rev:
        with suppress(LineageError):
            return _Output(CANDIDATE, commit.other(target))
    where = f"at {rev}" if rev else "in the workspace"
    rule = f"must be a git revision, a lineage id, or an output {where}, such as {CANDIDATE}"
    raise LineageError(target, f"{rule}; looked at {len(_outs(commit.stages))} outputs")


def _outs(stages: Sequence[StageRecord]) -> set[str]:
    return {out for stage in stages for out in stage.outs}


def _is_output(path: str, commit: Commit) -> bool:
    """Whether a stage wrote it, and, for a file in a folder, whether it is there as far as git or the disk can tell."""
    outs = _outs(commit.stages)
    if path in outs:
        return True
    folder = next((out for out in outs if inside(path, out)), None)
    if folder is None or commit.rev == WORKSPACE:
        return folder is not None and Path(path).exists()
    return not commit.inside(folder) or bool(commit.inside(path))


def _from_root(path: str) -> str:
    """A path as the lock has it."""
    folder = Path.cwd().as_posix()
    return posixpath.normpath(posixpath.relpath(path, folder) if inside(path, folder) else path)


def _find_prediction(wanted: LineageId, here: Commit) -> _Output:
    """The run of a prediction: the workspace's, or the newest commit whose record names its bundle."""
    if _bundle_in_workspace(here).startswith(wanted.bundle):
        return _Output(PREDICTIONS, here, wanted)
    commits = git("log", "--all", "--format=%H", "--", RECORD).split()
    for commit in map(here.other, commits):
        if str(commit.record.get("bundle", "")).startswith(wanted.bundle):
            return _Output(PREDICTIONS, commit, wanted)
    ledger = Path(LEDGER)
    runs = parse_ledger(files.read_text(ledger), LEDGER) if ledger.exists() else ()
    looked = f"looked at the workspace, {len(runs)} runs of {LEDGER} and {len(commits)} commits of {RECORD}"
    for run in runs:
        if run.bundle.startswith(wanted.bundle):
            raise LineageError("lineage id", f"is of run {run.run}, which no commit holds: {looked}", str(wanted))
    raise LineageError("lineage id", f"must be of a bundle that a run recorded: {looked}", str(wanted))


def _bundle_in_workspace(here: Commit) -> str:
    manifest = Path(CANDIDATE) / "manifest.json"
    if manifest.exists():
        return hashlib.sha256(files.read_bytes(manifest)).hexdigest()
    return str(here.record.get("bundle", ""))


def _prediction(output: _Output, chain: Sequence[StageRecord]) -> tuple[Mapping[str, Json] | None, tuple[str, ...]]:
    """The row of a lineage id, where the workspace's predictions are those of its run; else what would bring it."""
    if output.prediction is None:
        return None, ()
    recorded, file = _recorded(PREDICTIONS, chain), Path(PREDICTIONS)
    if not file.exists() or md5_of(file) != recorded:
        rev = output.commit.rev and f"`git checkout {output.commit.hash[:12]}` and "
        way = f"{rev}`dvc checkout`"
        return None, (f"{PREDICTIONS} here is not that run's: {way} or `pricetrail replay` would bring the row",)
    table = files.read_table(file)
    if "lineage_id" not in table or not (rows := table[table["lineage_id"] == str(output.prediction)]).size:
        rule = f"must name one of the {len(table)} rows of {PREDICTIONS}"
        raise LineageError("lineage id", rule, str(output.prediction))
    row = rows.iloc[0].items()
    return {str(key): value.item() if hasattr(value, "item") else str(value) for key, value in row}, ()


def _md5(output: _Output, chain: Sequence[StageRecord]) -> str | None:
    """The lock's hash of an output; of a file inside one, the file's own, where it is at hand."""
    return _recorded(output.path, chain) or output.commit.hashes([output.path]).get(output.path)


def _recorded(path: str, chain: Sequence[StageRecord]) -> str | None:
    return next((stage.outs[path] for stage in chain if path in stage.outs), None)
