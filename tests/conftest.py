"""Settings of all tests: hypothesis tries the same examples everywhere, and a busy machine fails no test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from clone import TINY, Clone, make_clone

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
