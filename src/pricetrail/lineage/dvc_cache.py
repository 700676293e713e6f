"""The objects of DVC's cache, read without DVC: a file by its md5, a folder by that of its list."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pricetrail.base.dvc_hashes import md5_of_file
from pricetrail.base.errors import LineageError
from pricetrail.base.limits import load_json
from pricetrail.base.processes import program_environment
from pricetrail.lineage.git import cause

LAYOUTS: Final = ("files/md5", "")  # of DVC 3, and of DVC 2
OID: Final = re.compile(r"[0-9a-f]{32}(\.dir)?")


def dvc(*arguments: str, folder: Path = Path(), env: Mapping[str, str] | None = None) -> str:
    """What a DVC command prints.

    Raises:
        LineageError: DVC fails, with the first error that it gives.
    """
    command = [sys.executable, "-P", "-m", "dvc", *arguments]  # -P: nothing of the folder takes the place of DVC
    quiet = {**(program_environment() if env is None else env), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(command, cwd=folder, env=quiet, capture_output=True, check=False)
    if done.returncode:
        told = cause(done.stderr.decode(errors="replace").splitlines(), done.returncode)
        raise LineageError(f"dvc {arguments[0]}", f"must succeed: {told}")
    return done.stdout.decode(errors="surrogateescape")


def cache_folder() -> Path:
    """The cache of the project.

    Raises:
        LineageError: this is no DVC project.
    """
    return Path(dvc("cache", "dir").strip())


def place_of(cache: Path, md5: str, layout: str = LAYOUTS[0]) -> Path | None:
    """Where the cache keeps an object; None for what is no md5: a lock of others may name any path."""
    return cache / layout / md5[:2] / md5[2:] if OID.fullmatch(md5) else None


def object_at(cache: Path, md5: str) -> Path | None:
    """The file of an object whose bytes are those that its name says; None where there is none."""
    for layout in LAYOUTS:
        path = place_of(cache, md5, layout)
        if path is not None and path.is_file() and md5_of_file(path) == md5.removesuffix(".dir"):
            return path
    return None


def listing(cache: Path, md5: str) -> dict[str, str] | None:
    """The md5 of each file of a folder by its path inside it; None where the cache has no such list.

    Raises:
        LineageError: its bytes are no list of files.
    """
    path = object_at(cache, md5)
    if path is None:
        return None
    try:
        return {str(entry["relpath"]): str(entry["md5"]) for entry in load_json(path.read_bytes())}
    except (KeyError, TypeError, ValueError) as error:
        raise LineageError(str(path), f"must be a list of files: {error}") from None


def copy_objects(md5: str, source: Path, target: Path) -> list[str]:
    """Copy an object, and those of the files of a folder, into another cache; what the source has not."""
    path = object_at(source, md5)
    if path is None:
        return [md5]
    copied = target / path.relative_to(source)
    if not copied.exists():
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    inside = listing(source, md5) if md5.endswith(".dir") else None
    return [lost for member in sorted(set((inside or {}).values())) for lost in copy_objects(member, source, target)]
