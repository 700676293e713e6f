"""What a revision holds: its files, the stages of its locks, the record of its run, read by one process of git."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from subprocess import PIPE
from typing import Any, Final
from weakref import finalize

from pricetrail.base import files
from pricetrail.base.dvc_hashes import md5_of_bytes, md5_of_tree, md5_where_there
from pricetrail.base.errors import LineageError, SourceError
from pricetrail.base.params import FILE
from pricetrail.base.processes import program_environment
from pricetrail.lineage.dvc_yaml import RESULT
from pricetrail.lineage.git import git
from pricetrail.lineage.lock import StageRecord, parse_lock, parse_source
from pricetrail.lineage.place import UNSHALLOW, Place, changed, place_of

WORKSPACE: Final = ""  # in place of a revision: the files as they lie on disk
UNKNOWN: Final = "must be a commit, branch or tag that git knows"
LOCK, RECORD, DECISION = "dvc.lock", "reports/lineage.json", "metrics/decision.json"
CANDIDATE: Final = "models/candidate"
METRICS: Final = "metrics/"


class Objects:
    """The objects of a repository: one process of ``git cat-file`` gives them all, and ends with this."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _process(self) -> subprocess.Popen[bytes]:
        command, env = ["git", "cat-file", "--batch", "--follow-symlinks"], program_environment()
        try:
            process = subprocess.Popen(command, cwd=self._folder, env=env, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        except OSError as error:
            raise LineageError("git", f"must be installed: {error.strerror}") from None
        finalize(self, _end, process)
        return process

    @cached_property
    def place(self) -> Place:
        """Where the folder lies in its repository."""
        return place_of(self._folder)

    def read(self, name: str) -> tuple[str, bytes] | None:
        """Hash and content of an object, links followed; None where there is no such, or git calls several so.

        Raises:
            LineageError: this is no repository.
        """
        asked, answer, told = self._process.stdin, self._process.stdout, self._process.stderr
        if "\n" in name or asked is None or answer is None or told is None:
            return None
        with suppress(BrokenPipeError):
            asked.write(f"{name}\n".encode(errors="surrogateescape"))
            asked.flush()
        head = answer.readline().split()
        if not head:
            reason = told.read().decode(errors="replace").strip().splitlines() or ["it gave no reason"]
            raise LineageError("git cat-file", f"must succeed: {reason[0]}")
        if not head[-1].isdigit():  # missing, ambiguous, submodule
            return None
        content = answer.read(int(head[-1]) + 1)[:-1]
        return (head[0].decode(), content) if head[1] in (b"blob", b"commit") else None


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(BrokenPipeError), process:
        process.kill()


def revision(rev: str) -> str:
    """A revision as a person named it.

    Raises:
        LineageError: it is empty, which would be the workspace.
    """
    if rev == WORKSPACE:
        raise LineageError("revision", UNKNOWN, rev)
    return rev


@dataclass(frozen=True)
class Commit:
    """A revision of the project in a folder, as it was asked for; an empty one is the workspace."""

    rev: str
    folder: Path
    objects: Objects

    @classmethod
    def at(cls, rev: str = WORKSPACE, folder: Path = Path()) -> Commit:
        """A revision of a project.

        Raises:
            LineageError: git knows no such revision.
        """
        return cls(WORKSPACE, folder, Objects(folder)).other(rev)

    @classmethod
    def of(cls, rev: str, folder: Path = Path()) -> Commit:
        """A revision that a person names: never the workspace.

        Raises:
            LineageError: git knows no such revision; an empty one is none.
        """
        return cls.at(revision(rev), folder)

    def other(self, rev: str) -> Commit:
        """Another revision of the same project.

        Raises:
            LineageError: git knows no such revision.
        """
        found = replace(self, rev=rev)
        if rev:
            _ = found.hash  # an unknown one is told at once
        return found

    @property
    def name(self) -> str:
        """As people read it."""
        if self.rev == WORKSPACE:
            return "the workspace"
        return self.hash[:12] if self.rev == self.hash else self.rev

    @cached_property
    def _head(self) -> tuple[str, bytes]:
        rev = self.rev or "HEAD"
        found = self.objects.read(f"{rev}^{{commit}}")
        if found is None:
            shallow = f", and this clone is shallow: {UNSHALLOW}" if self.objects.place.is_shallow else ""
            raise LineageError("revision", f"{UNKNOWN}{shallow}", rev)
        return found

    @property
    def hash(self) -> str:
        """The full hash; of the workspace that of the commit that it is based on."""
        return self._head[0]

    @property
    def committed_at(self) -> str:
        """The time of that commit, ISO 8601."""
        lines = self._head[1].decode(errors="replace").splitlines()
        *_, seconds, zone = next(line for line in lines if line.startswith("committer ")).split()
        return dt.datetime.fromtimestamp(int(seconds), dt.datetime.strptime(zone, "%z").tzinfo).isoformat()

    @cached_property
    def is_dirty(self) -> bool:
        """Whether a file that git tracks is not as in that commit."""
        return not self.rev and bool(changed(self.folder))

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The files that git tracks; of the workspace those that are there, and those that it would track."""
        if self.rev:
            return self._listed(f"{self.hash}:{self.inside_then}")
        listed = git("ls-files", "-coz", "--exclude-standard", folder=self.folder).split("\0")
        return tuple(sorted({path for path in listed if path and (self.folder / path).is_file()}))

    @cached_property
    def inside_then(self) -> str:
        """Path of the project from the top of the commit, with a slash at its end; it may have been moved since."""
        now = self.objects.place.inside
        if not self.rev or self.objects.read(f"{self.hash}:{now}{FILE}") is not None:
            return now
        runs = [path.removesuffix(RECORD) for path in self._listed(self.hash) if f"/{path}".endswith(f"/{RECORD}")]
        return runs[0] if len(runs) == 1 else now

    def _listed(self, tree: str) -> tuple[str, ...]:
        try:
            listed = git("ls-tree", "-r", "-z", "--full-tree", "--name-only", tree, folder=self.folder)
        except LineageError:  # there was no such folder then
            return ()
        return tuple(listed.split("\0")[:-1])

    def inside(self, path: str) -> tuple[str, ...]:
        """Those of ``paths`` that are a path or lie in it."""
        return tuple(name for name in self.paths if f"{name}/".startswith(f"{path}/"))

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; None where there is none. At a revision only git's own files are there."""
        if self.rev:
            found = self.objects.read(f"{self.hash}:{self.inside_then}{path}")
            return found and found[1]
        file = self.folder / path
        return files.read_bytes(file) if file.is_file() else None

    def content(self, path: str) -> bytes:
        """The bytes of a file that must be there.

        Raises:
            LineageError: it is not there at that revision.
            SourceError: it is not there in the workspace.
        """
        if not self.rev:
            return files.read_bytes(self.folder / path)
        found = self.read(path)
        if found is None:
            raise LineageError(path, f"must be tracked by git at {self.name}")
        return found

    def text(self, path: str) -> str:
        """The text of a file that must be there.

        Raises:
            LineageError, SourceError: it is not there, or is no UTF-8 text.
        """
        try:
            return self.content(path).decode()
        except UnicodeDecodeError as error:
            raise SourceError(path, f"must be UTF-8 text: byte {error.start} is not") from None

    def json(self, path: str) -> dict[str, Any]:
        """A JSON file; empty where it is not there.

        Raises:
            SourceError: it is damaged.
        """
        found = self.read(path)
        return {} if found is None else files.parse_json(found, path)

    @cached_property
    def record(self) -> dict[str, Any]:
        """What ``record_run`` wrote of the run; empty where it wrote nothing."""
        return self.json(RECORD)

    @cached_property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """The metrics files by name, ``gates.drift`` for ``metrics/gates/drift.json``."""
        found = [path for path in self.paths if RESULT.fullmatch(path)]
        return {p.removeprefix(METRICS).removesuffix(".json").replace("/", "."): self.json(p) for p in found}

    @cached_property
    def locks(self) -> dict[str, tuple[StageRecord, ...]]:
        """The stages of each lock by its path.

        Raises:
            DataError: one is damaged.
        """
        found = [path for path in self.paths if PurePosixPath(path).name == LOCK]
        return {path: parse_lock(self.text(path), path) for path in found}

    @cached_property
    def sources(self) -> tuple[StageRecord, ...]:
        """What ``.dvc`` files track.

        Raises:
            DataError: one is damaged.
        """
        return tuple(parse_source(self.text(path), path) for path in self.paths if path.endswith(".dvc"))

    @cached_property
    def stages(self) -> tuple[StageRecord, ...]:
        """The tracked sources, and all stages of all locks.

        Raises:
            LineageError: there is no lock.
        """
        if not self.locks:
            how = f"no run is recorded at {self.name}" if self.rev else "run `dvc repro`"
            raise LineageError(LOCK, f"must be there: {how}")
        return (*self.sources, *(stage for stages in self.locks.values() for stage in stages))

    def hashes(self, paths: Sequence[str]) -> dict[str, str | None]:
        """DVC's hash of each path; None where nothing is there. What git does not hold of a revision is left out."""
        if not self.rev:
            return {path: md5_where_there(self.folder / path) for path in paths}
        held = {path: self.inside(path) for path in paths}
        hashes = dict[str, str]()
        for name in {name for names in held.values() for name in names}:
            if (content := self.read(name)) is not None:
                hashes[name] = md5_of_bytes(content)
        known = dict[str, str | None]()
        for path, names in held.items():
            if path in hashes:
                known[path] = hashes[path]
            elif names and path not in names:
                known[path] = md5_of_tree({name[len(path) + 1 :]: hashes[name] for name in names if name in hashes})
        return known
