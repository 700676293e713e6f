"""What releases need of the remote: told by release, and brought back from another remote or from the cache."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pricetrail.base.errors import ReleaseError
from pricetrail.operation.doctor import remote as doctor
from pricetrail.operation.doctor.findings import State
from pricetrail.operation.releases.kept import Lost, copy_releases, lost_of_releases
from pricetrail.operation.releases.remote import Objects, open_remote
from pricetrail.operation.releases.verify import verify
from support.release_sample import SBOM, Shop, md5, released_shop, sha256

OLD = "\n['remote \"old\"']\n    url = ../../old\n"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Releases of a and b; their remote has a copy, the remote `old`."""
    with released_shop(tmp_path_factory.mktemp("both") / "box", "HEAD~1", "HEAD") as shop:
        shutil.copytree(shop.remote, shop.box / "old")
        with (shop.folder / ".dvc/config").open("a") as file:
            file.write(OLD)
        return shop


@pytest.fixture
def shop(both: Shop, tmp_path: Path) -> Shop:
    return both.copy(tmp_path / "box")


def lost(shop: Shop, newest: int = 0) -> tuple[Lost, ...]:
    with open_remote(shop.folder) as remote:
        return lost_of_releases(shop.folder, Objects(shop.cache, remote), remote, newest)


def place(shop: Shop, content: bytes) -> Path:
    return shop.remote / "files/md5" / md5(content)[:2] / md5(content)[2:]


def test_what_is_lost_is_told_by_release(shop: Shop) -> None:
    assert lost(shop) == ()
    assert doctor.releases_in_remote(shop.folder).state == State.OK
    place(shop, b"weights of a").unlink()
    assert lost(shop) == (Lost("v1.0.0", (md5(b"weights of a"),), "", ()),)
    assert lost(shop, newest=1) == (), "it does not serve"
    assert lost(shop, newest=2) == lost(shop), "a rollback would take it"
    finding = doctor.releases_in_remote(shop.folder)
    assert (finding.state, "v1.0.0 lacks 1 object of its bundle" in finding.found) == (State.WARNING, True)
    (shop.remote / "releases" / f"{sha256(SBOM)}.sbom.cdx.json").unlink()
    assert [one.version for one in lost(shop)] == ["v2.0.0", "v1.0.0"]
    finding = doctor.releases_in_remote(shop.folder)
    assert (finding.state, "v2.0.0 lacks its bill of materials" in finding.found) == (State.FAILED, True)
    assert "`pricetrail releases --copy-from old`" in finding.advice


@pytest.mark.operation_case
@pytest.mark.parametrize("has_cache", [True, False])
def test_all_is_copied_from_another_remote(shop: Shop, has_cache: bool) -> None:
    shutil.rmtree(shop.remote)
    shop.remote.mkdir()
    if not has_cache:
        shutil.rmtree(shop.cache)
    count, left = copy_releases(shop.folder, shop.cache, "old")
    assert (count, left) == (8, ()), "two weights, two manifests, one model.json of both, two lists; materials"
    there, old = (
        {p.relative_to(box) for p in box.rglob("*") if p.is_file()} for box in (shop.remote, shop.box / "old")
    )
    assert there == old
    shutil.rmtree(shop.cache, ignore_errors=True)
    assert all(verify(shop.folder, name, shop.cache).passed for name in ("v1.0.0", "v2.0.0"))
    assert copy_releases(shop.folder, shop.cache, "old") == (0, ())


@pytest.mark.attack
def test_a_copy_takes_no_other_bytes(shop: Shop) -> None:
    """Whoever may write to the old remote does not get into the new one."""
    target = place(shop, b"weights of a")
    target.unlink()
    shutil.rmtree(shop.cache)
    (shop.box / "old" / target.relative_to(shop.remote)).write_bytes(b"weights of mine")
    with pytest.raises(ReleaseError, match="must have the bytes that its name says"):
        copy_releases(shop.folder, shop.cache, "old")
    assert not target.exists()


def test_a_copy_says_what_is_still_lost(shop: Shop) -> None:
    target = place(shop, b"weights of a")
    target.unlink()
    shutil.rmtree(shop.cache)
    (shop.box / "old" / target.relative_to(shop.remote)).unlink()
    assert copy_releases(shop.folder, shop.cache, "old") == (0, (Lost("v1.0.0", (md5(b"weights of a"),), "", ()),))
    with pytest.raises(ReleaseError, match="nobody"):
        copy_releases(shop.folder, shop.cache, "nobody")
