"""What the source tree imports: read from the syntax tree, nothing is executed."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SRC = ROOT / "src"


def module_file(module: str) -> Path | None:
    """The file of a module of this project, None for a name inside a module or another package."""
    base = SRC / Path(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def parse(file: Path) -> ast.Module:
    """The syntax tree of a file, read once a session."""
    return ast.parse(file.read_text())


@cache
def imported_modules(file: Path) -> frozenset[str]:
    """The project's modules that a file imports, at any depth of the file."""
    found: set[str] = set()
    for node in ast.walk(parse(file)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {name for name in names if name.split(".")[0] == "pricetrail" and module_file(name)}
    return frozenset(found)


def import_closure(module: str) -> set[str]:
    """Every file that importing a module reads, packages' ``__init__`` included, relative to the root."""
    todo, seen = [module], set()
    while todo:
        name = todo.pop()
        file = module_file(name)
        assert file is not None, name
        if name in seen:
            continue
        seen.add(name)
        todo += imported_modules(file)
        parent = name.rpartition(".")[0]
        todo += [parent] if parent else []
    files = {module_file(name) for name in seen}
    return {file.relative_to(ROOT).as_posix() for file in files if file is not None}
