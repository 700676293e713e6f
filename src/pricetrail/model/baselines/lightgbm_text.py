"""LightGBM's text of a model, held against its grammar before the library reads it.

The library trusts a text: a child that is no node, or a feature beyond the columns, is memory that it reads at
prediction, and the process ends without a word.
"""

import re
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

END: Final = "\nend of trees\n"
MAX_LEAVES: Final = 4096  # the library walks down a tree by recursion
MAX_COLUMNS: Final = 100_000
_INTEGERS: Final = re.compile(r"(-?[0-9]{1,9}( -?[0-9]{1,9})*)?", re.ASCII)
_FINITE: Final = re.compile(r"[-+0-9.eE ]*", re.ASCII)
_HEADER: Final = {"num_class": "1", "num_tree_per_iteration": "1", "label_index": "0", "objective": "regression"}
_FREE: Final = {"version", "max_feature_idx", "feature_names", "feature_infos"}
_TREE: Final = {"num_cat": "0", "is_linear": "0"}
_OF_LEAVES: Final = ("leaf_count", "leaf_value", "leaf_weight")
_OF_SPLITS: Final = ("internal_count", "internal_value", "internal_weight", "split_gain", "threshold")
_NODES: Final = ("split_feature", "decision_type", "left_child", "right_child")
_FREE_OF_TREE: Final = {"num_leaves", "shrinkage", *_OF_LEAVES, *_OF_SPLITS, *_NODES}
_CATEGORICAL: Final = 1  # bit of a decision type; the others say what a gap does


def require_trees(text: str) -> str:
    """The part of a text that the library needs: its header and its trees, each of them whole.

    Raises:
        ValueError: it is not what the library writes for this project's models.
    """
    trees, end, _ = text.partition(END)
    header, *blocks = trees.split("\nTree=")
    if not end or not blocks or not header.startswith("tree\n"):
        raise ValueError("trees are missing")
    told = _fields(header.removeprefix("tree\n"), _HEADER, _FREE)
    columns = int(_numbers(told["max_feature_idx"], 1, _INTEGERS)[0]) + 1
    if not 1 <= columns <= MAX_COLUMNS:
        raise ValueError(f"it has {columns} columns")
    for name in ("feature_names", "feature_infos"):
        if len(told[name].split(" ")) != columns:
            raise ValueError(f"{name} must name {columns} columns")
    for number, block in enumerate(blocks):
        index, _, body = block.partition("\n")
        try:
            if index != str(number):
                raise ValueError(f"it is called {index[:20]!r}")
            _require_tree(_fields(body, _TREE, _FREE_OF_TREE), columns)
        except ValueError as error:
            raise ValueError(f"tree {number}: {error}") from None
    return trees + end


def _fields(text: str, fixed: Mapping[str, str], free: set[str]) -> Mapping[str, str]:
    """Lines ``key=value`` by key: all of the known ones, and no other."""
    lines = [line.partition("=") for line in text.split("\n") if line]
    told = {key: value for key, _, value in lines}
    if set(told) != {*fixed, *free} or len(lines) != len(told):
        odd = sorted(set(told) ^ {*fixed, *free}) or sorted(told)
        raise ValueError(f"it must have each key once, see {odd[0][:40]!r}")
    for key, value in fixed.items():
        if told[key] != value:
            raise ValueError(f"{key} must be {value}, got {told[key][:40]!r}")
    return told


def _require_tree(told: Mapping[str, str], columns: int) -> None:
    leaves = int(_numbers(told["num_leaves"], 1, _INTEGERS)[0])
    if not 1 <= leaves <= MAX_LEAVES:
        raise ValueError(f"it has {leaves} leaves")
    nodes = (_numbers(told[name], leaves - 1, _INTEGERS).astype(np.int64) for name in _NODES)
    feature, decision, left, right = nodes
    if ((feature < 0) | (feature >= columns)).any():
        raise ValueError(f"it splits by what is none of {columns} columns")
    if ((decision < 0) | (decision > 10) | (decision & _CATEGORICAL)).any():
        raise ValueError("it has splits of a kind that is not used here")
    children = np.sort(np.concatenate([left, right]))  # leaf i is ~i; each node but the root has one parent
    if children.tolist() != [*range(-leaves, 0), *range(1, leaves - 1)] and leaves > 1:
        raise ValueError("its nodes do not make a tree")
    for name in _OF_LEAVES:
        if leaves > 1 or name == "leaf_value" or told[name]:  # a tree without splits has no weights
            _numbers(told[name], leaves)
    for name in _OF_SPLITS:
        _numbers(told[name], leaves - 1)
    _numbers(told["shrinkage"], 1)


def _numbers(text: str, count: int, form: re.Pattern[str] = _FINITE) -> NDArray[np.float64]:
    if not form.fullmatch(text) or not np.isfinite(values := np.array(text.split(), dtype=np.float64)).all():
        raise ValueError(f"must be numbers, got {text[:40]!r}")
    if len(values) != count:
        raise ValueError(f"must be {count} numbers, got {len(values)}")
    return values
