"""What git and DVC know of a revision: files, the commit, the stages of its locks."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from pricetrail.base import files
from pricetrail.base.errors import LineageError
from pricetrail.lineage.lock import StageRecord, parse_lock, parse_source

WORKSPACE = ""  # in place of a revision: the files as they lie on disk


def git(*arguments: str, folder: Path = Path(), given: str = "") -> str:
    """What a git command prints, ``given`` its standard input.

    Raises:
        LineageError: git fails, with its first line.
    """
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, input=given.encode(), capture_output=True, check=False)
    except OSError as error:
        raise LineageError("git", f"must be installed: {error.strerror}") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
        raise LineageError(f"git {arguments[0]}", f"must succeed: {lines[0]}")
    return done.stdout.decode(errors="surrogateescape")


def commit_of(rev: str) -> str:
    """The full hash of a revision's commit.

    Raises:
        LineageError: git knows no such revision.
    """
    try:
        return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}").strip()
    except LineageError:
        raise LineageError("revision", "must be a commit, branch or tag that git knows", rev) from None


def listed(rev: str = WORKSPACE) -> tuple[str, ...]:
    """Paths of the files that git tracks at a revision; of the workspace also those it would."""
    asked = ("ls-tree", "-r", "-z", "--name-only", rev) if rev else ("ls-files", "-coz", "--exclude-standard")
    return tuple(path for path in git(*asked).split("\0") if path)


def read_at(path: str, rev: str = WORKSPACE) -> str:
    """The text of a file at a revision.

    Raises:
        LineageError: it is not there at that revision.
        SourceError: it is not there in the workspace.
    """
    if rev == WORKSPACE:
        return files.read_text(Path(path))
    try:
        return git("show", f"{rev}:{path}")
    except LineageError:
        raise LineageError(path, f"must be tracked by git at {rev}") from None


def blobs_at(rev: str, paths: Sequence[str]) -> dict[str, bytes]:
    """The bytes of files at a revision, links followed; what git does not track there is left out."""
    asked = "".join(f"{rev}:{path}\n" for path in paths)
    answer = git("cat-file", "--batch", "--follow-symlinks", given=asked).encode(errors="surrogateescape")
    blobs, place = dict[str, bytes](), 0
    for path in paths:
        end = answer.index(b"\n", place)
        head, place = answer[place:end], end + 1
        if head.endswith(b" missing"):
            continue
        end = place + int(head.rpartition(b" ")[2])
        if b" blob " in head:
            blobs[path] = answer[place:end]
        place = end + 1
    return blobs


def committed_at(rev: str) -> str:
    """The time of a revision's commit, ISO 8601."""
    return git("show", "--no-patch", "--format=%cI", f"{commit_of(rev)}").strip()


def is_dirty() -> bool:
    """Whether a file that git tracks is not as in the last commit."""
    return bool(git("status", "--porcelain", "--untracked-files=no"))


def commits_of(path: str) -> tuple[str, ...]:
    """The commits of all branches and tags that changed a file, newest first."""
    return tuple(git("log", "--all", "--format=%H", "--", path).split())


def stages_at(rev: str = WORKSPACE) -> tuple[StageRecord, ...]:
    """All stages of all locks, and the tracked sources, of a revision.

    Raises:
        LineageError: there is no lock.
    """
    paths = sorted(path for path in listed(rev) if rev or Path(path).is_file())
    sources = [parse_source(read_at(path, rev), path) for path in paths if path.endswith(".dvc")]
    locks = [path for path in paths if Path(path).name == "dvc.lock"]
    if not locks:
        raise LineageError("dvc.lock", f"must be there: {'no run is recorded at ' + rev if rev else 'run `dvc repro`'}")
    return (*sources, *(stage for path in locks for stage in parse_lock(read_at(path, rev), path)))
