"""SHAP values in the model's own features.

DeepExplainer explains the network's head on encoded columns; SHAP values add up, so the columns of a feature are
summed back to it (Lundberg & Lee 2017, arXiv:1705.07874; DeepSHAP). What was pooled from past lines counts as two
features, ``sku_history`` and ``customer_history``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shap
import torch
from numpy.typing import NDArray

from pricetrail.encoding import Encoder
from pricetrail.history import HISTORY_UNITS
from pricetrail.model.bundle import Bundle
from pricetrail.model.network import MeanHead, Network

CHUNK_ROWS = 500


@dataclass(frozen=True)
class Explanation:
    """SHAP values of rows.

    Attributes:
        values: one column a feature, in log1p(units), index as the explained rows.
        base_log_quantity: mean prediction of the background; base + sum of a row's values = its prediction.
        largest_gap: the largest |base + sum - prediction| over the rows, in log1p(units).
    """

    values: pd.DataFrame
    base_log_quantity: float
    largest_gap: float

    def mean_absolute(self) -> pd.Series:
        """Mean |SHAP value| of each feature, largest first."""
        return self.values.abs().mean().sort_values(ascending=False, kind="stable")


def explain(bundle: Bundle, rows: pd.DataFrame, background: pd.DataFrame) -> Explanation:
    """Explain the predictions of rows.

    Args:
        bundle: the model.
        rows: features to explain, shape (n, …).
        background: features of training rows that the values are measured against.

    Raises:
        BundleError: the bundle's network could not be loaded.
    """
    network = bundle.network()
    with torch.inference_mode():
        encoded, encoded_background = (network.encode(bundle.inputs(part)) for part in (rows, background))
    explainer = shap.DeepExplainer(MeanHead(network.head), encoded_background.clone())
    parts = [
        explainer.shap_values(part.clone(), check_additivity=False).reshape(len(part), -1)
        for part in torch.split(encoded, CHUNK_ROWS)
    ]
    std = bundle.require_primary().scale.std
    by_column: NDArray[np.float64] = np.concatenate(parts).astype(np.float64) * std
    owner = _feature_of_encoded_column(bundle.encoder, network)
    values = pd.DataFrame(
        {name: by_column[:, owner == name].sum(axis=1) for name in dict.fromkeys(owner)}, index=rows.index
    )
    base = float(bundle.predict(background).mean())
    gap = float(np.abs(base + values.sum(axis=1).to_numpy() - bundle.predict(rows)).max(initial=0.0))
    return Explanation(values, base, gap)


def _feature_of_encoded_column(encoder: Encoder, network: Network) -> NDArray[np.str_]:
    """The feature behind each input of the head, shape (bins + pooled columns,)."""
    of_bins = np.array(encoder.column_features)[network.encoding.column.numpy()]
    attention = network.attention
    of_history = np.repeat(list(HISTORY_UNITS), [attention.sku_columns, attention.customer_columns])
    return np.concatenate([of_bins, of_history])
