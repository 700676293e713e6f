"""Read back from the remote what a run pushed: run as a module, with COMMIT and PUSHED, in its clone.

DVC looks at names only when it pushes, so an object that was cut off or altered on its way would stay so for ever. A
bad or lost one is sent again from the cache, and read again. A program of its own, so that a hanging one can be killed.
"""

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from pricetrail.base.dvc_hashes import md5_of_file
from pricetrail.base.errors import OperationError, PricetrailError
from pricetrail.operation.releases.kept import lost_of_releases
from pricetrail.operation.releases.remote import Objects, open_remote
from pricetrail.operation.releases.trust import trusted
from pricetrail.operation.weekly.inputs import PIPELINE

FAULTS = (OSError, ValueError)  # what a file system behind a network raises


class Store(Protocol):
    """A store of objects by md5, as ``dvc_data.hashfile.db.HashFileDB`` is one."""

    fs: Any

    def oid_to_path(self, oid: str) -> str:
        """Where an object is."""

    def oids_exist(self, oids: Sequence[str]) -> Iterable[str]:
        """Those that are there."""


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


def read_back(remote: Store, cache: Store, names: frozenset[str], fresh: frozenset[str]) -> ReadBack:
    """Ask for every object, and compare the bytes of the new ones, and of all folders' lists, with their names.

    DVC reads the lists in the remote before it sends anything: a bad one stops every push.

    Raises:
        OperationError: a lost or bad one cannot be replaced.
    """
    total, repaired = 0, list[str]()
    read = fresh | {name for name in names if name.endswith(".dir")}
    for name in sorted(names - read - set(remote.oids_exist(sorted(names - read)))):
        _repair(remote, cache, name)
        repaired.append(name)
    for name in sorted(read):
        if _md5_in(remote, name) != name.removesuffix(".dir"):
            _repair(remote, cache, name)
            repaired.append(name)
        total += int(remote.fs.size(remote.oid_to_path(name)) or 0) if name in fresh else 0
    return ReadBack(len(fresh), total, tuple(repaired))


def _repair(remote: Store, cache: Store, name: str) -> None:
    place, source, md5 = remote.oid_to_path(name), Path(cache.oid_to_path(name)), name.removesuffix(".dir")
    if not source.is_file() or md5_of_file(source) != md5:
        rule = "must have the bytes that its name says, and the cache has not them either"
        raise OperationError(f"remote object {name}", rule)
    with suppress(FileNotFoundError):
        remote.fs.rm_file(place)
    remote.fs.put_file(str(source), place)
    if _md5_in(remote, name) != md5:
        raise OperationError(f"remote object {name}", "must have the bytes that its name says, after it was sent again")


def _md5_in(remote: Store, name: str) -> str:
    """The md5 of an object's bytes; empty where there is none."""
    try:
        with remote.fs.open(remote.oid_to_path(name), "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        return ""


def main(published: str, pushed: int = 0, home: str = "") -> ReadBack:
    """Hold the remote against the lock, and read back what the last published commit does not name.

    ``dvc status --cloud`` and ``dvc push`` trust what DVC once saw there of a folder, so each object is asked for.

    Args:
        published: the commit; empty for none.
        pushed: objects that were just sent. Where these are more than the new ones, all are read back.
        home: the project, whose trusted keys say which tags are releases.

    Raises:
        OperationError: the remote does not answer, or an object is lost or bad and cannot be replaced.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            used, known = _named(repo, is_needed=True), frozenset[str]()
            for _ in repo.brancher(revs=[published], workspace=False) if published else ():
                known |= _named(repo, is_needed=False)
            remote, cache = repo.cloud.get_remote_odb(), repo.cache.local
            fresh = used - known if pushed <= len(used - known) else used
            found = read_back(remote, cache, used, fresh)
            return replace(found, lost=_lost(Path(repo.root_dir), Path(cache.path), Path(home or repo.root_dir)))
    except (DvcException, *FAULTS) as error:
        raise OperationError("remote", f"must give back what was pushed: {error!r}") from None


def _lost(folder: Path, cache: Path, home: Path) -> str:
    """What the remote has not of the two releases that are needed most, as with a new remote or after `dvc gc`."""
    try:
        with open_remote(folder) as remote:
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
    except OperationError as error:
        sys.exit(f"ERROR: {error}")
