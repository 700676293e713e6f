"""Releases of a real run, by the real commands: its bundle predicts once it is verified, and is refused otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pricetrail.base import files
from pricetrail.base.errors import BundleError, ReleaseError
from pricetrail.model.bundle import Bundle
from pricetrail.operation.releases.fetch import fetch_release
from support.clone import Clone
from support.release_sample import altered_weights

pytestmark = pytest.mark.slow
COMMAND = ("python", "-m", "pricetrail.cli")


@pytest.mark.long
def test_a_run_is_released_served_and_not_to_be_tampered_with(copy: Clone, tmp_path: Path) -> None:
    folder, cache = copy.folder, copy.folder / ".dvc/cache"
    copy.must("dvc", "remote", "add", "--default", "here", str(tmp_path / "remote"))
    for name in ("user.name", "user.email"):
        copy.must("git", "config", name, "t")
    copy.must(*COMMAND, "keys")
    copy.commit()

    refused = copy.run(*COMMAND, "release")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: lock: must be in ")
    assert "objects are not; run `dvc push`" in refused.stderr
    copy.must("dvc", "push")
    told = copy.must(*COMMAND, "release")
    assert "price-model#production#1: v1.0.0 is in production" in told
    assert "not pushed: git has no remote origin" in told
    (row,) = json.loads(copy.run(*COMMAND, "releases", "--json").stdout)
    assert row["test_mse_log_quantity"] == files.read_json(folder / "metrics/test.json")["mse_log_quantity"]

    served = fetch_release("production", folder, tmp_path / "served", tmp_path / "empty cache")
    bundle = Bundle.load(served.folder, served.trusted)
    predictions = files.read_table(folder / "data/predictions.parquet")["predicted_log_quantity"].to_numpy()
    found = bundle.predict(files.read_table(folder / "data/splits/test"))
    np.testing.assert_allclose(found, predictions, atol=1e-5)

    altered_weights(served.folder)
    with pytest.raises(BundleError, match=r"must be the bundle trusted by the signature of price-model@v1\.0\.0"):
        Bundle.load(served.folder, served.trusted)
    for place in (tmp_path / "remote", cache):
        for file in (place / "files/md5").rglob("*"):
            if file.is_file() and file.read_bytes() == (folder / "models/candidate/manifest.json").read_bytes():
                file.chmod(0o644)
                file.write_bytes((served.folder / "manifest.json").read_bytes())
    done = copy.run(*COMMAND, "verify", "production")
    assert done.returncode == 1
    assert "price-model@v1.0.0 is not verified" in done.stdout
    with pytest.raises(ReleaseError, match="bundle: must be verified"):
        fetch_release("v1.0.0", folder, tmp_path / "again", cache)
    assert not (tmp_path / "again").exists()
