"""Who vouches for a bundle. ``Bundle.load`` takes none without a warrant."""

from __future__ import annotations

from dataclasses import dataclass

from pricetrail.errors import BundleError


@dataclass(frozen=True)
class Warrant:
    """A bundle that may be loaded.

    Only ``run_warrant``, ``lock_warrant`` and ``releases.fetch`` make one (a test reads the code).

    Attributes:
        manifest_sha256: of the bundle's manifest, which names every other file's hash.
        by: what vouches for it, for messages.
    """

    manifest_sha256: str
    by: str

    def require(self, manifest_sha256: str, place: str) -> None:
        """Hold a bundle's manifest against the warrant.

        Raises:
            BundleError: it is another bundle's.
        """
        if manifest_sha256 != self.manifest_sha256:
            rule = f"must be the bundle that {self.by} vouches for: manifest with sha256 {self.manifest_sha256}"
            raise BundleError(place, rule, manifest_sha256)
