"""Helper of ``year.py``: the year as a picture."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from year_shop import Week, is_good

LINES: Final = {  # name: label, colour, style, width; the naive model is far above the others, and in the table
    "frozen": ("never retrained", "#d1495b", "-", 1.8),
    "frozen_fed": ("never retrained, fed each week's lines", "#d1495b", (0, (4, 2)), 1.2),
    "candidate": ("the week's candidate, released or not", "#66a182", (0, (4, 2)), 1.4),
    "serving": ("serving release", "#1f4e79", "-", 2.6),
}
OPEN, CLOSED = "#cfe3d6", "#d1495b"


def draw(path: Path, weeks: Sequence[Week], errors: Sequence[Mapping[str, Any]]) -> None:
    """Write the picture, PNG: errors on the week after each run, and gates."""
    style: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "font.family": "DejaVu Sans"}
    with plt.rc_context(style):
        heights = {"height_ratios": [3.2, 1.2]}
        drawing, axes = plt.subplots(2, 1, figsize=(11, 6), sharex=True, gridspec_kw=heights, layout="constrained")
        _draw_errors(axes[0], weeks, errors)
        _draw_gates(axes[1], weeks)
        axes[0].set_title(f"{len(weeks)} weekly runs in production: UCI Online Retail, 2011", loc="left", weight="bold")
        days = [dt.date.fromisoformat(week["monday"]) for week in weeks]
        axes[-1].set_xticks(range(len(weeks)), [f"{day:%d %b}" for day in days], rotation=60, ha="right")
        axes[-1].set_xlabel("Monday of the run")
        drawing.align_ylabels(axes)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing.savefig(path, dpi=110, metadata={"Software": None})
        plt.close(drawing)


def _draw_errors(axes: Axes, weeks: Sequence[Week], errors: Sequence[Mapping[str, Any]]) -> None:
    for name, (label, colour, style, width) in LINES.items():
        values = [float("nan") if each[name] is None else each[name] for each in errors]
        axes.plot(range(len(weeks)), values, label=label, color=colour, linestyle=style, linewidth=width)
    shown = [each["serving"] or each["candidate"] or float("nan") for each in errors]
    marks = {"Released": ("o", "#1f4e79", "run released its candidate"), "Withheld": ("X", "white", "run withheld it")}
    for outcome, (mark, colour, label) in marks.items():
        at = [number for number, week in enumerate(weeks) if week["outcome"] == outcome]
        there = [shown[number] for number in at]
        axes.plot(at, there, mark, color=colour, markeredgecolor="#1f4e79", markersize=8, label=label, zorder=4)
    axes.grid(axis="y", color="#e6e8eb", linewidth=0.8)
    axes.set_ylabel("MSE of log quantity\non the week after the run")
    axes.legend(ncols=2, frameon=False, loc="upper left", fontsize=8)


def _draw_gates(axes: Axes, weeks: Sequence[Week]) -> None:
    gates = list(dict.fromkeys(gate for week in weeks for gate in week["figures"].get("gates", {})))
    for number, week in enumerate(weeks):
        for row, gate in enumerate(gates):
            if state := week["figures"].get("gates", {}).get(gate):
                axes.barh(row, 0.84, 0.8, left=number - 0.42, color=OPEN if state["open"] else CLOSED)
        name = week["version"].removesuffix(".0.0") or ("" if is_good(week) else week["outcome"].lower())
        axes.text(number, len(gates) - 0.1, name, ha="center", va="center", fontsize=7, color="#1f4e79")
    axes.set_yticks([*range(len(gates)), len(gates) - 0.1], [*gates, "release"])
    axes.set_ylim(len(gates) + 0.3, -0.6)
    axes.set_ylabel("gates\n(red: closed)")
