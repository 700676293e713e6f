"""Hashes of files and folders as DVC writes them, and the records of stages made with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pricetrail.errors import SourceError
from pricetrail.pipeline import Plan, inside, lookup
from pricetrail.provenance import StageRecord

_CHUNK_BYTES = 1 << 20


def md5_of(path: Path) -> str:
    """A file's md5, or a folder's in DVC's way: that of its files' list as JSON, with ``.dir`` at the end.

    Compiled Python files are left out, as in ``.dvcignore``.

    Raises:
        SourceError: it is not there or not readable.
    """
    try:
        if not path.is_dir():
            return _md5_of_file(path)
        files = {
            file.relative_to(path).as_posix(): file
            for file in path.rglob("*")
            if file.is_file() and file.suffix != ".pyc" and "__pycache__" not in file.parts
        }
        return md5_of_tree({name: _md5_of_file(file) for name, file in files.items()})
    except OSError as error:
        raise SourceError(str(path), f"must be readable: {error.strerror}") from None


def md5_of_tree(hashes: Mapping[str, str]) -> str:
    """A folder's hash from those of its files by relative path.

    Source: ``dvc_data.hashfile.tree.Tree``, of DVC 3.

    >>> md5_of_tree({})
    'd751713988987e9331980363e24189ce.dir'
    """
    listed = [{"md5": hashes[name], "relpath": name} for name in sorted(hashes)]
    return f"{_md5(json.dumps(listed, sort_keys=True).encode())}.dir"


def md5_of_bytes(content: bytes) -> str:
    """A file's hash from its bytes."""
    return _md5(content)


def stage_records(
    plans: Sequence[Plan], demo: Sequence[Plan], source: str, params: Mapping[str, Any]
) -> tuple[StageRecord, ...]:
    """What a run's stages read and wrote, by hash, from the files as they lie on disk; sources first.

    Args:
        plans: the stages, each after those it reads.
        demo: stages that make the source where it is the demo shop.
        source: path of the source data.
        params: all of ``params.yaml``.

    Raises:
        SourceError: a file is not there.
        DataError: a parameter is not there.
    """
    known: dict[str, str] = {}

    def hashes(paths: Sequence[str]) -> dict[str, str]:
        for path in paths:
            known[path] = known.get(path) or md5_of(Path(path))
        return {path: known[path] for path in paths}

    def record(plan: Plan, outs: Sequence[str]) -> StageRecord:
        values = {key: lookup(params, key) for key in plan.params}
        return StageRecord(plan.name, plan.cmd, hashes(plan.deps), values, hashes(outs))

    makers = [record(plan, [source]) for plan in demo if any(inside(source, out) for out in plan.outs)]
    added = StageRecord(f"{source}.dvc", "", outs=hashes([source]))  # as `dvc add` names it
    return (*(makers or [added]), *(record(plan, plan.outs) for plan in plans))


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _md5_of_file(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
