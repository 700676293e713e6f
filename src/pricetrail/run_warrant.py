"""The warrant of the run that built a bundle: for stages only, since DVC hands it to them by hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pricetrail import files
from pricetrail.warrants import Warrant


def of_this_run(folder: Path) -> Warrant:
    """For the bundle that an earlier stage of this run wrote; DVC's lock records which one it was.

    Raises:
        SourceError: it has no manifest.
    """
    manifest = files.read_bytes(folder / "manifest.json")
    return Warrant(hashlib.sha256(manifest).hexdigest(), "the run that built it")
