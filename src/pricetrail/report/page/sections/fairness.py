"""Fairness: errors by group, and the disparity that the model adds to what the truth holds."""

from collections.abc import Sequence
from dataclasses import dataclass

from pricetrail.checks.estimates import Interval
from pricetrail.checks.gates import Verdict
from pricetrail.checks.results import GroupResult, SensitiveColumn
from pricetrail.report.page.blocks import Block, Cell, Figure, Key, Note, Section, Table, table
from pricetrail.report.page.charts import Axis, Item, Row, rows_chart
from pricetrail.report.page.svg import room
from pricetrail.report.page.words import between, count, fixed, name, plural, sentence, signed_fixed
from pricetrail.report.results import PageResults

CHOSEN = "added_disparity"
LOOKS = {"truth_mod": ("ring", "plain"), "prediction_mod": ("diamond", "plain"), CHOSEN: ("dot", "main")}
SMALL = Key("ring", "plain", "too few lines to be assessed")


@dataclass(frozen=True)
class Group:
    """A group, or a cell of several columns: its errors, and whether it has too few lines."""

    label: str
    errors: GroupResult
    small: bool

    def estimate(self, key: str) -> Interval:
        """``mse`` or ``bias`` with its interval."""
        return Interval(*(getattr(self.errors, f"{key}{end}") for end in ("", "_low", "_high")))


def fairness_section(results: PageResults) -> Section:
    """Each sensitive column and the cells of all: their groups, then their figures."""
    columns = results.fairness.columns
    every = [column for column in (*columns, *results.fairness.intersections) if column.has_object]
    verdict = results.fairness.verdicts[0]
    failed = [name(column.column) for column in every if not column.passed]
    finding = f"{plural(sum(column.has_object for column in columns), 'sensitive column')} assessed, "
    finding += f"{' and '.join(failed)} failed. " if failed else "none failed. "
    finding = (finding if every else "") + sentence(verdict.reason)
    groups = [group for column in every for group in groups_of(column)]
    blocks: list[Block] = [_errors(groups), _bias(groups), _differences(every, verdict)] if groups else []
    for column in columns:
        if not column.has_object:
            text = f"Not assessed: {column.reason}. There is nothing to compare, and no gate is closed by it."
            blocks.append(Note(text, name(column.column)))
    for column in every:
        if column.not_assessed:
            text = f"{', '.join(column.not_assessed)}: fewer than fairness.min_rows lines, so not assessed."
            blocks.append(Note(text, name(column.column), strong=not column.passed))
    return Section("fairness", "Fairness", finding, tuple(blocks))


def groups_of(column: SensitiveColumn) -> list[Group]:
    """The groups of a column; a cell of several columns is named by its values alone."""
    before = "" if "&" in column.column else f"{name(column.column)}: "
    return [Group(f"{before}{label}", errors, label in column.not_assessed) for label, errors in column.groups.items()]


def _shown(group: Group, key: str) -> str:
    value = getattr(group.errors, key)
    return signed_fixed(value, 3) if key == "bias" else fixed(value, 3)


def _interval(group: Group, key: str) -> str:
    found = group.estimate(key)
    return between(found.low, found.high)


def _dots(groups: Sequence[Group], key: str) -> tuple[list[Row], list[float]]:
    """A row a group, and all values of the assessed ones; a small group has a ring, where it fits on their axis."""
    assessed = [group.estimate(key) for group in groups if not group.small]
    ends = [end for each in assessed for end in (each.value, each.low, each.high) if end is not None] or [0.0]
    rows = []
    for group in groups:
        found, items = group.estimate(key), []
        if found.value is not None:
            tip = f"{group.label}: {_shown(group, key)}, {_interval(group, key)}"
            if not group.small:
                items = [Item(found.value, "dot", "main", found.low, found.high, tip)]
            elif min(ends) <= found.value <= max(ends):
                items = [Item(found.value, "ring", "plain", tip=tip)]
        note = _shown(group, key)
        rows.append(Row(group.label, tuple(items), f"few lines: {note}" if group.small else note))
    return rows, ends


def _legend(rows: Sequence[Row]) -> tuple[Key, ...]:
    ringed = any(item.shape == "ring" for row in rows for item in row.items)
    return (Key("dot", "main", "a group"), SMALL) if ringed else ()


def _errors(groups: Sequence[Group]) -> Figure:
    rows, ends = _dots(groups, "mse")
    axis = Axis(*room(0, max(ends), zero=True), "MSE of log(1 + units)")
    keys = ("mse", "mae", "mean_prediction", "mean_truth")
    cells = [
        (group.label, count(group.errors.rows), *(_shown(group, key) for key in keys), _interval(group, "mse"))
        for group in groups
    ]
    titles = ("group", "#lines", "#MSE", "#MAE", "#mean prediction", "#mean truth", "#interval of MSE")
    shown = table("Errors by group, in log(1 + units)", titles, cells)
    chart = rows_chart("group-error", "Error of each group", "", rows, axis)
    return Figure("Error by group", chart, shown, _legend(rows))


def _bias(groups: Sequence[Group]) -> Figure:
    rows, ends = _dots(groups, "bias")
    far = max(map(abs, ends)) * 1.15 or 1.0
    axis = Axis(-far, far, "mean prediction less mean truth, log(1 + units)", marks=((0.0, "no bias"),))
    cells = [(group.label, _shown(group, "bias"), _interval(group, "bias")) for group in groups]
    shown = table("Bias by group, in log(1 + units)", ("group", "#bias", "#interval"), cells)
    caption = "Left of the line the model predicts too little for a group, right of it too much."
    chart = rows_chart("group-bias", "Bias of each group", "", rows, axis)
    return Figure("Bias by group", chart, shown, _legend(rows), caption)


def _differences(columns: Sequence[SensitiveColumn], verdict: Verdict) -> Figure:
    limit = verdict.threshold if CHOSEN in verdict.reason else None
    rows, ends = [], [0.0]
    for column in columns:
        for key, (shape, tone) in LOOKS.items():
            found = column.figures.get(key)
            if found is None or found.value is None:
                continue
            strong = key == CHOSEN
            items = [Item(found.value, shape, tone, found.low, found.high, f"{between(found.low, found.high)}")]
            items += [Item(limit, "tick", tip=f"threshold {limit:g}")] if strong and limit is not None else []
            ends += [end for end in (found.value, found.low, found.high, limit) if end is not None]
            label = f"{'cells' if '&' in column.column else name(column.column)}: {name(key)}"
            rows.append(Row(label, tuple(items), fixed(found.value, 3), strong))
    axis = Axis(*room(min(ends), max(ends), zero=True), "log(1 + units)")
    legend = tuple(Key(shape, tone, name(key)) for key, (shape, tone) in LOOKS.items())
    caption = (
        "MOD: how far apart the groups’ means are. Groups that truly differ have a MOD of the truth; what the model "
        "adds to it is the added disparity."
    )
    chart = rows_chart("disparity", "Differences between groups", "", rows, axis)
    legend = legend if limit is None else (*legend, Key("tick", "", "threshold"))
    return Figure("What the truth holds, and what the model adds", chart, _figure_table(columns), legend, caption)


def _figure_table(columns: Sequence[SensitiveColumn]) -> Table:
    cells = [
        (name(column.column), Cell(name(key)), fixed(found.value, 3), between(found.low, found.high))
        for column in columns
        for key, found in column.figures.items()
    ]
    return table("Figures over the groups of each column", ("column", "figure", "#value", "#interval"), cells)
