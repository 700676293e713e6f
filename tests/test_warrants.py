"""A bundle is loaded where something vouches for it: its run, the workspace's lock, or a release's signature."""

from __future__ import annotations

from pathlib import Path

import pytest

from pricetrail.errors import BundleError, PricetrailError
from pricetrail.lock_warrant import of_lock
from pricetrail.run_warrant import of_this_run
from pricetrail.warrants import Warrant
from release_sample import Shop, bundle_files, sha256


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A candidate on disk, and the lock that names it."""
    shop = Shop(tmp_path)
    bundle = bundle_files("a")
    for name, content in bundle.items():
        file = shop.folder / "models/candidate" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    shop.add_to_lock(bundle)
    return shop.folder


def test_a_warrant_is_for_one_manifest_only() -> None:
    warrant = Warrant("ab", "dvc.lock")
    warrant.require("ab", "models/candidate")
    rule = "models/candidate: must be the bundle that dvc.lock vouches for: manifest with sha256 ab, got 'cd'"
    with pytest.raises(BundleError, match=rule):
        warrant.require("cd", "models/candidate")


def test_the_lock_vouches_for_the_candidate_that_it_names(project: Path) -> None:
    manifest = sha256(bundle_files("a")["manifest.json"])
    assert of_lock(project).manifest_sha256 == manifest
    assert of_this_run(project / "models/candidate").manifest_sha256 == manifest


@pytest.mark.parametrize("change", ["weights", "manifest", "more", "less", "consistent"])
def test_the_lock_vouches_for_no_other_bytes(project: Path, change: str) -> None:
    """``consistent``: a whole other bundle, right in itself."""
    folder = project / "models/candidate"
    if change == "consistent":
        for name, content in bundle_files("b").items():
            (folder / name).write_bytes(content)
    elif change == "less":
        (folder / "model.json").unlink()
    else:
        name = {"weights": "weights.safetensors", "manifest": "manifest.json", "more": "lightgbm.txt"}[change]
        (folder / name).write_bytes(b"{}")
    with pytest.raises(BundleError, match=r"must be the bundle that dvc\.lock names"):
        of_lock(project)


def test_a_lock_without_the_candidate_vouches_for_nothing(project: Path) -> None:
    (project / "dvc.lock").write_text("schema: '2.0'\nstages: {tune: {cmd: 'true'}}\n")
    with pytest.raises(BundleError, match=r"must be an output that dvc\.lock names"):
        of_lock(project)
    (project / "dvc.lock").unlink()
    with pytest.raises(PricetrailError, match=r"dvc\.lock"):
        of_lock(project)
