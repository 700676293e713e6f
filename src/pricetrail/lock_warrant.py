"""The warrant of a lock: the bundle on disk is the one that the workspace's ``dvc.lock`` names."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pricetrail import files
from pricetrail.errors import BundleError, SourceError
from pricetrail.hashes import md5_of_bytes, md5_of_tree
from pricetrail.provenance import parse_lock, writer
from pricetrail.warrants import Warrant

CANDIDATE = Path("models/candidate")


def of_lock(project: Path = Path(), path: Path = CANDIDATE) -> Warrant:
    """For the candidate of the workspace.

    Args:
        project: folder of ``dvc.lock``.
        path: of the bundle, below it.

    Raises:
        BundleError: the lock names no such bundle, or another one than lies on disk.
        SourceError: there is no lock, or no bundle.
    """
    stages = parse_lock(files.read_text(project / "dvc.lock"))
    stage = writer(stages, path.as_posix())
    named = stage.outs.get(path.as_posix()) if stage else None
    if named is None:
        raise BundleError(str(path), "must be an output that dvc.lock names: run `dvc repro`")
    contents = files.read_folder(project / path)  # hashed and vouched for are the same bytes
    found = md5_of_tree({name: md5_of_bytes(content) for name, content in contents.items()})
    if found != named:
        raise BundleError(str(path), f"must be the bundle that dvc.lock names, {named}: run `dvc repro`", found)
    if "manifest.json" not in contents:
        raise SourceError(str(path / "manifest.json"), "must be in the bundle, and is not there")
    return Warrant(hashlib.sha256(contents["manifest.json"]).hexdigest(), "dvc.lock")
