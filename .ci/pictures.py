"""Draw the pictures of docs/architecture.md as SVG: the floors from its table, the stages from the dvc.yaml files.

They open without a script, on GitHub and in the site without a network. ``--check`` only says if they are old.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
PAGE, IMAGES = ROOT / "docs/architecture.md", ROOT / "docs/images"
BOX = '<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="6" fill="{fill}" stroke="#1b59c7"/>'
TEXT = '<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{fill}">{text}</text>'
LINE = '<path d="M {x1} {y1} C {x1} {ya}, {x2} {yb}, {x2} {y2}" fill="none" stroke="#6b7280" marker-end="url(#end)"/>'
STYLE = 'font-family="system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"'
ARROW = (
    '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M 0 0 L 8 4 L 0 8 z" fill="#6b7280"/></marker></defs>'
)
INK, SOFT, PLAIN, PURE = "#16181d", "#4b5563", "#ffffff", "#dfe9fb"


def svg(width: int, height: int, title: str, marks: Iterable[str]) -> str:
    """A picture with a white ground, readable on a dark page too."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" {STYLE}>',
            f"<title>{escape(title)}</title>",
            ARROW,
            f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
            *marks,
            "</svg>\n",
        ]
    )


def text(x: float, y: float, words: str, size: int = 13, anchor: str = "middle", fill: str = INK) -> str:
    """One line of text."""
    return TEXT.format(x=x, y=y, size=size, anchor=anchor, fill=fill, text=escape(words))


def box(x: float, y: float, w: float, h: float, fill: str) -> str:
    """A rectangle."""
    return BOX.format(x=x, y=y, w=w, h=h, fill=fill)


def floors() -> str:
    """The folders on their floors, pure ones coloured; the top imports from all below."""
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.*) \| ([^|]*) \|$", PAGE.read_text(), re.MULTILINE)
    levels: dict[int, list[tuple[str, bool]]] = {}
    for floor, folder, _, kind in rows:
        levels.setdefault(int(floor), []).append((folder, kind != "not pure"))
    width, high, gap = 680, 36, 18
    marks: list[str] = []
    for row, (floor, folders) in enumerate(sorted(levels.items(), reverse=True)):
        y, wide = 16 + row * (high + gap), (width - 60 - 12 * (len(folders) - 1)) / len(folders)
        marks.append(text(30, y + high / 2 + 5, str(floor), fill=SOFT))
        for place, (folder, pure) in enumerate(folders):
            x = 48 + place * (wide + 12)
            marks += [box(x, y, wide, high, PURE if pure else PLAIN), text(x + wide / 2, y + high / 2 + 5, folder, 15)]
        if row:
            middle = 48 + (width - 60) / 2
            marks.append(LINE.format(x1=middle, y1=y - gap, ya=y - gap, x2=middle, y2=y - 1, yb=y - 1))
    bottom = 16 + len(levels) * (high + gap)
    marks.append(text(48, bottom + 6, "An arrow: imports from every floor below. Blue: pure.", 12, "start", SOFT))
    return svg(width, bottom + 20, "The floors of src/pricetrail", marks)


def stages() -> dict[str, set[str]]:
    """Each stage with the stages whose outputs it reads, without those that it reaches through another one."""
    reads: dict[str, set[str]] = {}
    writes: dict[str, set[str]] = {}
    for file in ("demo/dvc.yaml", "dvc.yaml"):
        for name, stage in YAML(typ="safe", pure=True).load(ROOT / file)["stages"].items():
            reads[name] = {_path(entry) for entry in stage.get("deps", ())}
            writes[name] = {_path(entry) for key in ("outs", "metrics", "plots") for entry in stage.get(key, ())}
    edges = {
        name: {other for other in writes if other != name and any(_meets(a, b) for a in paths for b in writes[other])}
        for name, paths in reads.items()
    }
    return {
        name: {other for other in near if not any(other in _above(far, edges) for far in near)}
        for name, near in edges.items()
    }


def _path(entry: str | Mapping[str, object]) -> str:
    """A path from the project's folder; the lines are the demo shop's."""
    path = entry if isinstance(entry, str) else next(iter(entry))
    return path.replace("${data.path}", "demo/lines")


def _meets(a: str, b: str) -> bool:
    """Whether one path is the other, or inside of it."""
    return a == b or a.startswith(f"{b}/") or b.startswith(f"{a}/")


def _above(name: str, edges: Mapping[str, set[str]]) -> set[str]:
    """All stages that one stage needs."""
    return edges[name].union(*(_above(other, edges) for other in edges[name]))


def stage_rows(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The stages row by row: each below all that it reads from."""
    rows: list[list[str]] = []
    for name in edges:
        level = len(_chain(name, edges)) - 1
        rows += [[] for _ in range(level + 1 - len(rows))]
        rows[level].append(name)
    return rows


def _chain(name: str, edges: Mapping[str, set[str]]) -> list[str]:
    """The longest way from a stage back to the first one."""
    return [name, *max((_chain(other, edges) for other in edges[name]), key=len, default=[])]


def pipeline() -> str:
    """The stages from top to bottom; an arrow runs from what writes to what reads."""
    edges = stages()
    rows, width, high, gap, wide = stage_rows(edges), 680, 32, 22, 208
    spots: dict[str, tuple[float, float]] = {}
    for row, names in enumerate(rows):
        left = (width - len(names) * wide - (len(names) - 1) * 14) / 2
        spots |= {name: (left + place * (wide + 14), 16.0 + row * (high + gap)) for place, name in enumerate(names)}
    marks = [box(x, y, wide, high, PURE if "gate" in name else PLAIN) for name, (x, y) in spots.items()]
    marks += [text(x + wide / 2, y + high / 2 + 5, name) for name, (x, y) in spots.items()]
    marks += _arrows(edges, spots, wide, high)
    return svg(width, 16 + len(rows) * (high + gap), "The stages: an arrow runs from what writes to what reads", marks)


def _arrows(
    edges: Mapping[str, set[str]], spots: Mapping[str, tuple[float, float]], wide: float, high: float
) -> Iterator[str]:
    for name, near in edges.items():
        for other in sorted(near):
            (x1, y1), (x2, y2) = spots[other], spots[name]
            half = (y1 + high + y2) / 2
            yield LINE.format(x1=x1 + wide / 2, y1=y1 + high, ya=half, x2=x2 + wide / 2, y2=y2 - 1, yb=half)


def main() -> None:
    """Write the pictures, or with ``--check`` exit 1 where one is old."""
    for name, picture in {"floors.svg": floors(), "stages.svg": pipeline()}.items():
        file = IMAGES / name
        if "--check" not in sys.argv[1:]:
            file.write_text(picture)
        elif not file.is_file() or file.read_text() != picture:
            sys.exit(f"docs/images/{name} is old: run `make docs`")


if __name__ == "__main__":
    main()
