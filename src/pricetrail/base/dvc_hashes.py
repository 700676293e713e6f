"""Hashes of files and folders as DVC writes them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pricetrail.base.errors import SourceError


def md5_of(path: Path) -> str:
    """A file's md5, or a folder's in DVC's way: that of its files' list as JSON, with ``.dir`` at the end.

    Raises:
        SourceError: it is not there or not readable.
    """
    try:
        return md5_of_tree(list_folder(path)) if path.is_dir() else md5_of_file(path)
    except OSError as error:
        raise SourceError(str(path), f"must be readable: {error.strerror}") from None


def md5_where_there(path: Path) -> str | None:
    """The same; None where there is no such file or folder."""
    return md5_of(path) if path.exists() else None


def list_folder(folder: Path) -> dict[str, str]:
    """The md5 of each file of a folder by its path inside it; compiled Python is left out, as in ``.dvcignore``."""
    return {
        file.relative_to(folder).as_posix(): md5_of_file(file)
        for file in folder.rglob("*")
        if file.is_file() and file.suffix != ".pyc" and "__pycache__" not in file.parts
    }


def md5_of_tree(hashes: Mapping[str, str]) -> str:
    """A folder's hash from those of its files by relative path.

    Source: ``dvc_data.hashfile.tree.Tree``, of DVC 3.

    >>> md5_of_tree({"a.csv": "b026324c6904b2a9cb4b88d6d61c81d1", "b.csv": "26ab0db90d72e28ad0ba1e22ee510510"})
    '3b26643f384809b54828e779bb5adf05.dir'
    """
    listed = [{"md5": hashes[name], "relpath": name} for name in sorted(hashes)]
    return f"{md5_of_bytes(json.dumps(listed, sort_keys=True).encode())}.dir"


def md5_of_bytes(content: bytes) -> str:
    """A file's hash from its bytes."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def md5_of_file(path: Path) -> str:
    """A file's hash, read in parts.

    Raises:
        OSError: it is not readable.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
