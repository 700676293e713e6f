"""Attacks by whoever may change a bundle: a LightGBM text that ends the process which predicts by it.

Each was loaded before and ended the process in ``predict`` by SIGSEGV, or never ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import lightgbm
import numpy as np
import pytest

from pricetrail.base.errors import BundleError
from pricetrail.model.baselines.learned import LightGbm
from pricetrail.model.baselines.lightgbm_text import require_trees
from pricetrail.model.baselines.naive import load_baseline

X = np.random.default_rng(0).normal(size=(500, 4))
BOOSTER = lightgbm.train(
    {"objective": "regression", "verbosity": -1, "num_leaves": 7, "num_threads": 1},
    lightgbm.Dataset(X, X[:, 0] + X[:, 1]),
    5,
)
TEXT = re.sub(r"^tree_sizes=.*\n", "", BOOSTER.model_to_string(), flags=re.MULTILINE)


def changed(pattern: str, value: str) -> Callable[[], str]:
    return lambda: re.sub(pattern, value, TEXT, count=1)


CASES = {
    "child that is no node": (changed(r"left_child=-?\d+", "left_child=99999999"), "do not make a tree"),
    "child that is no leaf": (changed(r"right_child=-?\d+", "right_child=-9000000"), "do not make a tree"),
    "circle": (changed(r"left_child=-?\d+", "left_child=0"), "do not make a tree"),
    "feature beyond": (changed(r"split_feature=\d+", "split_feature=99999999"), "none of 4 columns"),
    "categories": (changed("decision_type=2", "decision_type=1"), "of a kind that is not used here"),
    "very many leaves": (changed("num_leaves=7", "num_leaves=900000000"), "it has 900000000 leaves"),
    "value that is none": (changed(r"leaf_value=\S+", "leaf_value=nan"), "must be numbers, got 'nan"),
    "value missing": (changed(r"leaf_value=\S+ ", "leaf_value="), "must be 7 numbers, got 6"),
    "linear leaves": (changed("is_linear=0", "is_linear=1"), "is_linear must be 0"),
    "key twice": (changed("num_cat=0", "num_cat=0\nnum_cat=0"), "must have each key once"),
}


@pytest.mark.attack
@pytest.mark.parametrize("name", CASES)
def test_a_text_that_ends_the_process_is_not_loaded(name: str) -> None:
    change, message = CASES[name]
    assert change() != TEXT
    with pytest.raises(
        BundleError, match=rf"^lightgbm\.txt\.zst: must be a stored lightgbm model: tree 0: .*{message}"
    ):
        load_baseline("lightgbm", LightGbm(change()).to_files())


def test_what_is_loaded_predicts_as_the_library_does() -> None:
    loaded = lightgbm.Booster(model_str=require_trees(TEXT))
    np.testing.assert_array_equal(loaded.predict(X), BOOSTER.predict(X))
    np.testing.assert_array_equal(
        load_baseline("lightgbm", LightGbm(TEXT).to_files()).predict_matrix(X), BOOSTER.predict(X)
    )


def test_a_tree_without_splits_is_whole() -> None:
    settings = {"objective": "regression", "verbosity": -1, "num_threads": 1, "min_child_samples": 400}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, X[:, 0]), 2)
    text = re.sub(r"^tree_sizes=.*\n", "", booster.model_to_string(), flags=re.MULTILINE)
    assert "num_leaves=1\n" in text
    np.testing.assert_array_equal(LightGbm(text).predict_matrix(X), booster.predict(X))
