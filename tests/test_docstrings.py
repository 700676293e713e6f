"""The examples in docstrings say what the code does."""

import doctest
import importlib

import pytest

from support.source_tree import ROOT

SRC = ROOT / "src"
MODULES = [path.relative_to(SRC) for path in sorted(SRC.rglob("*.py")) if ">>> " in path.read_text()]


@pytest.mark.parametrize("name", [".".join(path.with_suffix("").parts) for path in MODULES])
def test_examples_of_a_module_hold(name: str) -> None:
    """Here and not by pytest's own search, which imports every module and with it Prefect's server."""
    ended = doctest.testmod(importlib.import_module(name))
    assert ended.failed == 0
    assert ended.attempted
