"""Plots as PNG bytes, for what DVC has no template for. Those of SHAP values are in ``explain.figures``."""

import io
from contextlib import AbstractContextManager

import matplotlib as mpl
import numpy as np
import pandas as pd

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

DOTS_PER_INCH = 110
FIXED = "fixed"  # the state of the only row where no study ran
NO_PARAMETERS = ("trial", "state", "validation_mse", "epochs", "reason")


def parallel_coordinates(trials: pd.DataFrame) -> bytes:
    """PNG: one line a complete trial, dark where its validation error is low; each parameter from lowest to highest.

    Where no study ran, one line and all parameters.

    Args:
        trials: the table of ``study.Study``, or of ``fixed_network.with_final_fit``.
    """
    no_study = trials["state"].eq(FIXED).all()
    complete = trials[trials["state"].isin(["complete", FIXED])].sort_values("validation_mse", ascending=False)
    parameters = [
        name for name in trials.columns if name not in NO_PARAMETERS and (no_study or complete[name].nunique() > 1)
    ]
    axes = [*parameters, "validation_mse"]
    places = complete[axes].apply(_as_numbers)
    span = (places.max() - places.min()).replace(0, 1)
    with own_font():
        figure, plot = plt.subplots(figsize=(11, 5))
        colours = mpl.colormaps["viridis"](np.linspace(0.0, 0.95, len(places))[::-1])
        for colour, row in zip(colours, ((places - places.min()) / span).to_numpy(), strict=True):
            plot.plot(range(len(axes)), row, color=colour, marker="o", markersize=3)
        ends = {name: [_text(end) for end in (complete[name].min(), complete[name].max())] for name in axes}
        labels = [f"{name}\n{' to '.join(dict.fromkeys(ends[name]))}" for name in axes]
        plot.set_xticks(range(len(axes)), labels, rotation=60, fontsize=8)
        plot.set_yticks([])
        if no_study:
            plot.set_title("No study ran: the network is that of an earlier one", fontsize=9)
        return png(figure)


def _as_numbers(column: pd.Series) -> pd.Series:
    """A parameter's values as numbers; words in the order of the alphabet."""
    is_number = pd.api.types.is_numeric_dtype(column)
    return (column if is_number else column.rank(method="dense")).astype(np.float64)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def own_font() -> AbstractContextManager[None]:
    """Text in the font that comes with matplotlib, so that it is the same everywhere."""
    return mpl.rc_context({"font.family": "DejaVu Sans"})


def png(figure: Figure) -> bytes:
    """A figure's bytes, the same each time; all open figures are closed."""
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight", metadata={"Software": None})
    plt.close("all")
    return image.getvalue()
