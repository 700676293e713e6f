"""Replay: a commit's outputs built again in a clone of its own, and held against the hashes of its locks.

The clone has the commit's files from git, its raw data by hash from the project's cache or remote, an empty cache,
and none of the outputs that DVC keeps. Its code is the commit's; the packages are those installed here.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from signal import SIGTERM
from tempfile import TemporaryDirectory

from pricetrail.base import files
from pricetrail.base.dvc_hashes import md5_where_there
from pricetrail.base.errors import LineageError
from pricetrail.base.params import FILE
from pricetrail.base.processes import ended_by_sigterm
from pricetrail.lineage.changes import Change, changes, parse_packages, value_at
from pricetrail.lineage.commit import LOCK, Commit
from pricetrail.lineage.git import git
from pricetrail.lineage.lock import StageRecord, ancestry, parse_lock, parse_yaml
from pricetrail.lineage.paths import PACKAGES
from pricetrail.lineage.replay_clone import Clone, Origin, Repro
from pricetrail.lineage.why import Difference, explain_difference


@dataclass(frozen=True)
class Output:
    """One output of a recorded run.

    Attributes:
        recorded: DVC's md5 in the commit's lock.
        rebuilt: the replay's; None where it left no such output.
        committed: that of the file in the commit; None where git does not hold the output.
    """

    stage: str
    path: str
    recorded: str
    rebuilt: str | None
    committed: str | None = None

    @property
    def verdict(self) -> str:
        """Whether the bytes are the same; ``altered`` where the commit holds others than its own lock says."""
        if self.rebuilt is None:
            return "missing"
        if self.rebuilt != self.recorded:
            return "differs"
        return "identical" if self.committed in (None, self.recorded) else "altered"


@dataclass(frozen=True)
class Replay:
    """What a replay found.

    Attributes:
        commit: full hash.
        outputs: of every stage that was compared, in the order of the locks.
        origins: where each piece of raw data was taken from.
        packages: those that are not here as ``requirements.lock`` of the commit says; ``new`` is what is here.
        stopped_at: stages that ended the replay, and of which the commit has no run with these inputs either.
        earlier: recorded stages behind these: of an earlier run, not compared.
        difference: of the rebuilt run from the recorded one.
    """

    commit: str
    outputs: tuple[Output, ...]
    origins: tuple[Origin, ...]
    packages: tuple[Change, ...]
    stopped_at: tuple[str, ...]
    earlier: tuple[str, ...]
    difference: Difference
    seconds: float

    @property
    def percent(self) -> float:
        """Share of the outputs that are identical, percent."""
        return 100 * sum(output.verdict == "identical" for output in self.outputs) / len(self.outputs)

    @property
    def is_identical(self) -> bool:
        """Whether every output is."""
        return all(output.verdict == "identical" for output in self.outputs)


def replay(
    rev: str, keep: Path | None = None, only: Sequence[str] = (), announce: Callable[[str], None] = lambda _: None
) -> Replay:
    """Build the outputs of a commit again.

    Args:
        rev: a revision that git knows.
        keep: a new folder for the clone; without it the clone is temporary.
        only: stages to replay, with what they read from; without any, all.
        announce: called with what begins.

    Raises:
        LineageError: the revision or a stage is not known, no run is recorded, raw data is nowhere, or a stage fails
            that did not fail then.
    """
    start = time.monotonic()
    commit = Commit.of(rev)
    recorded = _wanted(commit.stages, only)
    _check_raw_data(recorded, commit)
    packages = installed_otherwise((commit.read(PACKAGES) or b"").decode())
    with ended_by_sigterm(SystemExit(128 + SIGTERM)), _folder(keep) as folder:
        announce(f"clone of {commit.hash[:12]}")
        clone = Clone.make(folder, commit)
        origins = clone.fetch(_sources(recorded), announce)
        committed = _committed(recorded, clone.folder, commit)
        locks = clone.take_locks()
        repro = clone.repro(_targets(locks, only), _log(commit.hash), announce)
        _check_failures(repro, recorded, clone.folder)
        earlier = {stage.name for stage in recorded} & {*repro.failed, *repro.skipped}
        left = {path: clone.folder / path for path in locks if (clone.folder / path).exists()}
        rebuilt = [stage for path, lock in left.items() for stage in parse_lock(files.read_text(lock), path)]
    compared = [stage for stage in recorded if stage.name not in earlier]
    return Replay(
        commit=commit.hash,
        outputs=compare_outputs(compared, rebuilt, committed),
        origins=origins,
        packages=packages,
        stopped_at=repro.failed,
        earlier=tuple(sorted(earlier)),
        difference=_difference(compared, rebuilt),
        seconds=time.monotonic() - start,
    )


def is_of_this_history(rev: str) -> bool:
    """Whether a revision is what is checked out here, or one that it follows from: code that this project ran or runs.

    Raises:
        LineageError: git knows no such revision.
    """
    commit = Commit.of(rev)
    return commit.hash in git("rev-list", "HEAD").split()


def compare_outputs(
    recorded: Sequence[StageRecord], rebuilt: Sequence[StageRecord], committed: Mapping[str, str | None]
) -> tuple[Output, ...]:
    """Every recorded output beside the rebuilt one of the same stage.

    Raises:
        LineageError: there is none.
    """
    again = {stage.name: stage.outs for stage in rebuilt}
    outputs = tuple(
        Output(stage.name, path, md5, again.get(stage.name, {}).get(path), committed.get(path))
        for stage in recorded
        if stage.cmd
        for path, md5 in stage.outs.items()
    )
    if not outputs:
        raise LineageError(LOCK, "must record an output that can be compared")
    return outputs


def installed_otherwise(locked: str) -> tuple[Change, ...]:
    """Packages of a ``requirements.lock`` that are installed in another version, or not at all."""
    wanted = parse_packages(locked)
    here = dict[str, str]()
    for name in wanted:
        with suppress(PackageNotFoundError):
            here[name] = version(name)
    # As pip has it: a pin without a local label (+cpu) stands for every label.
    plain = {name: found if "+" in wanted[name] else found.partition("+")[0] for name, found in here.items()}
    return changes(wanted, plain)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with TemporaryDirectory(prefix="pricetrail-replay-") as temporary:
            yield Path(temporary) / "clone"
        return
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise LineageError(str(keep), "must be a new folder, or an empty one")
    yield keep.absolute()


def _log(commit: str) -> Path:
    """A file that git ignores, as everything of ``.dvc/tmp``."""
    folder = Path(".dvc/tmp").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"replay-{commit[:12]}.log"


def _wanted(recorded: Sequence[StageRecord], only: Sequence[str]) -> tuple[StageRecord, ...]:
    names = {stage.name for stage in recorded if stage.cmd}
    if unknown := sorted(set(only) - names):
        raise LineageError(LOCK, f"must record stage {unknown[0]}; it records {', '.join(sorted(names))}")
    if not only:
        return tuple(recorded)
    paths = [path for stage in recorded if stage.name in only for path in stage.outs]
    kept = {stage.name for path in paths for stage in ancestry(recorded, path)} | set(only)
    return tuple(stage for stage in recorded if stage.name in kept)


def _sources(recorded: Sequence[StageRecord]) -> list[StageRecord]:
    """Tracked sources that a recorded stage reads, or reads from."""
    needed = {source.name for stage in recorded for dep in stage.deps for source in ancestry(recorded, dep)}
    return [stage for stage in recorded if not stage.cmd and stage.name in needed]


def _check_raw_data(recorded: Sequence[StageRecord], commit: Commit) -> None:
    for stage in recorded:
        for dep in stage.deps:
            outside = "://" in dep or PurePosixPath(dep).is_absolute()
            if not outside and not ancestry(recorded, dep) and not commit.inside(dep):
                rule = f"must be tracked by git or DVC (dvc add) to be replayed; {stage.name} reads it"
                raise LineageError(dep, rule)


def _committed(recorded: Sequence[StageRecord], folder: Path, commit: Commit) -> dict[str, str | None]:
    paths = [path for stage in recorded if stage.cmd for path in stage.outs]
    return {path: md5_where_there(folder / path) for path in paths if commit.inside(path)}


def _targets(locks: Mapping[str, str], only: Sequence[str]) -> list[str]:
    """What ``dvc repro`` is to run: every pipeline with a lock, or single stages of them."""
    pipelines = {path: str(PurePosixPath(path).with_name("dvc.yaml")) for path in locks}
    if not only:
        return sorted(pipelines.values())
    stages = [(path, stage.name) for path, text in locks.items() for stage in parse_lock(text, path)]
    return [f"{pipelines[path]}:{name}" for path, name in stages if name in only]


def _check_failures(repro: Repro, recorded: Sequence[StageRecord], folder: Path) -> None:
    """A stage that fails is as recorded only where the lock has no run of it with these inputs.

    Raises:
        LineageError: it has one, or DVC failed without running a stage.
    """
    by_name = {stage.name: stage for stage in recorded}
    for name in repro.failed:
        record = by_name.get(name)
        if record is not None and _has_same_inputs(record, folder):
            raise LineageError(f"stage {name}", f"must succeed as it did then: {repro.reason} (log: {repro.log})")
    if not repro.is_done and not repro.failed:
        raise LineageError("dvc repro", f"must succeed: {repro.reason} (log: {repro.log})")


def _has_same_inputs(record: StageRecord, folder: Path) -> bool:
    file = folder / FILE
    params = parse_yaml(files.read_text(file), FILE) if file.exists() else {}
    same_params = all(value_at(params, key) == value for key, value in record.params.items())
    return same_params and all(md5_where_there(folder / dep) == md5 for dep, md5 in record.deps.items())


def _difference(compared: Sequence[StageRecord], rebuilt: Sequence[StageRecord]) -> Difference:
    names = {stage.name for stage in compared}
    sources = [stage for stage in compared if not stage.cmd]
    return explain_difference(compared, [*sources, *(stage for stage in rebuilt if stage.name in names)])
