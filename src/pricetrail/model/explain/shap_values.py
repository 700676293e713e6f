"""SHAP values in the model's own features.

DeepSHAP explains the network's head on encoded columns; SHAP values add up, so the columns of a feature are summed back
to it (Lundberg & Lee 2017, arXiv:1705.07874). What was pooled from past lines counts as two features, ``sku_history``
and ``customer_history``.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from pricetrail.base.errors import BundleError
from pricetrail.data.encoder import Encoder
from pricetrail.data.past_lines import HISTORY_UNITS
from pricetrail.model.bundle import Bundle
from pricetrail.model.explain.deepshap import DeepShap
from pricetrail.model.network import Network
from pricetrail.model.training import PREDICT_BATCH

LARGEST_GAP_LOG_QUANTITY: Final = 1e-3
STORED_STEP_LOG_QUANTITY: Final = 2.0**-17  # 7.6e-6: the sum of 21 features moves by 8e-5 at the most


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

    def stored(self) -> pd.DataFrame:
        """The values to keep: multiples of ``STORED_STEP_LOG_QUANTITY`` as float32.

        Bits that nobody reads do not compress; without them the file is less than half as large.
        """
        return (self.values / STORED_STEP_LOG_QUANTITY).round().mul(STORED_STEP_LOG_QUANTITY).astype("float32")


def explain(bundle: Bundle, rows: pd.DataFrame, background: pd.DataFrame) -> Explanation:
    """Explain the predictions of rows.

    Args:
        bundle: the model.
        rows: features to explain, shape (n, …).
        background: features of training rows that the values are measured against.

    Returns:
        Without the features that move no prediction by anything, such as the past of customers in a shop without any.

    Raises:
        BundleError: the bundle's network could not be loaded, or a row's values do not add up to its prediction.
    """
    network = bundle.network()
    owner = _feature_of_encoded_column(bundle.encoder, network)
    number = {name: place for place, name in enumerate(dict.fromkeys(owner))}
    with torch.inference_mode():
        encoded_background = network.encode(bundle.inputs(background))
        head = DeepShap(network.head, encoded_background, torch.tensor([number[name] for name in owner]))
        parts = [head.values(network.encode(part)) for part in bundle.inputs(rows).split(PREDICT_BATCH)]
    std = bundle.require_primary().scale.std
    values = pd.DataFrame(torch.cat(parts).numpy().astype(np.float64) * std, columns=list(number), index=rows.index)
    base = float(bundle.predict(background).mean())
    gaps = np.abs(base + values.to_numpy().sum(axis=1) - bundle.predict(rows))  # pandas would leave NaN out
    wrong = np.flatnonzero(~(gaps <= LARGEST_GAP_LOG_QUANTITY))
    if len(wrong):
        rule = f"must add up to the prediction within {LARGEST_GAP_LOG_QUANTITY:g} log1p(units), gap of row {wrong[0]}"
        raise BundleError("SHAP values", rule, float(f"{gaps[wrong[0]]:.3g}"))
    moves = (values != 0).any()
    return Explanation(values.loc[:, moves] if moves.any() else values, base, float(gaps.max(initial=0.0)))


def _feature_of_encoded_column(encoder: Encoder, network: Network) -> NDArray[np.str_]:
    """The feature behind each input of the head, shape (bins + pooled columns,)."""
    of_bins = np.array(encoder.column_features)[network.encoding.column.numpy()]
    attention = network.attention
    of_history = np.repeat(list(HISTORY_UNITS), [attention.sku_columns, attention.customer_columns])
    return np.concatenate([of_bins, of_history])
