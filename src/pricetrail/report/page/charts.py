"""The charts of the page as marks: rows on one axis, lines over an axis, bars against a threshold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pricetrail.report.page.svg import (
    Chart,
    Drawing,
    Mark,
    Scale,
    centred,
    length,
    line,
    mark,
    path,
    shortened,
    symbol,
    text,
    ticks,
)
from pricetrail.report.page.words import number

WIDE, NARROW = 780, 346
MOST_LABEL = 0.36  # share of the width that labels may take before they move above their rows


@dataclass(frozen=True)
class Item:
    """What stands on the axis of a row; value and interval (``low`` to ``high``) are in the axis' unit.

    Attributes:
        shape: bar, tick (a threshold), or a symbol of ``svg.symbol``.
        tone: class of its colour: main, plain, bad or soft.
    """

    value: float
    shape: str = "dot"
    tone: str = "main"
    low: float | None = None
    high: float | None = None
    tip: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a chart: its name, what stands on it, and a note at its end."""

    label: str
    items: tuple[Item, ...]
    note: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Axis:
    """The axis that all rows share; its title has the unit, ``marks`` are values with a line over all rows."""

    low: float
    high: float
    title: str
    show: Callable[[float], str] = number
    marks: tuple[tuple[float, str], ...] = ()


def rows_chart(key: str, title: str, description: str, rows: Sequence[Row], axis: Axis) -> Chart:
    """Rows on one axis, for wide screens and for phones; without a description, their labels and notes are read out."""
    longest = max((length(row.label) for row in rows), default=0)
    drawn = _rows(rows, axis, WIDE, stacked=longest > MOST_LABEL * WIDE), _rows(rows, axis, NARROW, stacked=True)
    return Chart(key, title, description or "; ".join(f"{row.label} {row.note}" for row in rows), *drawn)


def _rows(rows: Sequence[Row], axis: Axis, width: int, *, stacked: bool) -> Drawing:
    """Labels left and notes right of the axis, or above it where the chart is stacked."""
    left, right = 12.0, width - 20.0
    if not stacked:
        right += 12
        left += max((length(row.label) for row in rows), default=0) + 8
        right -= max((length(row.note) for row in rows), default=0) + 10
    scale = Scale(axis.low, axis.high, left, right)
    top = 24.0 if axis.marks else 6.0
    step, middle, baseline = (46.0, 31.0, 16.0) if stacked else (30.0, 15.0, 19.5)
    bottom = top + step * len(rows) + 2
    marks = _grid(scale, axis, top, bottom, 4 if stacked else 6)
    for place, row in enumerate(rows):
        start, kind = top + place * step, "label strong" if row.strong else "label"
        y = start + baseline
        if stacked:
            marks.append(text(kind, 4, y, shortened(row.label, width - 20 - length(row.note))))
        else:
            marks.append(text(kind, left - 12, y, row.label, "end"))
        marks.append(text("note", width - 4, y, row.note, "end"))
        for item in row.items:
            marks += item_marks(item, scale, start + middle, axis.low)
    return Drawing(width, round(bottom + (40 if axis.title else 24)), tuple(marks))


def _grid(scale: Scale, axis: Axis, top: float, bottom: float, about: int) -> list[Mark]:
    marks = []
    for value in ticks(axis.low, axis.high, about):
        x = scale.at(value)
        marks += [line("grid", x, top, x, bottom), text("tick", x, bottom + 16, axis.show(value), "middle")]
    for value, label in axis.marks:
        x = scale.at(value)
        marks += [line("limit", x, top - 6, x, bottom), centred("limit-label", x, 12, label, 0, scale.end + 8)]
    if axis.title:
        marks.append(text("axis", (scale.start + scale.end) / 2, bottom + 35, axis.title, "middle"))
    return marks


