"""SHAP values in the model's own features.

DeepExplainer explains the network's head on encoded columns; SHAP values add up, so the columns of a feature are
summed back to it (Lundberg & Lee 2017, arXiv:1705.07874; DeepSHAP).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import shap
import torch
from numpy.typing import NDArray

from pricetrail.model.bundle import Bundle

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
    """
    network = bundle.network()
    with torch.inference_mode():
        x = network.encoding(torch.from_numpy(bundle.encoder.transform(rows)))
        x_background = network.encoding(torch.from_numpy(bundle.encoder.transform(background)))
    explainer = shap.DeepExplainer(network.head, x_background.clone())
    parts = [
        explainer.shap_values(part.clone(), check_additivity=False).reshape(len(part), -1)
        for part in x.split(CHUNK_ROWS)
    ]
    by_column: NDArray[np.float64] = np.concatenate(parts).astype(np.float64) * bundle.target_std
    owner = _feature_of_encoded_column(bundle)
    values = pd.DataFrame(
        {name: by_column[:, owner == name].sum(axis=1) for name in bundle.encoder.feature_names}, index=rows.index
    )
    base = float(bundle.predict(background).mean())
    gap = float(np.abs(base + values.sum(axis=1).to_numpy() - bundle.predict(rows)).max(initial=0.0))
    return Explanation(values, base, gap)


def _feature_of_encoded_column(bundle: Bundle) -> NDArray[np.str_]:
    """The feature behind each input of the head, shape (bins,)."""
    encoder = bundle.encoder
    names = zip(encoder.column_features, encoder.column_edges, strict=True)
    return np.array([name for name, edges in names for _ in edges[1:]])
