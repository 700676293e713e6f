"""SHAP plots as bytes: PNG for the beeswarm, CSV for the bars that DVC draws itself."""

from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import shap

from pricetrail.features import CATEGORICAL_FEATURES
from pricetrail.model.explain import Explanation

mpl.use("Agg")
import matplotlib.pyplot as plt

TOP_FEATURES = 15
DOTS_PER_INCH = 110


def shap_plots(explanation: Explanation, rows: pd.DataFrame) -> dict[str, bytes]:
    """``beeswarm.png`` and ``importance.csv``.

    Args:
        explanation: of ``rows``.
        rows: the features that were explained, which give the colours.
    """
    importance = explanation.mean_absolute().rename("mean_abs_shap").rename_axis("feature").reset_index()
    text = importance.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return {"beeswarm.png": _beeswarm(explanation, rows), "importance.csv": text.encode()}


def _beeswarm(explanation: Explanation, rows: pd.DataFrame) -> bytes:
    """Each dot a row; a category has no order, so it stays grey."""
    names = list(explanation.values.columns)
    data = rows[names].assign(**dict.fromkeys(CATEGORICAL_FEATURES, np.nan))
    values = shap.Explanation(
        values=explanation.values.to_numpy(),
        base_values=np.full(len(rows), explanation.base_log_quantity),
        data=data.to_numpy().astype(np.float64),
        feature_names=names,
    )
    with mpl.rc_context({"font.family": "DejaVu Sans"}):
        np.random.seed(0)  # noqa: NPY002  shap draws the dots' order from numpy's global state
        shap.plots.beeswarm(values, max_display=TOP_FEATURES, show=False, plot_size=(9, 6))
        plt.xlabel("SHAP value: change of predicted log1p(units)")
        image = io.BytesIO()
        plt.savefig(image, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight", metadata={"Software": None})
        plt.close("all")
    return image.getvalue()