def item_marks(item: Item, scale: Scale, y: float, base: float, height: float = 14) -> list[Mark]:
    """An item on its row; a bar starts at zero, or at the axis' end where zero is outside of it."""
    x = scale.at(item.value)
    if item.shape == "bar":
        zero = scale.at(max(base, 0.0))
        start, reach, top = min(zero, x), abs(x - zero), y - height / 2
        return [mark("rect", f"bar {item.tone}", "", item.tip, x=start, y=top, width=reach, height=height, rx=2)]
    if item.shape == "tick":
        return [line("threshold", x, y - 11, x, y + 11, item.tip)]
    marks = []
    if item.low is not None and item.high is not None:
        low, high = scale.at(item.low), scale.at(item.high)
        marks = [line(f"whisker {item.tone}", low, y, high, y, item.tip)]
        marks += [line(f"cap {item.tone}", end, y - 4, end, y + 4) for end in (low, high)]
    return [*marks, symbol(item.shape, f"symbol {item.tone}", x, y, item.tip)]


def bullet(key: str, title: str, description: str, item: Item | None, threshold: float, at_least: bool) -> Chart:
    """A value against its threshold, the side that passes shaded; without a value the threshold alone."""
    value = 0.0 if item is None else item.value
    scale = Scale(min(0.0, value), max(threshold, value) * 1.25 or 1.0, 6, 354)
    x = scale.at(threshold)
    start, end = (x, scale.end) if at_least else (scale.start, x)
    must = f"{'at least' if at_least else 'at most'} {number(threshold)}"
    marks = (
        mark("rect", "track", x=scale.start, y=22, width=scale.end - scale.start, height=22, rx=3),
        mark("rect", "passes", x=start, y=22, width=end - start, height=22, rx=3),
        *(() if item is None else item_marks(item, scale, 33, 0.0, height=10)),
        line("threshold", x, 17, x, 49),
        centred("limit-label", x, 12, must, 0, 360),
        centred("value", scale.at(value), 63, "not computed" if item is None else number(value), 6, 354),
    )
    return Chart(key, title, description, Drawing(360, 70, marks))


@dataclass(frozen=True)
class Series:
    """Points over an axis, joined by a line unless ``joined`` is False."""

    name: str
    points: tuple[tuple[float, float], ...]
    tone: str = "main"
    shape: str = "dot"
    joined: bool = True
    tips: tuple[str, ...] = ()
    radius: float = 4


def lines_chart(
    key: str, title: str, description: str, series: Sequence[Series], x_title: str, y_title: str, y: tuple[float, float]
) -> Chart:
    """Series over a shared axis of whole numbers, for wide screens and for phones."""
    return Chart(key, title, description, *(_lines(series, x_title, y_title, y, width) for width in (WIDE, NARROW)))


def _lines(series: Sequence[Series], x_title: str, y_title: str, y: tuple[float, float], width: int) -> Drawing:
    height = 280 if width > 400 else 240
    places = [x for one in series for x, _ in one.points] or [0.0]
    across = Scale(min(places), max(places), 62, width - 20)
    up = Scale(*y, height - 46, 26)
    marks = [text("axis", 4, 12, y_title)]
    for value in ticks(*y, 6):
        marks += [line("grid", 54, up.at(value), width - 8, up.at(value))]
        marks += [text("tick", 48, up.at(value) + 4, number(value), "end")]
    whole = [value for value in ticks(across.low, across.high, 8 if width > 400 else 5) if value == int(value)]
    marks += [text("tick", across.at(value), height - 26, f"{value:.0f}", "middle") for value in whole]
    marks.append(text("axis", (across.start + across.end) / 2, height - 6, x_title, "middle"))
    for one in series:
        spots = [(across.at(x), up.at(value)) for x, value in one.points]
        marks += [path(f"line {one.tone}", spots)] if one.joined and len(spots) > 1 else []
        tips = one.tips or tuple(f"{one.name}, {x_title} {x:g}: {number(value)}" for x, value in one.points)
        kind = f"symbol {one.tone}"
        marks += [symbol(one.shape, kind, *at, tip, one.radius) for at, tip in zip(spots, tips, strict=True)]
    return Drawing(width, height, tuple(marks))
