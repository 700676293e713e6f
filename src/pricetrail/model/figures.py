"""Plots as bytes: PNG for what DVC has no template for, CSV for what it draws itself."""

from __future__ import annotations

import io
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import shap

from pricetrail.features import CATEGORICAL_FEATURES
from pricetrail.history import HISTORY_UNITS
from pricetrail.model.explain import Explanation

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

TOP_FEATURES = 15
DOTS_PER_INCH = 110
NO_DIALS = ("trial", "state", "validation_mse", "epochs", "reason")


def shap_plots(explanation: Explanation, rows: pd.DataFrame) -> dict[str, bytes]:
    """``beeswarm.png`` and ``importance.csv``.

    Args:
        explanation: of ``rows``.
        rows: the features that were explained, which give the colours.
    """
    importance = explanation.mean_absolute().rename("mean_abs_shap").rename_axis("feature").reset_index()
    text = importance.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return {"beeswarm.png": _beeswarm(explanation, rows), "importance.csv": text.encode()}


def parallel_coordinates(trials: pd.DataFrame) -> bytes:
    """PNG: one line a complete trial, dark where its validation error is low; each dial from its lowest to its highest.

    Args:
        trials: the table of ``search.Study``.
    """
    complete = trials[trials["state"] == "complete"].sort_values("validation_mse", ascending=False)
    dials = [name for name in trials.columns if name not in NO_DIALS and complete[name].nunique() > 1]
    axes = [*dials, "validation_mse"]
    places = complete[axes].apply(_as_numbers)
    span = (places.max() - places.min()).replace(0, 1)
    with mpl.rc_context({"font.family": "DejaVu Sans"}):
        figure, plot = plt.subplots(figsize=(11, 5))
        colours = mpl.colormaps["viridis"](np.linspace(0.95, 0.0, len(places)))
        for colour, row in zip(colours, ((places - places.min()) / span).to_numpy(), strict=True):
            plot.plot(range(len(axes)), row, color=colour, marker="o", markersize=3)
        labels = [f"{name}\n{_text(complete[name].min())} to {_text(complete[name].max())}" for name in axes]
        plot.set_xticks(range(len(axes)), labels, rotation=60, fontsize=8)
        plot.set_yticks([])
        return _png(figure)


def _as_numbers(column: pd.Series) -> pd.Series:
    """A dial's values as numbers; words in the order of the alphabet."""
    is_number = pd.api.types.is_numeric_dtype(column)
    return (column if is_number else column.rank(method="dense")).astype(np.float64)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _png(figure: Figure) -> bytes:
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight", metadata={"Software": None})
    plt.close("all")
    return image.getvalue()


def _beeswarm(explanation: Explanation, rows: pd.DataFrame) -> bytes:
    """Each dot a row; a category and a history have no order, so they stay grey."""
    names = list(explanation.values.columns)
    data = rows.assign(**dict.fromkeys((*CATEGORICAL_FEATURES, *HISTORY_UNITS), np.nan))[names]
    values = shap.Explanation(
        values=explanation.values.to_numpy(),
        base_values=np.full(len(rows), explanation.base_log_quantity),
        data=data.to_numpy().astype(np.float64),
        feature_names=names,
    )
    with mpl.rc_context({"font.family": "DejaVu Sans"}):
        np.random.seed(0)  # noqa: NPY002  shap draws the dots' order from numpy's global state
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)  # the grey features
            shap.plots.beeswarm(values, max_display=TOP_FEATURES, show=False, plot_size=(9, 6))
        plt.xlabel("SHAP value: change of predicted log1p(units)")
        return _png(plt.gcf())
