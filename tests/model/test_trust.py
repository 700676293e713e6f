"""A bundle is loaded only where its manifest is trusted: by the run that built it, or by a release's signature."""

from __future__ import annotations

from pathlib import Path

import pytest

from pricetrail.base.errors import BundleError
from pricetrail.model.trust import TrustedManifest, trust_this_run
from support.release_sample import bundle_files, sha256


def test_trust_is_for_one_manifest_only() -> None:
    trusted = TrustedManifest("ab", "the signature of v1")
    trusted.require("ab", "models/candidate")
    rule = "models/candidate: must be the bundle trusted by the signature of v1: manifest with sha256 ab, got 'cd'"
    with pytest.raises(BundleError, match=rule):
        trusted.require("cd", "models/candidate")


def test_a_run_trusts_the_manifest_that_lies_in_its_bundle(tmp_path: Path) -> None:
    manifest = bundle_files("a")["manifest.json"]
    with pytest.raises(BundleError, match=r"manifest\.json: must be in the bundle"):
        trust_this_run(tmp_path)
    (tmp_path / "manifest.json").write_bytes(manifest)
    assert trust_this_run(tmp_path).manifest_sha256 == sha256(manifest)
