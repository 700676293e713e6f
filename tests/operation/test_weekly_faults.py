"""Every fault of the scheduled run is survived, and the same world without a fault publishes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.source_tree import ROOT
from support.weekly_faults import ELSEWHERE, FAULTS, FINE, Fault
from support.weekly_scene import NotHere
from support.weekly_trial import survive
from support.weekly_world import World, make_world, warm

LEAST_FAULTS = 20
WITHIN_SECONDS = 180  # 26 at most on a quiet machine
slow = [pytest.mark.slow, pytest.mark.xdist_group("operation_faults")]  # one worker makes the worlds


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, World]:
    """By whether the run finds the stages' outputs in DVC's run cache."""
    box = tmp_path_factory.mktemp("worlds")
    cold = make_world(box / "cold")
    return {"cold": cold, "warm": warm(cold, box / "warm")}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "world"
    shutil.rmtree(tmp_path / "world", ignore_errors=True)


def parameters() -> list[object]:
    return [pytest.param(fault, id=fault.name, marks=[*slow, pytest.mark.long]) for fault in FAULTS]


@pytest.mark.parametrize("fault", parameters())
def test_the_fault_is_survived(fault: Fault, worlds: Mapping[str, World], box: Path) -> None:
    try:
        seconds = survive(fault, worlds[fault.cache], box, seed=0)
    except NotHere as reason:
        pytest.skip(str(reason))
    assert seconds < WITHIN_SECONDS, "to the next good run"


@pytest.mark.parametrize(
    "foreign", [pytest.param(is_foreign, marks=[*slow, pytest.mark.long]) for is_foreign in (False, True)]
)
def test_the_same_world_without_a_fault_publishes(foreign: bool, worlds: Mapping[str, World], box: Path) -> None:
    """The control of all faults; that of the others is the next run of each."""
    none = Fault("none", "", lambda scene: [scene.run()], (FINE,), "Released", True, foreign=foreign)
    assert survive(none, worlds["warm"], box, seed=0) < WITHIN_SECONDS


def test_the_page_lists_every_fault() -> None:
    rows = re.findall(r"^\| \d+ \| (.+?) \| (.+?) \|$", (ROOT / "docs/reliability.md").read_text(), re.MULTILINE)
    assert rows == [(fault.name, fault.survived_by) for fault in FAULTS] + [row[:2] for row in ELSEWHERE]
    assert len(rows) >= LEAST_FAULTS


def test_a_fault_that_is_tested_elsewhere_is() -> None:
    for _, _, test in ELSEWHERE:
        file, _, name = test.partition("::")
        assert f"def {name}(" in (ROOT / file).read_text(), test
