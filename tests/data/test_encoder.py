"""The encoder is fitted on training rows only, is data, and its bins are scikit-learn's quantile bins."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import KBinsDiscretizer

from pricetrail.base.errors import BundleError, DataError
from pricetrail.data.encoder import Encoder, fit_encoder
from pricetrail.data.features import NUMERIC_FEATURES


def make_features(size: int, seed: int) -> pd.DataFrame:
    """Random features with gaps in one column, a constant one and a few countries."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        rng.normal(size=(size, len(NUMERIC_FEATURES))), columns=list(NUMERIC_FEATURES), dtype="float32"
    )
    table.loc[rng.random(size) < 0.3, "sku_mean"] = np.nan
    countries = rng.choice(["United Kingdom", "France", "Norway"], size, p=[0.7, 0.2, 0.1])
    return table.assign(month=np.float32(5), country=countries)


def test_edges_are_scikit_learns_quantiles_of_the_known_values() -> None:
    train = make_features(500, 0)
    encoder = fit_encoder(train, bins=6, max_countries=2)
    known = train["sku_mean"].dropna().to_numpy().astype(np.float64).reshape(-1, 1)
    oracle = KBinsDiscretizer(6, strategy="quantile", encode="ordinal", quantile_method="linear").fit(known)
    state = next(state for state in encoder.numeric if state.name == "sku_mean")
    np.testing.assert_allclose(state.edges, oracle.bin_edges_[0], rtol=1e-6)
    assert state.median == pytest.approx(float(np.median(known)), rel=1e-6)
    assert state.has_gaps


def test_matrix_by_hand() -> None:
    train = make_features(400, 1)
    encoder = fit_encoder(train, bins=4, max_countries=2)
    rows = train.head(3).assign(sku_mean=[np.nan, 0.5, np.inf], country=["Norway", "France", "Atlantis"])
    matrix = pd.DataFrame(encoder.transform(rows))
    owner = np.array(encoder.column_features)
    sku_mean = matrix.loc[:, owner == "sku_mean"].to_numpy()
    median = next(s.median for s in encoder.numeric if s.name == "sku_mean")
    np.testing.assert_allclose(sku_mean, [[median, 1], [0.5, 0], [median, 1]], rtol=1e-6)
    countries = matrix.loc[:, owner == "country"].to_numpy()
    assert countries.tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 1]], "United Kingdom, France, (other)"
    assert "month" not in encoder.feature_names, "constant on the training rows"
    assert np.isfinite(matrix.to_numpy()).all()
    assert encoder.home_country == "United Kingdom"


def test_only_training_rows_are_learned_from() -> None:
    """Law 2: what is applied later leaves no trace in the state."""
    train, later = make_features(300, 2), make_features(300, 3)
    encoder = fit_encoder(train, bins=5, max_countries=2)
    before = encoder.to_json()
    extreme = later.assign(log_unit_price=1e6, country="Atlantis")
    encoder.transform(extreme)
    assert encoder.to_json() == before == fit_encoder(train, bins=5, max_countries=2).to_json()
    assert fit_encoder(pd.concat([train, extreme]), bins=5, max_countries=2).to_json() != before


def test_state_survives_json_and_any_order_of_columns() -> None:
    train = make_features(300, 4)
    encoder = fit_encoder(train, bins=5, max_countries=2)
    again = Encoder.from_json(encoder.to_json())
    assert again == encoder
    shuffled = train[list(reversed(train.columns))]
    np.testing.assert_array_equal(again.transform(shuffled), encoder.transform(train))


def test_a_missing_feature_and_a_broken_state_are_named() -> None:
    train = make_features(100, 5)
    encoder = fit_encoder(train, bins=3, max_countries=1)
    with pytest.raises(BundleError, match="features: must hold 'log_unit_price'"):
        encoder.transform(train.drop(columns="log_unit_price"))
    broken = json.loads(encoder.to_json())
    del broken["numeric"][0]["median"]
    with pytest.raises(BundleError, match=r"encoder.json: must be the state of an encoder"):
        Encoder.from_json(json.dumps(broken))
    with pytest.raises(DataError, match="must have a feature that is not constant"):
        fit_encoder(pd.concat([train.head(1)] * 3), bins=3, max_countries=1)
