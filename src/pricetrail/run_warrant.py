"""The warrant of the run that built a bundle: for stages only, since DVC hands it to them by hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pricetrail.errors import BundleError
from pricetrail.warrants import Warrant


def of_this_run(folder: Path) -> Warrant:
    """For the bundle that an earlier stage of this run wrote; DVC's lock records which one it was.

    Raises:
        BundleError: it has no manifest.
    """
    manifest = folder / "manifest.json"
    try:
        content = manifest.read_bytes()
    except OSError:
        raise BundleError(str(manifest), "must be in the bundle, and is not there") from None
    return Warrant(hashlib.sha256(content).hexdigest(), "the run that built it")
