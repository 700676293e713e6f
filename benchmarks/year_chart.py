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
from matplotlib.patches import Rectangle

from year_weeks import STEPS, Week

LINES: Final = {  # name: label, colour, style, width
    "naive": ("naive: training median", "#8a8f98", (0, (1, 1.5)), 1.6),
    "frozen": ("never retrained", "#d1495b", "-", 1.8),
    "frozen_fed": ("never retrained, fed each week's lines", "#d1495b", (0, (4, 2)), 1.2),
    "candidate": ("the week's candidate, released or not", "#66a182", (0, (4, 2)), 1.4),
    "serving": ("serving release", "#1f4e79", "-", 2.6),
}
STEP_COLOURS: Final = {
    "reproduce": "#1f4e79", "ingest": "#66a182", "snapshot": "#a3c4bc", "push": "#edae49", "verify": "#f2d0a4",
    "publish": "#d1495b", "report": "#8a8f98", "start": "#c9ccd1",
}  # fmt: skip
OPEN, CLOSED = "#cfe3d6", "#d1495b"


def draw(path: Path, weeks: Sequence[Week], errors: Sequence[Mapping[str, Any]]) -> None:
    """Write the picture, PNG.

    Args:
        path: of it.
        weeks: in order.
        errors: of the week after each.
    """
    heights = [1.0, 3.2, 1.5, 1.2, 1.5, 1.2]
    style: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "font.family": "DejaVu Sans"}
    with plt.rc_context(style):
        drawing, axes = plt.subplots(
            len(heights), 1, figsize=(11, 12), sharex=True, gridspec_kw={"height_ratios": heights}, layout="constrained"
        )
        _draw_errors(axes[0], weeks, errors, ["naive"])
        _draw_errors(axes[1], weeks, errors, [name for name in LINES if name != "naive"])
        _draw_drift(axes[2], weeks)
        _draw_gates(axes[3], weeks)
        _draw_minutes(axes[4], weeks)
        _draw_megabytes(axes[5], weeks)
        axes[0].set_title(f"{len(weeks)} weekly runs in production: UCI Online Retail, 2011", loc="left", weight="bold")
        axes[1].set_ylabel("MSE of log quantity\non the week after the run")
        axes[1].legend(ncols=3, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), fontsize=8)
        days = [dt.date.fromisoformat(week.monday) for week in weeks]
        axes[-1].set_xticks(range(len(weeks)), [f"{day:%d %b}" for day in days], rotation=60, ha="right")
        axes[-1].set_xlabel("Monday of the run")
        drawing.align_ylabels(axes)
        path.parent.mkdir(parents=True, exist_ok=True)
        drawing.savefig(path, dpi=110, metadata={"Software": None})
        plt.close(drawing)


def _draw_errors(axes: Axes, weeks: Sequence[Week], errors: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Lines by week; the naive one is far above the others and has a panel of its own, so that these can be told."""
    for name in names:
        label, colour, style, width = LINES[name]
        values = [float("nan") if each[name] is None else each[name] for each in errors]
        if name == "serving" and not any(week.production for week in weeks):
            label = "serving release: none, every run was withheld"
        axes.plot(range(len(weeks)), values, label=label, color=colour, linestyle=style, linewidth=width)
    axes.grid(axis="y", color="#e6e8eb", linewidth=0.8)
    axes.margins(y=0.15)
    if "serving" in names:
        _mark_outcomes(axes, weeks, errors)
    else:
        axes.legend(frameon=False, loc="lower left", fontsize=8)
        axes.set_ylim(bottom=0)


def _mark_outcomes(axes: Axes, weeks: Sequence[Week], errors: Sequence[Mapping[str, Any]]) -> None:
    for number, (week, each) in enumerate(zip(weeks, errors, strict=True)):
        shown = each["serving"] if each["serving"] is not None else each["candidate"]
        if week.version and shown is not None:
            axes.plot(number, shown, "o", color="#1f4e79", markersize=7, zorder=4)
        elif week.outcome == "Withheld" and shown is not None:
            axes.plot(number, shown, "X", color="white", markeredgecolor="#1f4e79", markersize=8, zorder=4)
    axes.plot([], [], "o", color="#1f4e79", label="run released its candidate")
    axes.plot([], [], "X", color="white", markeredgecolor="#1f4e79", label="run withheld: the older release goes on")


def _draw_drift(axes: Axes, weeks: Sequence[Week]) -> None:
    for number, week in enumerate(weeks):
        if week.figures:
            colour = "#a3c4bc" if week.figures["drift_passed"] else CLOSED
            axes.bar(number, max(week.figures["drift_share"] or 0, 0.008), color=colour, width=0.75)
    threshold = next((week.figures["gates"]["drift"]["threshold"] for week in weeks if week.figures), None)
    if threshold is not None:
        axes.axhline(threshold, color="#5b616b", linewidth=1, linestyle=(0, (3, 2)))
    axes.set_ylabel("drifted share\nof inputs")


def _draw_gates(axes: Axes, weeks: Sequence[Week]) -> None:
    gates = list(dict.fromkeys(gate for week in weeks for gate in week.figures.get("gates", {})))
    for number, week in enumerate(weeks):
        for row, gate in enumerate(gates):
            state = week.figures.get("gates", {}).get(gate)
            colour = "#ffffff" if state is None else OPEN if state["open"] else CLOSED
            axes.add_patch(Rectangle((number - 0.42, row - 0.4), 0.84, 0.8, color=colour, linewidth=0))
        if week.version:
            name = week.version.removesuffix(".0.0")
            axes.text(
                number, len(gates) - 0.1, name, ha="center", va="center", fontsize=7, color="#1f4e79", weight="bold"
            )
        elif not week.is_good:
            axes.text(
                number, len(gates) - 0.1, week.outcome.lower(), ha="center", va="center", fontsize=7, color=CLOSED
            )
    axes.set_yticks([*range(len(gates)), len(gates) - 0.1], [*gates, "release"])
    axes.set_ylim(len(gates) + 0.3, -0.6)
    axes.set_ylabel("gates\n(red: closed)")
    axes.tick_params(axis="y", length=0)


def _draw_minutes(axes: Axes, weeks: Sequence[Week]) -> None:
    bottom = [0.0] * len(weeks)
    for step in sorted(STEPS, key=list(STEP_COLOURS).index):
        heights = [week.seconds.get(step, 0.0) / 60 for week in weeks]
        axes.bar(range(len(weeks)), heights, 0.75, bottom=bottom, color=STEP_COLOURS[step], label=step)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    for number, week in enumerate(weeks):
        if week.had_study:
            axes.text(number, bottom[number], "study", ha="center", va="bottom", fontsize=7)
    axes.set_ylabel("minutes")
    axes.legend(ncols=1, frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _draw_megabytes(axes: Axes, weeks: Sequence[Week]) -> None:
    files, run = ([week.pushed_mb[name] for week in weeks] for name in ("files", "run"))
    axes.bar(range(len(weeks)), run, 0.75, color="#1f4e79", label="run")
    axes.bar(range(len(weeks)), files, 0.75, bottom=run, color="#66a182", label="files")
    most = max((whole for whole in map(sum, zip(files[1:], run[1:], strict=True))), default=files[0] + run[0])
    axes.set_ylim(0, 1.25 * most)  # the first run pushes everything there is, which would flatten the others
    if files[0] + run[0] > 1.25 * most:
        axes.text(0, 1.2 * most, f"{files[0] + run[0]:.0f}", ha="center", va="top", fontsize=7, color="white")
    axes.set_ylabel("MB pushed")
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
