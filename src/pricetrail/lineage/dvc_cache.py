"""DVC's settings, and the objects of its cache: a file by its md5, a folder by that of its list."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pricetrail.base.dvc_hashes import md5_of_file
from pricetrail.base.errors import LineageError, OperationError
from pricetrail.base.limits import load_json
from pricetrail.base.processes import module, quiet_environment
from pricetrail.base.redaction import hide_settings
from pricetrail.lineage.git import cause

LAYOUTS: Final = ("files/md5", "")  # of DVC 3, and of DVC 2
OID: Final = re.compile(r"[0-9a-f]{32}(\.dir)?")


def dvc(*arguments: str, folder: Path = Path(), env: Mapping[str, str] | None = None) -> str:
    """What a DVC command prints.

    Raises:
        LineageError: DVC fails, with the first error that it gives.
    """
    known = quiet_environment() if env is None else env
    done = subprocess.run(module("dvc", *arguments), cwd=folder, env=known, capture_output=True, check=False)
    if done.returncode:
        told = cause(done.stderr.decode(errors="replace").splitlines(), done.returncode)
        raise LineageError(f"dvc {arguments[0]}", f"must succeed: {told}")
    return done.stdout.decode(errors="surrogateescape")


def dvc_config(project: Path = Path()) -> dict[str, Any]:
    """DVC's settings of a project, all levels merged, relative paths resolved; no log shows their secrets.

    Raises:
        OperationError: they cannot be read.
    """
    from dvc.config import Config, ConfigError  # not needed where the cache alone is read

    try:
        config = dict(Config(dvc_dir=str(project.absolute() / ".dvc")))
    except ConfigError as error:
        raise OperationError(".dvc/config", f"must be settings that DVC can read: {error}") from None
    for settings in config["remote"].values():
        hide_settings(settings)
    return config


def cache_folder(project: Path = Path()) -> Path:
    """The cache of a project.

    Raises:
        LineageError: this is no DVC project.
        OperationError: its settings cannot be read.
    """
    if not (project / ".dvc").is_dir():
        raise LineageError(str(project.absolute()), "must be a DVC project: `dvc init` makes one")
    return Path(dvc_config(project)["cache"].get("dir") or project.absolute() / ".dvc" / "cache")


def object_path(cache: Path, md5: str, layout: str = LAYOUTS[0]) -> Path | None:
    """Where the cache keeps an object; None for what is no md5: a lock of others may name any path."""
    return cache / layout / md5[:2] / md5[2:] if OID.fullmatch(md5) else None


def object_at(cache: Path, md5: str) -> Path | None:
    """The file of an object whose bytes are those that its name says; None where there is none."""
    for layout in LAYOUTS:
        path = object_path(cache, md5, layout)
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
