"""The files that a release's signature covers."""

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pricetrail.base import files
from pricetrail.base.errors import ReleaseError
from pricetrail.base.limits import load_json
from pricetrail.lineage.commit import DECISION, RECORD

MANIFEST: Final = "manifest.json"


@dataclass(frozen=True)
class Evidence:
    """What is signed: the record's text, the bundle's files by name, and three JSON files."""

    release: bytes
    bundle: Mapping[str, bytes]
    sbom: bytes
    decision: bytes
    lineage: bytes

    @contextmanager
    def as_folder(self) -> Iterator[Path]:
        """A folder of these files, which ends with the block."""
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "release"
            named = {
                "release.json": self.release,
                "sbom.cdx.json": self.sbom,
                Path(DECISION).name: self.decision,
                Path(RECORD).name: self.lineage,
                **{f"bundle/{name}": content for name, content in self.bundle.items()},
            }
            for name, content in named.items():
                files.write_bytes(folder / name, content)
            yield folder


def manifest_sha256(bundle: Mapping[str, bytes]) -> str:
    """Hash of a bundle's manifest, once it names every other file of the bundle, and each with its own bytes.

    Raises:
        ReleaseError: it does not.
    """
    try:
        named = {str(name): str(value) for name, value in load_json(bundle[MANIFEST])["sha256"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ReleaseError(f"bundle: {MANIFEST}", "must name a sha256 for each file") from None
    found = {name: sha256(content) for name, content in bundle.items() if name != MANIFEST}
    for name in sorted({*named, *found}):
        if named.get(name) != found.get(name):
            raise ReleaseError(f"bundle: {name}", f"must have sha256 {named.get(name)}", found.get(name) or "no file")
    return sha256(bundle[MANIFEST])


def sha256(content: bytes) -> str:
    """Hash, hex."""
    return hashlib.sha256(content).hexdigest()
