"""Which bundle may be loaded, and who says so. ``Bundle.load`` takes none without."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pricetrail.base.errors import BundleError


@dataclass(frozen=True)
class TrustedManifest:
    """A bundle that may be loaded.

    Only ``trust_this_run`` and ``releases.fetch`` make one (a test reads the code).

    Attributes:
        manifest_sha256: of the bundle's manifest, which names every other file's hash.
        by: who says that it may be loaded, for messages.
    """

    manifest_sha256: str
    by: str

    def require(self, manifest_sha256: str, place: str) -> None:
        """Hold a bundle's manifest against the trusted one.

        Raises:
            BundleError: it is another bundle's.
        """
        if manifest_sha256 != self.manifest_sha256:
            rule = f"must be the bundle trusted by {self.by}: manifest with sha256 {self.manifest_sha256}"
            raise BundleError(place, rule, manifest_sha256)


def trust_this_run(folder: Path) -> TrustedManifest:
    """For stages only: the bundle that an earlier stage of this run wrote; DVC hands it to them by hash.

    Raises:
        BundleError: it has no manifest.
    """
    manifest = folder / "manifest.json"
    try:
        content = manifest.read_bytes()
    except OSError:
        raise BundleError(str(manifest), "must be in the bundle, and is not there") from None
    return TrustedManifest(hashlib.sha256(content).hexdigest(), "the run that built it")
