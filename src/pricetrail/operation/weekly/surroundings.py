"""What a run stands on: merged files, a whole cache, room on its disks, a remote that takes objects.

The first two are looked at before its stages read them. The others change while it runs: they are looked at when a step
has failed, since git, DVC and S3 seldom say that it was for these.
"""

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from pricetrail.base import files
from pricetrail.base.dvc_hashes import md5_of_file
from pricetrail.base.errors import OperationError, PricetrailError
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.dvc_cache import cache_folder, dvc_config, listing, object_path
from pricetrail.lineage.git import git
from pricetrail.operation.releases.built import objects_of
from pricetrail.operation.releases.remote import BUNDLE_LIMIT, open_remote
from pricetrail.operation.releases.remote_probe import fault_of, opened
from pricetrail.operation.servers.s3 import ensure_running

T = TypeVar("T")
MERGED: Final = ("*.yaml", "*.lock", "*.dvc", "metrics/*.json", "reports/*.json*", ".dvc/config")
MARK: Final = re.compile(rb"^(<{7}|>{7}) ", re.M)
LEAST_MIB: Final = 16  # git removes a clone that found no room, so that a little room is there again
MIB: Final = 1024**2
# Of what a step says where it may be the remote: not of git, nor of a stage that failed by itself.
OF_REMOTE: Final = re.compile(r"(?!git |stage )|.*(forbidden|denied|bucket|credential|expired|signature)", re.I)

log = logging.getLogger(__name__)


def require_merged(folder: Path, *patterns: str) -> None:
    """No file that a run reads holds the marks of a merge.

    Raises:
        OperationError: one does; with its line.
    """
    for path in filter(None, git("ls-files", "-z", "--", *(patterns or MERGED), folder=folder).split("\0")):
        content = (folder / path).read_bytes() if (folder / path).is_file() else b""
        if found := MARK.search(content):
            line = content.count(b"\n", 0, found.start()) + 1
            rule = "must have no mark of an unfinished merge: keep one side, commit, push"
            of_lock = "; of a lock either side will do, the next run makes it anew" if path.endswith(".lock") else ""
            raise OperationError(f"{path}: line {line}", rule + of_lock, found[1].decode())


def require_cache(home: Path) -> None:
    """A cache that the settings name is there: DVC would make it anew, where its disk is not mounted.

    Raises:
        OperationError: it is not.
    """
    named = dvc_config(home)["cache"].get("dir")
    if named and not Path(named).is_dir():
        rule = f"must be a folder that is there: mount its disk, or `mkdir -p {named}` for a new one"
        raise OperationError("cache.dir of DVC's settings", rule, named)


def damaged(folder: Path, cache: Path) -> Iterator[tuple[str, Path]]:
    """Objects of HEAD in the cache whose bytes are not those that their names say: DVC trusts every one there."""
    seen, waiting = set[str](), sorted(objects_of(Commit.at("HEAD", folder)))
    while waiting:
        md5 = waiting.pop()
        path = object_path(cache, md5)
        if md5 in seen or path is None or not path.is_file():
            continue
        seen.add(md5)
        if md5_of_file(path) != md5.removesuffix(".dir"):
            yield md5, path
        if md5.endswith(".dir"):
            waiting += (listing(cache, md5) or {}).values()


def mend_cache(home: Path, folder: Path, cache: Path) -> tuple[str, ...]:
    """Replace damaged objects by the remote's; one that it has not either is taken away, so that nothing reads it.

    Args:
        home: of the project, whose S3 server is started where it is needed.
        folder: the clone whose HEAD names the objects.
        cache: DVC's.

    Raises:
        PricetrailError: the remote does not answer.
    """
    mended = list[str]()
    while found := list(damaged(folder, cache)):  # once more: a list that is whole again names others
        ensure_running(home)
        with open_remote(folder) as remote:
            for md5, path in found:
                content = remote.object(md5, BUNDLE_LIMIT)
                path.chmod(0o644)
                path.unlink()
                if content is not None:
                    files.write_bytes(path, content, mode=0o444)
                told = "brought again from the remote" if content is not None else "removed; the remote has it not"
                log.warning("%s in the cache had other bytes than its name says: %s", md5, told)
                mended.append(md5)
    return tuple(mended)


def places(home: Path) -> dict[str, Path]:
    """The folders that a run writes to."""
    named = {
        "the project": home,
        "the cache": cache_folder(home),
        "runs": home / ".pricetrail" / "runs",
        "the embedded S3": home / ".s3" / "data",
        "temporary files": Path(tempfile.gettempdir()),
    }
    return {
        name: next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
        for name, path in named.items()
    }


def explained(home: Path, work: Callable[[], T]) -> T:
    """Do a step; where it fails for a disk or for a remote that refuses, say that, and let nobody try it again.

    Raises:
        OperationError: the disk or the remote.
        PricetrailError, OSError: those of the step.
    """
    try:
        return work()
    except (PricetrailError, OSError) as error:
        told = ""
        with suppress(PricetrailError):  # what is asked may not answer: then the step's own words are the best
            told = _full(home)
            if not told and OF_REMOTE.match(str(error)):
                with opened(home) as remote:
                    fault = fault_of(remote)
                told = f"{fault.found}; {fault.advice}" if fault and fault.stops_runs else ""
        if told:
            raise OperationError(*told.split(": ", 1)) from error
        raise


def _full(home: Path) -> str:
    for name, path in places(home).items():
        free = shutil.disk_usage(path).free
        if free < LEAST_MIB * MIB:
            return f"disk of {name}: must have {LEAST_MIB} MiB of room in {path}: {free / MIB:.1f} MiB are left"
        if not os.access(path, os.W_OK):
            return f"disk of {name}: must let {path} be written"
    return ""
