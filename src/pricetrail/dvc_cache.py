"""DVC's hashes and the objects of its cache, read without DVC: a file by its md5, a folder by that of its list."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pricetrail.errors import LineageError

LAYOUTS: Final = ("files/md5", "")  # of DVC 3, and of DVC 2
CHUNK_BYTES: Final = 2**20


def dvc(*arguments: str, folder: Path = Path(), env: Mapping[str, str] | None = None) -> str:
    """What a DVC command prints.

    Raises:
        LineageError: DVC fails, with the first error that it gives.
    """
    command = [sys.executable, "-m", "dvc", *arguments]
    quiet = {**(os.environ if env is None else env), "DVC_NO_ANALYTICS": "1"}
    done = subprocess.run(command, cwd=folder, env=quiet, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
        errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")] or lines
        raise LineageError(f"dvc {arguments[0]}", f"must succeed: {errors[0]}")
    return done.stdout.decode(errors="surrogateescape")


def cache_folder() -> Path:
    """The cache of the project.

    Raises:
        LineageError: this is no DVC project.
    """
    return Path(dvc("cache", "dir").strip())


def object_at(cache: Path, md5: str) -> Path | None:
    """The file of an object whose bytes are those that its name says; None where there is none."""
    for layout in LAYOUTS:
        path = cache / layout / md5[:2] / md5[2:]
        if path.is_file() and md5_of_file(path) == md5.removesuffix(".dir"):
            return path
    return None


def listing(cache: Path, md5: str) -> dict[str, str] | None:
    """The md5 of each file of a folder by its path inside it; None where the cache has no such list."""
    path = object_at(cache, md5)
    if path is None:
        return None
    return {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(path.read_bytes())}


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


def list_folder(folder: Path) -> dict[str, str]:
    """The md5 of each file of a folder by its path inside it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): md5_of_file(path) for path in files}


def md5_of(path: Path) -> str | None:
    """The md5 that DVC would record of a file or folder; None where it is not there."""
    if path.is_dir():
        return md5_of_listing(list_folder(path))
    return md5_of_file(path) if path.is_file() else None


def md5_of_listing(files: Mapping[str, str]) -> str:
    """The md5 that DVC gives a folder.

    >>> md5_of_listing({"a.csv": "b026324c6904b2a9cb4b88d6d61c81d1", "b.csv": "26ab0db90d72e28ad0ba1e22ee510510"})
    '3b26643f384809b54828e779bb5adf05.dir'
    """
    entries = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    return f"{hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest()}.dir"


def md5_of_file(path: Path) -> str:
    """The md5 of a file's bytes."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
