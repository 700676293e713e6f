"""The project's DVC remote, through DVC's own file systems: S3, a folder, and whatever else DVC can reach."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

from pricetrail.base.dvc_hashes import md5_of_bytes
from pricetrail.base.errors import ReleaseError
from pricetrail.lineage.dvc_cache import listing, object_at

FOLDER: Final = "releases"  # beside DVC's own `files/`; `dvc gc` leaves it alone
T = TypeVar("T")


class NoAnswerError(ReleaseError):
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

    def read(self, path: str) -> bytes | None:
        """A file's bytes; None where there is none.

        Raises:
            NoAnswerError: the remote does not answer.
        """

        def read() -> bytes | None:
            try:
                with self.handle.fs.open(path, "rb") as file:
                    content: bytes = file.read()
                    return content
            except FileNotFoundError:
                return None

        return self._asked(read)

    def object(self, md5: str) -> bytes | None:
        """The bytes of DVC's object; None where there is none.

        Raises:
            ReleaseError: the remote does not answer, or the object has other bytes than its name says.
        """
        content = self.read(str(self.handle.odb.oid_to_path(md5)))
        if content is not None and md5_of_bytes(content) != md5.removesuffix(".dir"):
            raise ReleaseError(f"{self.url}: object {md5}", "must have the bytes that its name says")
        return content

    def missing(self, md5s: Iterable[str]) -> tuple[str, ...]:
        """Those of DVC's objects that the remote does not have."""
        wanted = sorted(set(md5s))
        there = set(self._asked(lambda: list(self.handle.odb.oids_exist(wanted))))
        return tuple(md5 for md5 in wanted if md5 not in there)

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
            with tempfile.TemporaryDirectory() as scratch:
                file = Path(scratch) / name
                file.write_bytes(content)
                self._asked(lambda: self.handle.fs.put_file(str(file), self._kept_at(name)))
            found = self.kept(name)
        if found != content:
            raise ReleaseError(f"{self.url}/{FOLDER}/{name}", "must have the bytes that its name says")

    def _kept_at(self, name: str) -> str:
        return str(self.handle.fs.join(self.handle.path, FOLDER, name))

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except Exception as error:  # DVC's file systems have no error in common
            told = str(error) or type(error).__name__
            raise NoAnswerError(f"remote {self.url}", f"must answer: {told}") from None


@contextmanager
def open_remote(folder: Path, settings: Mapping[str, Any] | None = None) -> Iterator[Remote]:
    """The remote of the project in a folder.

    Args:
        folder: the project's.
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
            handle = repo.cloud.get_remote()
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

    def read(self, md5: str) -> bytes:
        """An object's bytes, which are those that its name says.

        Raises:
            ReleaseError: it is nowhere, or altered.
        """
        path = object_at(self.cache, md5)
        content = path.read_bytes() if path is not None else self.remote.object(md5)
        if content is None:
            raise ReleaseError(f"object {md5}", "must be in the cache or the remote: run `dvc push` where it was made")
        return content

    def members(self, md5: str) -> Mapping[str, str]:
        """The md5 of each file of a folder by its path inside it.

        Raises:
            ReleaseError: the folder's list is nowhere, altered, no list, or names a path outside of the folder.
        """
        try:
            names = listing(self.cache, md5)
            if names is None:
                names = {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(self.read(md5))}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ReleaseError(f"object {md5}", "must be a list of files") from None
        for name in names:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise ReleaseError(f"object {md5}", "must name files inside its folder", name)
        return names

    def folder(self, md5: str) -> dict[str, bytes]:
        """The files of a folder by path inside it."""
        return {name: self.read(member) for name, member in sorted(self.members(md5).items())}
