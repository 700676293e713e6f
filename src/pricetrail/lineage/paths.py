"""Paths of a project as locks name them: which lies in which, and what kind of thing a stage reads there."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final, Literal, TypeVar, get_args

CODE: Final = "src"
PACKAGES: Final = "requirements.lock"
DAG: Final = "dag.yaml"  # written by hand, as code is

Kind = Literal["data", "code", "packages"]
T = TypeVar("T")


def inside(path: str, folder: str) -> bool:
    """Whether a path is ``folder`` or lies in it."""
    return PurePosixPath(folder) in (PurePosixPath(path), *PurePosixPath(path).parents)


def overlap(one: str, other: str) -> bool:
    """Whether two paths are one, or one lies in the other."""
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def kind_of(path: str) -> Kind:
    """What a dependency is; whatever is neither code nor packages is data.

    >>> [kind_of(path) for path in ("demo/dag.yaml", "src/pricetrail", "requirements.lock", "models/encoder.json")]
    ['code', 'code', 'packages', 'data']
    """
    name = PurePosixPath(path).name
    if name == PACKAGES:
        return "packages"
    return "code" if name == DAG or name.endswith(".py") or inside(path, CODE) else "data"


def by_kind(deps: Mapping[str, T]) -> dict[str, dict[str, T]]:
    """Dependencies by their kind, each in the order given."""
    return {kind: {path: value for path, value in deps.items() if kind_of(path) == kind} for kind in get_args(Kind)}
