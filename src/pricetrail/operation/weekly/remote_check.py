"""Read back from the remote what a run pushed: run as a module, with COMMIT and PUSHED, in its clone.

DVC looks at names only when it pushes, so an object that was cut off or altered on its way would stay so for ever. A
bad or lost one is sent again from the cache, and read again. A program of its own, so that a hanging one can be killed.
"""

import hashlib
import json
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pricetrail.base.errors import OperationError, PricetrailError
from pricetrail.lineage.dvc_cache import object_at
from pricetrail.operation.releases.kept import lost_of_releases
from pricetrail.operation.releases.remote import Objects, Remote, open_remote
from pricetrail.operation.releases.trust import trusted
from pricetrail.operation.weekly.inputs import PIPELINE


@dataclass(frozen=True)
class ReadBack:
    """What was read.

    Attributes:
        objects, object_bytes: those that the workspace names and the last published commit does not; all of them where
            the remote lacked old ones, too.
        repaired: the md5 of those that were replaced from the cache.
        lost: of the release that serves and the one before it, what the remote has not; empty where they are whole.
    """

    objects: int
    object_bytes: int
    repaired: tuple[str, ...]
    lost: str = ""


def read_back(remote: Remote, cache: Path, names: frozenset[str], fresh: frozenset[str]) -> ReadBack:
    """Ask for every object, and compare the bytes of the new ones, and of all folders' lists, with their names.

    DVC reads the lists in the remote before it sends anything: a bad one stops every push.

    Raises:
        OperationError: a lost or bad one cannot be replaced, or the remote does not answer.
    """
    read = fresh | {name for name in names if name.endswith(".dir")}
    bad = [*remote.missing(names - read), *(name for name in sorted(read) if not _is_whole(remote, name))]
    for name in bad:
        _repair(remote, cache, name)
    total = sum(int(remote.handle.fs.size(_place(remote, name)) or 0) for name in fresh)
    return ReadBack(len(fresh), total, tuple(bad))


def _repair(remote: Remote, cache: Path, name: str) -> None:
    source, fs = object_at(cache, name), remote.handle.fs
    if source is None:
        rule = "must have the bytes that its name says, and the cache has not them either"
        raise OperationError(f"remote object {name}", rule)
    with suppress(FileNotFoundError):
        fs.rm_file(_place(remote, name))
    fs.put_file(str(source), _place(remote, name))
    if not _is_whole(remote, name):
        raise OperationError(f"remote object {name}", "must have the bytes that its name says, after it was sent again")


def _is_whole(remote: Remote, name: str) -> bool:
    """Whether an object is there with the bytes that its name says."""
    try:
        with remote.handle.fs.open(_place(remote, name), "rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        return False
    return bool(found == name.removesuffix(".dir"))


def _place(remote: Remote, name: str) -> str:
    return str(remote.handle.odb.oid_to_path(name))


def main(published: str, pushed: int = 0, home: str = "") -> ReadBack:
    """Hold the remote against the lock, and read back what the last published commit does not name.

    ``dvc status --cloud`` and ``dvc push`` trust what DVC once saw there of a folder, so each object is asked for.

    Args:
        published: the commit; empty for none.
        pushed: objects that were just sent. Where these are more than the new ones, all are read back.
        home: the project, whose trusted keys say which tags are releases.

    Raises:
        OperationError: the remote does not answer, or an object is lost or bad and cannot be replaced.
        ReleaseError: there is no remote.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo, open_remote(Path(repo.root_dir)) as remote:
            used, known = _named(repo, is_needed=True), frozenset[str]()
            for _ in repo.brancher(revs=[published], workspace=False) if published else ():
                known |= _named(repo, is_needed=False)
            cache = Path(repo.cache.local.path)
            fresh = used - known if pushed <= len(used - known) else used
            found = read_back(remote, cache, used, fresh)
            return replace(found, lost=_lost(remote, Path(repo.root_dir), cache, Path(home or repo.root_dir)))
    except (DvcException, OSError, ValueError) as error:  # the latter of a file system behind a network
        raise OperationError("remote", f"must give back what was pushed: {error!r}") from None


def _lost(remote: Remote, folder: Path, cache: Path, home: Path) -> str:
    """What the remote has not of the two releases that are needed most, as with a new remote or after `dvc gc`."""
    try:
        lost = lost_of_releases(folder, Objects(cache, remote), remote, newest=2, trust=trusted(folder, home))
    except PricetrailError as error:  # tags and locks that nobody can read: no matter of this run
        return f"What releases need could not be asked for: {error}"
    told = "; ".join(map(str, lost))
    return f"In {remote.url} {told}: `pricetrail doctor` says what to do." if told else ""


def _named(repo: Any, is_needed: bool) -> frozenset[str]:  # noqa: ANN401  dvc.repo.Repo, untyped
    """The md5 of every object that a revision's lock names, of what its pipeline makes and reads.

    The demo shop's are none of these where the lines are one's own: a clone may never have had them.

    Args:
        repo: at the revision.
        is_needed: a folder whose list is nowhere is an error; else it is left out.
    """
    targets = [PIPELINE] if repo.fs.exists(repo.fs.join(repo.root_dir, PIPELINE)) else None
    used = repo.index.used_objs(targets, with_deps=True, force=not is_needed)
    return frozenset(found.value for objects in used.values() for found in objects)


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(asdict(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))) + "\n")
    except PricetrailError as error:
        sys.exit(f"ERROR: {error}")
