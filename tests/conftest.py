"""Settings of all tests: hypothesis tries the same examples everywhere, and a busy machine fails no test."""

import filecmp
import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import Phase, settings

from support.clone import TINY, Clone, make_clone
from support.commands import fast_programs
from support.source_project import Project, ingest, make_project, week

settings.register_profile("thorough", deadline=None, derandomize=True)  # 100 examples: make test-all
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=30)
settings.register_profile("unshrunk", deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
settings.load_profile("repeatable")
GROUPED = ("xdist_group", "long", "real")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What tests import stays until the end, so that Python need not go through its million objects again and again."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs what `make test` does with the shop, so that the other need not wait until it is made."""
    for item in items:
        if "shop" in getattr(item, "fixturenames", ()) and not any(map(item.get_closest_marker, GROUPED)):
            item.add_marker(pytest.mark.xdist_group("shop"))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Clone:
    """A clone after one `dvc repro`; tests must leave it as they found it, or copy it.

    Made once for all workers. What an earlier session made is taken from its DVC run cache, where DVC finds a stage by
    the hashes of all that it reads, so none is stale; `make clean` and `pytest --cache-clear` remove it.
    """
    base, kept = tmp_path_factory.getbasetemp(), pytestconfig.cache.mkdir("shop")
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "shop"
    with FileLock(kept / "lock"):
        if not folder.exists():
            make_shop(folder.with_name("unfinished-shop"), kept / "dvc-cache").rename(folder)
    return Clone(folder)


def make_shop(folder: Path, kept: Path) -> Path:
    """Run the pipeline, with the DVC cache of an earlier session where it is of the same packages and no 100 MB yet."""
    clone, packages = make_clone(folder, TINY), sorted(f"{it.name} {it.version}" for it in distributions())
    (folder / ".dvc/cache").mkdir()
    (folder / ".dvc/cache/packages").write_text("\n".join([sys.version, *packages]))
    is_same = kept.exists() and filecmp.cmp(kept / "packages", folder / ".dvc/cache/packages", shallow=False)
    if is_same and sum(file.stat().st_size for file in kept.rglob("*")) < 100e6:
        shutil.copytree(kept, folder / ".dvc/cache", dirs_exist_ok=True)
    clone.must("dvc", "repro")
    clone.commit()
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder / ".dvc/cache", kept)
    return folder


@pytest.fixture
def copy(shop: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A copy that a test may change."""
    shutil.copytree(shop.folder, tmp_path / "copy", symlinks=True)
    yield Clone(tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users of this machine may enter: ``tmp_path`` is in one that they may not."""
    folder = Path(tempfile.mkdtemp(prefix="open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def fast_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    """`dvc` and `pricetrail` start without their imports, for the code under test too; not for one that kills them."""
    monkeypatch.setattr(sys, "executable", str(fast_programs() / "python"))


@pytest.fixture(scope="session")
def empty_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project without lines; tests must copy it."""
    return make_project(tmp_path_factory.mktemp("empty") / "project")


@pytest.fixture(scope="session")
def one_week(tmp_path_factory: pytest.TempPathFactory, empty_project: Project) -> Project:
    """A project with ``w48.csv`` ingested and committed; tests must copy it."""
    folder = tmp_path_factory.mktemp("week")
    shutil.copytree(empty_project.root, folder / "project", symlinks=True)
    project = Project(folder / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        done = ingest(project.give("w48.csv", week("2011-11-28", "2011-11-29", "2011-11-30")), "--commit")
        assert done.exit_code == 0, done.output
    return project
