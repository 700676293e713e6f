"""Fairness: errors by group, and the disparity that the model adds to what the truth holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pricetrail.page.blocks import Block, Cell, Figure, Key, Note, Section, table
from pricetrail.page.charts import Axis, Item, Row, rows_chart
from pricetrail.page.facts import Estimate, Facts, FairColumn, Gate
from pricetrail.page.svg import room
from pricetrail.page.words import FIGURES, NONE, between, count, fixed, name, number, plural, sentence, signed_fixed

MODS = ("truth_mod", "prediction_mod", "added_disparity")


def fairness_section(facts: Facts) -> Section:
    """Each sensitive column: its groups, then its figures."""
    columns = facts.fairness.columns
    verdict = facts.fairness.verdicts[0] if facts.fairness.verdicts else None
    failed = [name(column.column) for column in columns if not column.passed]
    finding = f"{plural(len(columns), 'sensitive column')} assessed, "
    finding += f"{' and '.join(failed)} failed." if failed else "none failed."
    if verdict is not None:
        finding += " " + sentence(verdict.reason)
    blocks: list[Block] = [_groups(columns), _bias(columns), _mods(columns, verdict)]
    for column in columns:
        if column.not_assessed:
            groups = ", ".join(column.not_assessed)
            blocks.append(
                Note(f"{groups}: too few lines to be assessed, which fails closed.", name(column.column), True)
            )
    return Section("fairness", "Fairness", finding, tuple(blocks) if columns else ())


def estimate(value: object, low: object = None, high: object = None) -> Estimate | None:
    """A figure of a group, as a number or as a record with its interval; None where there is none."""
    if isinstance(value, Mapping):
        return estimate(value.get("value"), value.get("low"), value.get("high"))
    if not isinstance(value, int | float):
        return None
    ends = [float(end) if isinstance(end, int | float) else None for end in (low, high)]
    return Estimate(float(value), *ends)


def _of(group: Mapping[str, Any], key: str) -> Estimate | None:
    return estimate(group.get(key), group.get(f"{key}_low"), group.get(f"{key}_high"))


def _every(columns: tuple[FairColumn, ...]) -> list[tuple[str, Mapping[str, Any]]]:
    return [(f"{name(c.column)}: {group}", figures) for c in columns for group, figures in c.groups.items()]


def _dots(columns: tuple[FairColumn, ...], key: str, shape: str) -> tuple[list[Row], list[float]]:
    rows, reach = [], []
    for label, group in _every(columns):
        found = _of(group, key)
        if found is None:
            rows.append(Row(label, (), "not assessed"))
            continue
        reach += [end for end in (found.value, found.low, found.high) if end is not None]
        tip = f"{label}: {number(found.value, 3)}, {between(found.low, found.high, 3)}"
        shown = signed_fixed(found.value, 3) if key == "bias" else fixed(found.value, 3)
        rows.append(Row(label, (Item(found.value, shape, "main", found.low, found.high, tip),), shown))
    return rows, reach or [0.0]


def _groups(columns: tuple[FairColumn, ...]) -> Figure:
    rows, reach = _dots(columns, "mse", "dot")
    axis = Axis(*room(0, max(reach), zero=True), "MSE of log(1 + units)")
    says = "; ".join(f"{row.label} {row.note}" for row in rows)
    cells = [
        (
            label,
            count(float(group.get("rows", 0))),
            *(_cell(group, key, 3) for key in ("mse", "mae", "bias", "mean_prediction", "mean_truth")),
        )
        for label, group in _every(columns)
    ]
    titles = ("group", "#lines", "#MSE", "#MAE", "#bias", "#mean prediction", "#mean truth")
    shown = table("Errors by group, in log(1 + units)", titles, cells)
    return Figure("Error by group", rows_chart("group-error", "Error of each group", says, rows, axis), shown)


def _cell(group: Mapping[str, Any], key: str, decimals: int) -> str:
    found = _of(group, key)
    return NONE if found is None else fixed(found.value, decimals)


def _bias(columns: tuple[FairColumn, ...]) -> Figure:
    rows, reach = _dots(columns, "bias", "dot")
    far = max(map(abs, reach)) * 1.15 or 1.0
    axis = Axis(-far, far, "mean prediction less mean truth, log(1 + units)", marks=((0.0, "no bias"),))
    says = "; ".join(f"{row.label} {row.note}" for row in rows)
    cells = [
        (
            label,
            NONE if found is None else signed_fixed(found.value, 3),
            NONE if found is None else between(found.low, found.high, 3),
        )
        for label, group in _every(columns)
        for found in [_of(group, "bias")]
    ]
    shown = table("Bias by group, in log(1 + units)", ("group", "#bias", "#interval"), cells)
    caption = "Left of the line the model predicts too little for a group, right of it too much."
    return Figure("Bias by group", rows_chart("group-bias", "Bias of each group", says, rows, axis), shown, (), caption)


def _mods(columns: tuple[FairColumn, ...], verdict: Gate | None) -> Figure:
    looks = {"truth_mod": ("ring", "plain"), "prediction_mod": ("diamond", "plain"), "added_disparity": ("dot", "main")}
    rows, cells, reach = [], [], [0.0]
    for column in columns:
        for key in (*MODS, *(other for other in column.figures if other not in MODS)):
            figure = column.figures.get(key)
            if figure is None:
                continue
            label, ends = name(key, FIGURES), between(figure.low, figure.high, 3)
            cells.append((name(column.column), Cell(label), number(figure.value, 3), ends))
            if key not in MODS:
                continue
            reach.append(figure.high or figure.value)
            tip = f"{name(column.column)}, {label}: {number(figure.value, 3)}, {ends}"
            shape, tone = looks[key]
            item = Item(figure.value, shape, tone, figure.low, figure.high, tip)
            strong = key == "added_disparity"
            items: tuple[Item, ...] = (item,)
            if verdict is not None and strong and verdict.reason.startswith(key):
                items = (item, Item(verdict.threshold, "tick", tip=f"threshold {number(verdict.threshold)}"))
                reach.append(verdict.threshold)
            rows.append(Row(f"{name(column.column)}: {label}", items, fixed(figure.value, 3), strong))
    says = "; ".join(f"{row.label} {row.note}" for row in rows)
    axis = Axis(*room(0, max(reach), zero=True), "log(1 + units)")
    legend = (
        *(Key(shape, tone, name(key, FIGURES)) for key, (shape, tone) in looks.items()),
        Key("tick", "", "threshold"),
    )
    caption = (
        "MOD: how far apart the groups’ means are. Groups that truly differ have a MOD of the truth; what the model "
        "adds to it is the added disparity."
    )
    chart = rows_chart("disparity", "Differences between groups", says, rows, axis)
    shown = table("Figures over the groups of each column", ("column", "figure", "#value", "#interval"), cells)
    return Figure("What the truth holds, and what the model adds", chart, shown, legend, caption)
