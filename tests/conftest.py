"""Settings of all tests: hypothesis tries the same examples everywhere, and a busy machine fails no test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from support.clone import TINY, Clone, make_clone
from support.source_project import Project, ingest, make_project, week

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone after one `dvc repro`; tests must leave it as they found it, or copy it."""
    clone = make_clone(tmp_path_factory.mktemp("shop"), TINY)
    clone.must("dvc", "repro")
    clone.commit()
    return clone


@pytest.fixture
def copy(shop: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A copy that a test may change."""
    shutil.copytree(shop.folder, tmp_path / "copy", symlinks=True)
    yield Clone(tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy")


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
