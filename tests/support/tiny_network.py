"""A small shop of random lines, and networks small enough to train in a test."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pricetrail.data.encoder import fit_encoder
from pricetrail.data.features import DAY, NUMERIC_FEATURES, TARGET
from pricetrail.data.past_lines import History
from pricetrail.model.candidate import TrainingTables
from pricetrail.model.inputs import Inputs, LookBack
from pricetrail.model.network import Network, NetworkSpec
from pricetrail.model.training import Trained, TrainingSpec, predict_standardised

SPEC = NetworkSpec(widths=(16, 16), dropouts=(0.1, 0.0), bins=4)
TRAINING = TrainingSpec("adamw", 1e-2, 1e-4, batch_size=64, max_epochs=8, patience_epochs=8)
LOOK_BACK = LookBack(sku_lines=5, customer_lines=4)
SKU_EFFECT = np.random.default_rng(0).normal(0, 2, 12)


def make_lines(days: int, seed: int) -> pd.DataFrame:
    """Twenty lines a day with gaps; what a SKU sells is in no feature, only in its past lines."""
    rng = np.random.default_rng(seed)
    size = 20 * days
    lines = pd.DataFrame(rng.normal(size=(size, len(NUMERIC_FEATURES))), columns=list(NUMERIC_FEATURES))
    sku, customer, is_guest = rng.integers(0, 12, size), rng.integers(0, 15, size), rng.random(size) < 0.2
    country = rng.choice(["United Kingdom", "France"], size)
    target = 3 - lines["log_unit_price"] + np.abs(lines["sku_mean"]) + 0.5 * (country == "France") + SKU_EFFECT[sku]
    lines["registered"] = np.where(is_guest, 0.0, 1.0)
    lines.loc[rng.random(size) < 0.2, "customer_mean"] = np.nan
    return lines.astype("float32").assign(
        **{DAY: pd.Timestamp("2011-01-03") + pd.to_timedelta(np.arange(size) // 20, unit="D")},
        sku=pd.Series(sku + 10001).astype("str"),
        customer_id=pd.Series(customer + 20001).astype("str").where(~is_guest),
        country=country,
        **{TARGET: (target + rng.normal(0, 0.1, size)).astype("float32")},
    )


LINES = make_lines(90, 1)
TRAIN, VALIDATION, TEST = (
    LINES[LINES[DAY].between(*days, inclusive="left")].reset_index(drop=True)
    for days in itertools.pairwise(pd.to_datetime(["2011-01-03", "2011-03-04", "2011-03-19", "2011-04-03"]))
)
ENCODER = fit_encoder(TRAIN, bins=6, max_countries=1)
HISTORY = History.of(LINES)
MATERIAL = TrainingTables(TRAIN, VALIDATION, ENCODER, HISTORY, LOOK_BACK)
DATA = MATERIAL.tensors()
MEAN, STD = DATA.scale.mean, DATA.scale.std
BROKEN = replace(DATA, train=replace(DATA.train, query=DATA.train.query * math.nan, x=DATA.train.x * math.nan))


def inputs_of(rows: pd.DataFrame, history: History = HISTORY) -> Inputs:
    return Inputs.of(rows, ENCODER, history, LOOK_BACK, DATA.scale)


def network_of(trained: Trained, spec: NetworkSpec = SPEC) -> Network:
    network = Network(spec, ENCODER.column_edges, DATA.events)
    network.load_state_dict(trained.weights)
    return network


def predict(trained: Trained, rows: pd.DataFrame, spec: NetworkSpec = SPEC) -> NDArray[np.float32]:
    return predict_standardised(network_of(trained, spec), inputs_of(rows)).numpy() * STD + MEAN


OPTIONS = [
    replace(SPEC, batch_norm=norm, residual=residual, ensemble_size=members)
    for norm, residual, members in itertools.product([False, True], [False, True], [1, 3])
]


def options_id(spec: NetworkSpec) -> str:
    return f"norm{spec.batch_norm:d}-residual{spec.residual:d}-members{spec.ensemble_size}"
