"""New source files: validated, copied into the tracked source folder, named by its ``.dvc`` file, committed, pushed.

Each step leaves what the next ingest, or ``dvc add``, completes: files appear by renaming, after ``params.yaml`` names
what they restate and before the ``.dvc`` file names them.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from pricetrail.base import files
from pricetrail.base.dvc_hashes import md5_of
from pricetrail.base.errors import OperationError, PricetrailError
from pricetrail.base.locks import alone
from pricetrail.base.params import FILE, Params, parse_params
from pricetrail.base.params_edit import with_settings
from pricetrail.base.redaction import redacted
from pricetrail.data import source_files
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.dvc_cache import dvc
from pricetrail.lineage.git import git
from pricetrail.lineage.place import changed
from pricetrail.operation.ingest.released_days import released, rewriting
from pricetrail.operation.ingest.source_file import SourceFile, read_files, span
from pricetrail.operation.ingest.source_folder import SourceFolder, source_folder
from pricetrail.operation.servers import s3
from pricetrail.operation.weekly.branch import branch_to_push

LOCK: Final = Path(".pricetrail/ingest.lock")
RESTATED: Final = "data.restated"


@dataclass(frozen=True)
class Ingestion:
    """What an ingest did.

    Attributes:
        path: the source folder.
        added: files that were not there before, or not with these bytes.
        completed: files that were there untracked, left by an ingest that was stopped, or put there by hand.
        known: files whose bytes were there; ``name`` is the one they have there.
        restated: those of the first two that rewrite history, with the reason.
        changed: paths that git has not committed as they are now.
        commit: made for them; empty where none was.
        pushed_to: branch and repository; empty where nothing was pushed.
    """

    path: str
    added: tuple[SourceFile, ...]
    completed: tuple[SourceFile, ...]
    known: tuple[SourceFile, ...]
    restated: Mapping[str, str]
    changed: tuple[str, ...] = ()
    commit: str = ""
    pushed_to: str = ""

    @property
    def message(self) -> str:
        """Of the commit: ``Ingest 2 files, 2011-12-05 to 2011-12-09``."""
        ingested = (*self.added, *self.completed) or self.known
        days = span(min(file.counts.first_day for file in ingested), max(file.counts.last_day for file in ingested))
        return f"Ingest {len(ingested)} file{'' if len(ingested) == 1 else 's'}, {days}"


def ingest_files(
    paths: Sequence[Path], reason: str | None = None, *, commit: bool = False, push: bool = False
) -> Ingestion:
    """Add files to the source folder of ``params.yaml``; all are validated before anything is written.

    Args:
        paths: CSV, CSV.gz, Excel or Parquet files, at least one.
        reason: why a file may rewrite history; None where none may.
        commit: commit the ``.dvc`` file, and ``params.yaml`` where it names what was restated.
        push: then ``dvc push``, and ``git push`` to the branch that runs start from.

    Raises:
        SourceError, ContractError: a file breaks the contract.
        OperationError: the folder cannot take files (``source_folder``), a file rewrites history without a reason, two
            files have one name, it cannot be written, or a push would go elsewhere than runs look
            (``branch_to_push``).
        LineageError: git or DVC fails.
    """
    if reason is not None and not reason.strip():
        raise OperationError("--restate", "must give a reason", reason)
    files.read_params()  # in no project, leave no trace
    with alone(LOCK):
        params = files.read_params()
        target = branch_to_push(Path(), params.weekly) if push else None
        if commit and reason is not None:
            _require_committable()
        folder = source_folder(params)
        with _staging(folder.path) as staging:
            done, staged = _plan(paths, reason, params, folder, staging)
            _write(done, staged, folder, params)
        done = replace(done, changed=_changed(folder.pointer))
        if commit and done.changed:
            done = replace(done, changed=(), commit=_commit(done))
        if target is not None:
            s3.ensure_running(Path())
            dvc("push", folder.pointer)
            git("push", "-q", "--no-follow-tags", target.repository, f"HEAD:refs/heads/{target.name}")
            done = replace(done, pushed_to=f"{target.name} of {redacted(target.repository)}")
    return done


def _plan(
    paths: Sequence[Path], reason: str | None, params: Params, folder: SourceFolder, staging: Path
) -> tuple[Ingestion, Mapping[str, Path]]:
    """Stage and judge every file, those that lie untracked in the folder too; what will be done, and staged files."""
    release, staged, places = released(), dict[str, Path](), dict[str, str]()
    names = {md5: name for name, md5 in sorted(folder.present.items(), reverse=True)}
    there = list[tuple[str, str]]()  # the name of each file given that is in the folder by then, and its place
    for number, path in enumerate(paths):
        copied = _stage(path, params, staging / str(number))
        md5 = md5_of(copied)
        if md5 not in names:
            if path.name in staged:
                raise OperationError(str(path), "must have a name of its own among the files given", path.name)
            staged[path.name], names[md5], places[path.name] = copied, path.name, str(path)
        else:
            there.append((names[md5], str(path)))
    kept = [name for name in folder.present if name not in staged]
    fresh = {**{name: f"{folder.path}/{name}" for name in folder.pending if name in kept}, **places}
    read = read_files(_together(folder.path, kept, staged, staging / "all"), params, fresh)
    for name, place in [*there, *places.items()]:
        if name not in read:
            raise OperationError(place, "must hold at least one line below the header that a run reads", name)
    known = [replace(read[name], place=place) for name, place in there]
    explained = {**params.data.restated, **{file.name: reason for file in known if reason is not None}}
    restated: dict[str, str] = {}
    for name in staged:
        replaced = f"{folder.path}/{name}" if name in folder.present else ""
        restated |= _restating(read[name], rewriting(read[name], replaced, release), reason)
    completed = [read[name] for name in folder.pending if name in kept and name in read]
    for found in completed:
        replaced = found.place if found.name in folder.tracked else ""
        restated |= _restating(found, rewriting(found, replaced, release), explained.get(found.name))
    added = tuple(read[name] for name in staged)
    return Ingestion(folder.path, added, tuple(completed), tuple(known), restated), staged


def _together(path: str, kept: Sequence[str], staged: Mapping[str, Path], view: Path) -> Path:
    """A folder with what the source folder is about to hold, so that it is read as the next run will."""
    for name, file in {**{name: Path(path) / name for name in kept}, **staged}.items():
        target = view / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(file.resolve())
        except OSError:  # another disk, or a file of somebody else
            shutil.copyfile(file, target)
    return view


def _restating(found: SourceFile, rewritten: str, reason: str | None) -> Mapping[str, str]:
    """The file with its reason where it rewrites history.

    Raises:
        OperationError: there is no reason.
    """
    if not rewritten:
        return {}
    if reason is None:
        raise OperationError(found.place, f"must not rewrite history without --restate REASON: {rewritten}")
    return {found.name: reason}


def _stage(path: Path, params: Params, folder: Path) -> Path:
    """A copy that nobody else writes to: what is validated is what the folder gets.

    Raises:
        SourceError: the file's kind is unknown.
        OperationError: it is no file, cannot be read or copied, or its name does not match ``data.pattern``.
    """
    if not path.is_file():
        raise OperationError(str(path), "must be a file, and is " + ("none" if path.exists() else "not there"))
    source_files.find_files(str(path), params.data)
    copied = folder / path.name
    try:
        folder.mkdir()
        with path.open("rb") as source, copied.open("wb") as target:
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        raise OperationError(str(path), f"must be readable, and fit on the disk: {error.strerror}") from None
    if copied not in folder.glob(params.data.pattern):
        raise OperationError(str(path), f"must match data.pattern {params.data.pattern!r}, or no run reads it")
    return copied


def _write(done: Ingestion, staged: Mapping[str, Path], folder: SourceFolder, params: Params) -> None:
    """Name what is restated, rename the files into the folder, have DVC name them."""
    if done.restated:
        settings = {RESTATED: {**params.data.restated, **done.restated}}
        files.write_text(Path(FILE), with_settings(files.read_text(Path(FILE)), settings))
    try:
        Path(folder.path).mkdir(parents=True, exist_ok=True)
        for name, copied in staged.items():
            copied.replace(Path(folder.path) / name)
    except OSError as error:
        raise OperationError(folder.path, f"must take new files: {error.strerror}; ingest them again") from None
    is_named = Path(folder.pointer).exists() and not (staged or folder.pending)
    if not is_named or git("ls-files", "-co", "--exclude-standard", "--", folder.path):  # git would take the files, too
        dvc("add", folder.path)  # quiet, it would not even say why it fails


def _changed(dot_dvc: str) -> tuple[str, ...]:
    """What an ingest leaves to git: the ``.dvc`` file, the rule that hides the folder, the reasons of restatements."""
    ignore = str(PurePosixPath(dot_dvc).parent / ".gitignore")
    found = changed(Path(), dot_dvc, ignore, untracked=True)
    return found if _restated_as_committed() else (*found, FILE)


def _restated_as_committed() -> bool:
    """Whether ``data.restated`` is that of the last commit; True where no commit has such a file."""
    try:
        committed = parse_params(Commit.at("HEAD").text(FILE)).data.restated
    except PricetrailError:
        return True
    return committed == files.read_params().data.restated


def _require_committable() -> None:
    """Stop where a commit of ``params.yaml`` would take more than restatements along.

    Raises:
        OperationError: it differs from the last commit in more than ``data.restated``.
        LineageError: it is not committed at all.
        ParamsError: the committed one is of another version.
    """
    now, committed = files.read_params(), parse_params(Commit.at("HEAD").text(FILE))
    data = committed.data.model_copy(update={"restated": now.data.restated})
    if committed.model_copy(update={"data": data}) != now:
        raise OperationError(FILE, "must have no other changes than data.restated to be committed: commit them first")


def _commit(result: Ingestion) -> str:
    if FILE in result.changed:
        _require_committable()
    git("add", "--", *result.changed)
    git("commit", "-q", "-m", result.message, "--", *result.changed)
    return Commit.at("HEAD").hash


@contextmanager
def _staging(path: str) -> Iterator[Path]:
    """An empty folder beside the source folder: files are renamed, not copied; no pattern and no commit sees it."""
    place = PurePosixPath(path)
    folder = Path(place.parent / f".{place.name}.incoming")
    shutil.rmtree(folder, ignore_errors=True)  # of an ingest that was killed
    folder.mkdir(parents=True)
    files.write_text(folder / ".gitignore", "*\n")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
