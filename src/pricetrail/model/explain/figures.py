"""Plots of SHAP values as bytes: of all rows (beeswarm, dependence, importance), and of one (waterfall)."""

import warnings
from dataclasses import replace
from typing import Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import shap

from pricetrail.base.files import csv_bytes
from pricetrail.base.random_streams import draw_rows, stream
from pricetrail.data.features import CATEGORICAL_FEATURES, FEATURE_UNITS
from pricetrail.data.past_lines import HISTORY_UNITS
from pricetrail.model.explain.shap_values import Explanation
from pricetrail.model.study_figures import own_font, png

TOP_FEATURES: Final = 15
PANELS: Final = 6
MOST_DOTS: Final = 2000  # rows drawn; more hide each other
SHAP_LABEL: Final = "SHAP value, log1p(units)"
SHOWN_SHARE: Final = (0.005, 0.995)  # of a feature's values: a few far ones would leave the others no room
WITHOUT_ORDER: Final = (*CATEGORICAL_FEATURES, *HISTORY_UNITS)


def shap_plots(explanation: Explanation, rows: pd.DataFrame) -> dict[str, bytes]:
    """``importance.csv`` of all rows; ``beeswarm.png`` and ``dependence.png`` of some, drawn with a fixed seed.

    Args:
        explanation: of ``rows``.
        rows: the features that were explained, which give the colours and the places; index unique.
    """
    importance = explanation.mean_absolute().rename("mean_abs_shap").rename_axis("feature").reset_index()
    drawn = draw_rows(explanation.values, MOST_DOTS, stream(0, "dots"))
    some, values = rows.loc[drawn.index], replace(explanation, values=drawn)
    return {
        "beeswarm.png": _beeswarm(values, some),
        "dependence.png": _dependence(values, some, list(importance["feature"])),
        "importance.csv": csv_bytes(importance),
    }


def waterfall(values: pd.Series, base_log_quantity: float, features: pd.Series) -> bytes:
    """PNG: from the base value to a row's prediction, feature by feature.

    Args:
        values: SHAP values by feature.
        base_log_quantity: mean prediction of the background.
        features: the row's values by feature; a gap or a history may be NaN or absent.
    """
    known = [features.get(name, np.nan) for name in values.index]
    row = shap.Explanation(
        values=values.to_numpy().astype(np.float64),
        base_values=base_log_quantity,
        data=np.array(["–" if pd.isna(value) else _plain(value) for value in known], dtype=object),
        feature_names=list(values.index),
    )
    with own_font():
        shap.plots.waterfall(row, max_display=TOP_FEATURES, show=False)
        return png(plt.gcf())


def _plain(value: object) -> object:
    """A value of which matplotlib reads no part as a formula."""
    return value.replace("$", r"\$") if isinstance(value, str) else value


def _beeswarm(explanation: Explanation, rows: pd.DataFrame) -> bytes:
    """Each dot a row; a category and a history have no order, so they stay grey."""
    names = list(explanation.values.columns)
    data = rows.assign(**dict.fromkeys(WITHOUT_ORDER, np.nan))[names]
    values = shap.Explanation(
        values=explanation.values.to_numpy(),
        base_values=np.full(len(rows), explanation.base_log_quantity),
        data=data.to_numpy().astype(np.float64),
        feature_names=names,
    )
    with own_font():
        np.random.seed(0)  # noqa: NPY002  shap draws the dots' order from numpy's global state
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "All-NaN", RuntimeWarning)  # the grey features
            shap.plots.beeswarm(values, max_display=TOP_FEATURES, show=False, plot_size=(9, 6))
        plt.xlabel("SHAP value: change of predicted log1p(units)")
        return png(plt.gcf())


def _dependence(explanation: Explanation, rows: pd.DataFrame, names: list[str]) -> bytes:
    """A panel each of the most important features that have a number: value against SHAP value, gaps left out."""
    shown = [name for name in names if name in FEATURE_UNITS][:PANELS]
    with own_font():
        figure, panels = plt.subplots(2, PANELS // 2, figsize=(11, 6), layout="constrained", squeeze=False)
        for panel in panels.flat[len(shown) :]:
            panel.set_axis_off()
        for name, panel in zip(shown, panels.flat, strict=False):
            value = rows[name].astype(np.float64)
            panel.axhline(0, color="0.7", linewidth=0.8)
            panel.plot(value, explanation.values[name], "o", markersize=2.5, alpha=0.35, markeredgewidth=0)
            low, high = value.quantile(list(SHOWN_SHARE))
            if low < high:
                panel.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
            panel.set_title(name, fontsize=10)
            panel.set_xlabel(_wrapped(FEATURE_UNITS[name]), fontsize=8)
            panel.set_ylabel(SHAP_LABEL, fontsize=8)
            panel.tick_params(labelsize=8)
        return png(figure)


def _wrapped(unit: str) -> str:
    """A unit in at most two lines."""
    words = unit.split()
    half = (len(words) + 1) // 2
    return unit if len(unit) <= 45 else f"{' '.join(words[:half])}\n{' '.join(words[half:])}"
