"""Serving: from a stage or a version to a folder that ``Bundle.load`` takes."""

from dataclasses import dataclass
from pathlib import Path

from pricetrail.base import files
from pricetrail.base.errors import ReleaseError
from pricetrail.model.trust import TrustedManifest
from pricetrail.operation.releases.records import Record
from pricetrail.operation.releases.trust import Trust
from pricetrail.operation.releases.verify import require_verified


@dataclass(frozen=True)
class Fetched:
    """A release on disk.

    Attributes:
        folder: of the bundle.
        record: what was released.
        trusted: for ``Bundle.load``.
    """

    folder: Path
    record: Record
    trusted: TrustedManifest


def fetch_release(name: str, folder: Path, target: Path, cache: Path, trust: Trust | None = None) -> Fetched:
    """Verify a release, and write its bundle; nothing is written where a check fails.

    Args:
        name: ``production``, a version, or a tag of either.
        folder: of the project: its tags, its remote.
        target: folder of the bundle; replaced.
        cache: DVC's.
        trust: the keys that count; None for those of the project.

    Raises:
        ReleaseError: a check failed; it tells the first.
    """
    found = require_verified(folder, name, cache, trust)
    if found.evidence is None or found.record is None or not found.passed:
        raise ReleaseError(found.tag, "must be verified")
    files.write_folder(target, found.evidence.bundle)
    return Fetched(target, found.record, TrustedManifest(found.record.manifest_sha256, f"the signature of {found.tag}"))
