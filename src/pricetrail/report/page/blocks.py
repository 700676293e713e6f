"""What sections are built of. The macro that writes a block has the name of its class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pricetrail.report.page.svg import Chart, Mark, line, symbol

State = Literal["pass", "fail", "unknown", ""]


@dataclass(frozen=True)
class Cell:
    """A cell of a table; a state puts an icon before the text, so that no colour speaks alone."""

    text: str
    state: State = ""


class Block:
    """A part of a section."""

    @property
    def kind(self) -> str:
        """The name of its macro."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Table(Block):
    """A table; a column whose name starts with ``#`` holds numbers, set right, one with a backtick is in code type."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    folded: bool = False


@dataclass(frozen=True)
class Key:
    """An entry of a legend."""

    shape: str
    tone: str
    label: str
    joined: bool = False

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Its sign, on a canvas of 28 by 16 pixels."""
        stroke = (line(f"line {self.tone}", 1, 8, 27, 8),) if self.joined else ()
        if self.shape == "tick":
            return (line("threshold", 14, 1, 14, 15),)
        return (*stroke, symbol(self.shape, f"symbol {self.tone}", 14, 8, radius=4.5))


@dataclass(frozen=True)
class Figure(Block):
    """A chart with its heading, legend and the same data as a table."""

    heading: str
    chart: Chart
    table: Table
    legend: tuple[Key, ...] = ()
    caption: str = ""


@dataclass(frozen=True)
class Tile:
    """A figure that stands alone."""

    label: str
    value: str
    note: str = ""
    state: State = ""
    word: str = ""


@dataclass(frozen=True)
class Tiles(Block):
    """Figures beside each other."""

    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Note(Block):
    """A paragraph; ``strong`` where a reader must not miss it."""

    text: str
    title: str = ""
    strong: bool = False


@dataclass(frozen=True)
class Picture(Block):
    """An embedded image; ``source`` is a data URI."""

    heading: str
    source: str
    alt: str
    caption: str


@dataclass(frozen=True)
class GateCard:
    """A gate: its verdict, its bar and its reason."""

    gate: str
    state: State
    word: str
    reason: str
    override: str
    chart: Chart


@dataclass(frozen=True)
class Gates(Block):
    """The decision over all gates."""

    outcome: str
    state: State
    sentence: str
    cards: tuple[GateCard, ...]


@dataclass(frozen=True)
class Card:
    """One of many small charts."""

    heading: str
    name: str
    chart: Chart
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cards(Block):
    """Many small charts, one table for all."""

    cards: tuple[Card, ...]
    legend: tuple[Key, ...]
    table: Table


@dataclass(frozen=True)
class Step:
    """A stage of the lineage chain."""

    name: str
    module: str
    summary: str
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class Chain(Block):
    """The stages in their order."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Commands(Block):
    """Commands to copy, each with what it does."""

    commands: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Section:
    """A part of the page with an id of its own, and the sentence that tells its finding."""

    key: str
    heading: str
    finding: str
    blocks: tuple[Block, ...]


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str | Cell]], folded: bool = False) -> Table:
    """A table from plain texts and cells; folded, a reader opens it."""
    cells = tuple(tuple(one if isinstance(one, Cell) else Cell(one) for one in row) for row in rows)
    return Table(caption, tuple(columns), cells, folded)
