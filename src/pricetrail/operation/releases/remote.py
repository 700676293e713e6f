"""The project's DVC remote, through DVC's own file systems: S3, a folder, and whatever else DVC can reach."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

from pricetrail.base.dvc_hashes import md5_of_bytes
from pricetrail.base.errors import ReleaseError
from pricetrail.base.limits import load_json
from pricetrail.lineage.dvc_cache import LAYOUTS, OID, object_path
from pricetrail.operation.servers.programs import UnreachableError

BUNDLE_LIMIT: Final = 2**30  # bytes: it is read into memory, where its lock does not name a smaller size
FILE_LIMIT: Final = 64_000_000  # bytes of a list of files, of a bill of materials
FOLDER: Final = "releases"  # beside DVC's own `files/`; `dvc gc` leaves it alone
T = TypeVar("T")


class NoAnswerError(ReleaseError, UnreachableError):
    """The remote does not answer, or not as it should; it may, later."""


@dataclass(frozen=True)
class Remote:
    """DVC's default remote.

    Attributes:
        url: of its root, for messages.
        handle: DVC's own ``Remote``, which has no types.
    """

    url: str
    handle: Any

    def read(self, path: str, limit: int = FILE_LIMIT) -> bytes | None:
        """A file's bytes; None where there is none.

        Raises:
            NoAnswerError: the remote does not answer.
            ReleaseError: there are more bytes than the limit; no more are read.
        """

        def read() -> bytes | None:
            try:
                with self.handle.fs.open(path, "rb") as file:
                    content: bytes = file.read(limit + 1)
                    return content
            except FileNotFoundError:
                return None

        found = self._asked(read)
        if found is not None and len(found) > limit:
            raise ReleaseError(f"{self.url}: {path.rpartition('files/')[2]}", f"must have at most {limit} bytes")
        return found

    def object(self, md5: str, limit: int = FILE_LIMIT) -> bytes | None:
        """The bytes of DVC's object; None where there is none.

        Raises:
            ReleaseError: the remote does not answer, or the object has other bytes than its name says.
        """
        content = self.read(str(self.handle.odb.oid_to_path(md5)), limit)
        if content is not None and md5_of_bytes(content) != md5.removesuffix(".dir"):
            raise ReleaseError(f"{self.url}: object {md5}", "must have the bytes that its name says")
        return content

    def missing(self, md5s: Iterable[str]) -> tuple[str, ...]:
        """Those of DVC's objects that the remote does not have."""
        wanted = sorted(set(md5s))
        there = set(self._asked(lambda: list(self.handle.odb.oids_exist(wanted))))
        return tuple(md5 for md5 in wanted if md5 not in there)

    def put(self, md5: str, content: bytes) -> None:
        """Store an object of DVC's.

        Raises:
            NoAnswerError: the remote does not take it.
        """
        self._put(str(self.handle.odb.oid_to_path(md5)), content)

    def has_kept(self, name: str) -> bool:
        """Whether a file of a release is there."""
        return self._asked(lambda: bool(self.handle.fs.exists(self._kept_at(name))))

    def kept(self, name: str) -> bytes | None:
        """A file of a release; None where there is none."""
        return self.read(self._kept_at(name))

    def keep(self, name: str, content: bytes) -> None:
        """Store a file of a release, once: what is there under its name stays.

        Raises:
            ReleaseError: other bytes are there already, or the remote does not take them.
        """
        found = self.kept(name)
        if found is None:
            self._put(self._kept_at(name), content)
            found = self.kept(name)
        if found != content:
            raise ReleaseError(f"{self.url}/{FOLDER}/{name}", "must have the bytes that its name says")

    def _put(self, path: str, content: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(content)
            self._asked(lambda: self.handle.fs.put_file(file.name, path))

    def _kept_at(self, name: str) -> str:
        return str(self.handle.fs.join(self.handle.path, FOLDER, name))

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except Exception as error:  # DVC's file systems have no error in common
            told = str(error) or type(error).__name__
            raise NoAnswerError(f"remote {self.url}", f"must answer: {told}") from None


@contextmanager
def open_remote(folder: Path, name: str = "", settings: Mapping[str, Any] | None = None) -> Iterator[Remote]:
    """A remote of the project in a folder.

    Args:
        folder: of the project.
        name: of the remote; empty for the default one.
        settings: of DVC, which go before the project's own.

    Raises:
        ReleaseError: there is no project or no remote.
    """
    from dvc.exceptions import DvcException  # DVC takes a second to load
    from dvc.repo import Repo

    try:
        repo = Repo(str(folder), config=settings)
    except DvcException as error:
        raise ReleaseError(str(folder), f"must be a DVC project: {error}") from None
    try:
        try:
            handle = repo.cloud.get_remote(name or None)
        except DvcException as error:
            raise ReleaseError("dvc remote", f"must be set: {error}") from None
        yield Remote(str(handle.fs.unstrip_protocol(handle.path)), handle)
    finally:
        repo.close()


@dataclass(frozen=True)
class Objects:
    """DVC's objects by md5: the cache's where it has them whole, else the remote's."""

    cache: Path
    remote: Remote

    def read(self, md5: str, limit: int = FILE_LIMIT) -> bytes:
        """An object's bytes, which are those that its name says.

        Raises:
            ReleaseError: it is nowhere, altered, or larger than the limit.
        """
        if not OID.fullmatch(md5):
            raise ReleaseError("object", "must have an md5", md5)
        content = self._cached(md5, limit)
        if content is None:
            content = self.remote.object(md5, limit)
        if content is None:
            raise ReleaseError(f"object {md5}", "must be in the cache or the remote: run `dvc push` where it was made")
        return content

    def members(self, md5: str) -> list[tuple[str, str]]:
        """Name and md5 of each file of a folder; nobody may take the name for a path, ``folder`` looks at them.

        Raises:
            ReleaseError: the folder's list is nowhere, altered or no list.
        """
        try:
            entries = [(str(entry["relpath"]), str(entry["md5"])) for entry in load_json(self.read(md5))]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ReleaseError(f"object {md5}", "must be a list of files") from None
        for name, member in entries:
            if not OID.fullmatch(member):
                raise ReleaseError(f"object {md5}: {name}", "must have an md5", member)
        return entries

    def folder(self, md5: str, limit: int = BUNDLE_LIMIT) -> dict[str, bytes]:
        """The files of a folder by path inside it.

        Raises:
            ReleaseError: one is nowhere or altered, its name is no path inside, or all are larger than the limit.
        """
        found, entries = dict[str, bytes](), self.members(md5)
        require_inside([name for name, _ in entries], f"object {md5}")
        for name, member in sorted(entries):
            found[name] = self.read(member, limit)
            limit -= len(found[name])
        return found

    def _cached(self, md5: str, limit: int) -> bytes | None:
        """The cache's bytes, hashed as they were read: the file may be another one the next moment."""
        for layout in LAYOUTS:
            path = object_path(self.cache, md5, layout)
            if path is not None and path.is_file():
                with path.open("rb") as file:
                    content = file.read(limit + 1)
                if len(content) <= limit and md5_of_bytes(content) == md5.removesuffix(".dir"):
                    return content
        return None


def require_inside(names: list[str], place: str) -> None:
    """Hold names of files against each other: each a plain path inside its folder, on every file system its own file.

    Raises:
        ReleaseError: one is not.
    """
    taken = set[str]()
    for name in names:
        path = PurePosixPath(name)
        is_plain = name.isprintable() and "\\" not in name and ":" not in name and path.as_posix() == name
        if not is_plain or path.is_absolute() or name == "." or ".." in path.parts:
            raise ReleaseError(place, "must name files inside its folder", name)
        if name.casefold() in taken:
            raise ReleaseError(place, "must name each file once, in upper or lower case", name)
        taken.add(name.casefold())
    folders = {parent.as_posix() for name in taken for parent in PurePosixPath(name).parents}
    if both := sorted(folders & taken):
        raise ReleaseError(place, "must name no file that is a folder as well", both[0])
