"""Attacks by whoever may push a branch, a tag or an object: JSON and YAML that end the program that reads them.

Each ended in a RecursionError, in all the memory there is, in two readings of one text, or in a number that no table
holds.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricetrail.base import files, limits
from pricetrail.base.errors import PricetrailError
from pricetrail.base.params import parse_params
from pricetrail.base.params_edit import with_settings
from pricetrail.lineage.ledger import parse_ledger
from pricetrail.lineage.lock import parse_lock, parse_source
from pricetrail.operation.releases import records
from support import bombs
from support.source_tree import ROOT

NAMES = "abcdefghijklmnop"
BOMB = "a: &a [1]\n" + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in pairwise(NAMES))
MERGES = "a: &a {x: 1}\n" + "".join(f"{b}: &{b} {{<<: [{','.join([f'*{a}'] * 9)}]}}\n" for a, b in pairwise(NAMES))
JSONS: dict[str, tuple[str | bytes, str]] = {
    "deep lists": ("[" * 100_000, "it is nested deeper than 64 levels"),
    "deep objects": ('{"a":' * 500 + "1" + "}" * 500, "it is nested deeper than 64 levels"),
    "long": (b" " * 16_000_001, "it has 16.0 MB, and may have 16"),
    "long integer": ("9" * 5000, "Exceeds the limit"),
    "integer of no column": ("9" * 30, "a number has more than 64 bits"),
    "infinite": ("[1e999]", "a number has more than 64 bits"),
    "no number": ("[NaN]", "NaN is no number"),
    "key twice": ('{"a": 1, "a": 2}', "key 'a' stands twice"),
    "not UTF-8": (b'{"a": "\xff"}', "'utf-8' codec can't decode byte 0xff"),
}
YAMLS: dict[str, tuple[str, str]] = {
    "deep lists": ("[" * 2000, "it is nested deeper than 64 levels"),
    "deep enough": ("[" * 80 + "]" * 80, "it is nested deeper than 64 levels"),
    "aliases": (BOMB, "its aliases stand for more than 1,000,000 values"),
    "merged aliases": (MERGES, "its aliases stand for more than 1,000,000 values"),
    "alias of itself": ("a: &a [*a]", "an alias stands in what it stands for"),
    "long": ("a: 1\n" * 200_001, "it has 1.0 MB, and may have 1"),
    "integer of no column": ("a: " + "9" * 30, "a number has more than 64 bits"),
}


@pytest.mark.attack
@pytest.mark.parametrize("name", JSONS)
def test_json_of_others_is_bounded(name: str) -> None:
    text, message = JSONS[name]
    with pytest.raises(ValueError, match=message):
        limits.load_json(text)
    with pytest.raises(PricetrailError, match=rf"^f: must be JSON: {message}"):
        files.parse_json(text, "f")


@pytest.mark.attack
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name == "deep lists" else []) for name in YAMLS]
)
def test_yaml_of_others_is_bounded(name: str) -> None:
    text, message = YAMLS[name]
    done = bombs.attempt(lambda: parse_lock(text, "dvc.lock"), 300)
    assert done.told.startswith(f"dvc.lock: must be YAML: {message}")
    for read in (parse_params, lambda text: with_settings(text, {"seed": 1}), lambda text: parse_source(text, "a.dvc")):
        with pytest.raises(PricetrailError, match=message):
            read(text)


@pytest.mark.attack
@pytest.mark.parametrize(
    "read",
    [
        lambda line: parse_ledger(line, "reports/runs.jsonl"),
        lambda line: records.parts(line, "price-model@v1.0.0"),
    ],
    ids=["ledger", "tag"],
)
def test_a_nested_line_of_git_is_one_line_of_error(read: Callable[[str], object]) -> None:
    with pytest.raises(PricetrailError):
        read('{"release": ' + "[" * 50_000)


def test_json_is_read_in_one_place() -> None:
    """``typed_json`` reads back what it wrote itself."""
    found = {
        file.name
        for file in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("json.loads", "json.load", "yaml.safe_load")
    }
    assert found == {"limits.py", "typed_json.py"}


TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(TREES)
def test_what_is_bounded_is_read_as_json_reads_it(tree: object) -> None:
    text = json.dumps(tree)
    assert limits.load_json(text) == limits.load_json(text.encode()) == json.loads(text)


def test_the_files_that_ship_are_far_below_the_limits() -> None:
    for file in ("dvc.lock", "dvc.yaml", "params.yaml"):
        assert 10 * (ROOT / file).stat().st_size < limits.MAX_YAML_MB * limits.MB
        assert limits.load_yaml((ROOT / file).read_text())
    largest = max(path.stat().st_size for path in Path(ROOT).glob("metrics/*.json"))
    assert 100 * largest < limits.MAX_JSON_MB * limits.MB


def test_aliases_that_a_person_writes_are_read() -> None:
    assert limits.load_yaml("a: &a {x: 1}\nb: {<<: *a, y: *a}") == {"a": {"x": 1}, "b": {"x": 1, "y": {"x": 1}}}
