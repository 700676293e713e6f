"""Marks, scales and ticks: the geometry of a chart, with no markup. The template writes it, and escapes it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """One SVG element; its tip is told when the pointer rests on it."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    text: str = ""
    tip: str = ""

    def get(self, name: str) -> str:
        """The value of an attribute, empty where it is not there."""
        return dict(self.attributes).get(name, "")


@dataclass(frozen=True)
class Drawing:
    """Marks on a canvas, in pixels."""

    width: int
    height: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Chart:
    """A drawing for wide screens and one for phones, with what a screen reader says."""

    key: str
    title: str
    description: str
    wide: Drawing
    narrow: Drawing | None = None


@dataclass(frozen=True)
class Scale:
    """A line from values to pixels.

    >>> Scale(0, 2, 100, 300).at(0.5)
    150.0
    """

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value, to two decimals; the start where the scale has no length."""
        span = self.high - self.low
        return round(self.start + (value - self.low) / span * (self.end - self.start), 2) if span else self.start


def mark(tag: str, kind: str, text: str = "", tip: str = "", **attributes: float | str) -> Mark:
    """A mark of a class; ``x1=…`` and so on in pixels, ``text_anchor`` for ``text-anchor``."""
    written = tuple((name.replace("_", "-"), pixel(value)) for name, value in attributes.items())
    return Mark(tag, (("class", kind), *written), text, tip)


def pixel(value: float | str) -> str:
    """A number without needless digits; text as it is.

    >>> pixel(12.0), pixel(3.456), pixel("middle")
    ('12', '3.46', 'middle')
    """
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def line(kind: str, x1: float, y1: float, x2: float, y2: float, tip: str = "") -> Mark:
    """A straight line."""
    return mark("line", kind, tip=tip, x1=x1, y1=y1, x2=x2, y2=y2)


def text(kind: str, x: float, y: float, content: str, anchor: str = "start") -> Mark:
    """A line of text by its baseline."""
    return mark("text", kind, content, x=x, y=y, text_anchor=anchor)


def centred(kind: str, x: float, y: float, content: str, low: float, high: float) -> Mark:
    """A line of text with its middle over a place, moved where it would leave the range from ``low`` to ``high``."""
    half = length(content) / 2
    return text(kind, max(min(x, high - half), low + half), y, content, "middle")


def path(kind: str, points: Sequence[tuple[float, float]]) -> Mark:
    """A line through points."""
    return mark("path", kind, d="M" + "L".join(f"{pixel(x)} {pixel(y)}" for x, y in points))


def symbol(shape: str, kind: str, x: float, y: float, tip: str = "", radius: float = 5) -> Mark:
    """A dot, diamond, square, ring or cross: shapes tell apart what colours do."""
    if shape in {"dot", "ring"}:
        return mark("circle", f"{kind} {shape}", tip=tip, cx=x, cy=y, r=radius)
    if shape == "square":
        half = radius - 0.5
        return mark("rect", kind, tip=tip, x=x - half, y=y - half, width=2 * half, height=2 * half)
    r = radius + 1
    if shape == "diamond":
        return mark("path", kind, tip=tip, d=f"M{pixel(x)} {pixel(y - r)}l{r} {r}l-{r} {r}l-{r} -{r}z")
    return mark("path", f"{kind} cross", tip=tip, d=f"M{pixel(x - 4)} {pixel(y - 4)}l8 8m0 -8l-8 8")


def length(content: str) -> float:
    """About how wide a text of 13 pixels is, in the widest of the system fonts (DejaVu Sans), set bold.

    >>> length("ill") < length("own") < length("WWW")
    True
    """
    return sum(_WIDTHS.get(letter, 10.2 if letter.isupper() else 8.6) for letter in content)


def shortened(content: str, pixels: float) -> str:
    """A text that fits, its end cut off where it must be.

    >>> shortened("customer", 80), shortened("customer", 50)
    ('customer', 'cust…')
    """
    if length(content) <= pixels:
        return content
    content = content[: max(0, int(pixels / NARROWEST))]  # of a text without end no more is measured
    while content and length(content) + 13 > pixels:
        content = content[:-1]
    return content.rstrip() + "…"


NARROWEST = 5.5
_WIDTHS = {**dict.fromkeys(" .,:;|!'()[]ijlt-", NARROWEST), **dict.fromkeys("mwMW%@&…×▲", 14.0)}


def ticks(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Round values (steps of 1, 2 or 5) inside a range.

    >>> ticks(0, 1.0)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    >>> ticks(0.93, 0.98, 3)
    (0.94, 0.96, 0.98)
    """
    if not high > low:
        return (low,)
    step = _step((high - low) / about)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(float(f"{number * step:.10g}") for number in range(first, last + 1))


def _step(raw: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below ``raw``."""
    power = float(f"1e{f'{raw:e}'.split('e')[1]}")
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))


def room(low: float, high: float, share: float = 0.06, zero: bool = False) -> tuple[float, float]:
    """A range with some air around it; from zero where that is asked for and nothing is below.

    >>> room(10, 20, share=0.1)
    (9.0, 21.0)
    >>> room(2, 4, share=0.1, zero=True)
    (0.0, 4.2)
    """
    low, high = (min(low, 0.0), max(high, 0.0)) if zero else (low, high)
    air = (high - low) * share or abs(high) * share or 1.0
    air_high = (high - low) * (0.05 if zero else share) or air
    return (0.0 if zero and low == 0 else low - air), (0.0 if zero and high == 0 else high + air_high)
