"""Every fault of the table is noticed by whom the table says, and no detector fires on a run without faults."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from support.clone import Clone
from support.evidence_fault_table import FAULTS
from support.evidence_faults import Fault
from support.source_tree import ROOT

pytestmark = pytest.mark.slow


def output(clone: Clone, command: str) -> str:
    done = clone.run("bash", "-c", command)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def healthy(shop: Clone, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """What a command says without a fault. That the suite's own tests pass without one, the suite shows."""

    @cache
    def said(command: str) -> str:
        if "pytest" in command:
            return ""
        folder = shutil.copytree(shop.folder, tmp_path_factory.mktemp("healthy") / "copy", symlinks=True)
        told = output(Clone(folder), command)
        shutil.rmtree(folder)
        return told

    return said


LAST = {fault.catcher: fault for fault in FAULTS}  # `make test` injects one fault a catcher, `make test-all` every one
PARAMETERS = [
    pytest.param(fault, id=fault.name, marks=[] if fault is LAST[fault.catcher] else [pytest.mark.long])
    for fault in FAULTS
]


@pytest.mark.parametrize("fault", PARAMETERS)
def test_the_fault_is_noticed(fault: Fault, copy: Clone, healthy: Callable[[str], str]) -> None:
    assert not re.search(fault.sign, healthy(fault.command)), "it fires without the fault"
    fault.inject(copy)
    said = output(copy, fault.command)
    assert re.search(fault.sign, said), said
    assert "Traceback" not in said or "pytest" in fault.command


def test_the_page_lists_every_fault() -> None:
    """``docs/faults.md`` is for people, the list is for the machine: neither may have one that the other lacks."""
    rows = re.findall(r"^\| \d+ \| (.+?) \| (.+?) \|$", Path(ROOT / "docs/faults.md").read_text(), re.MULTILINE)
    assert rows == [(fault.name, fault.caught_by) for fault in FAULTS]
    assert len(rows) >= 20
