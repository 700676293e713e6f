"""What differs between two mappings, and which way figures moved. Exchanging the two exchanges old and new only."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeGuard

from pricetrail.base.json_type import Json

PIN: Final = re.compile(r"^([A-Za-z0-9][\w.-]*?)(?:\[[^\]]*\])?\s*==\s*([^\s;#\\]+)", re.MULTILINE)
LOWER_IS_BETTER: Final = re.compile(
    r"(test|validation)\.(mse_log_quantity|mae_units|rmsle)|models\.\w+\.ratio_of_network"
    r"|model_drift\.(error_ratio|current_mse_log_quantity)|fairness\.\w+_added_disparity|drift\.drifted_input_share"
)
HIGHER_IS_BETTER: Final = re.compile(r"test\.skill|decision\.open_gates")
COVERAGE: Final = re.compile(r"intervals\.interval_(\d+)\.coverage")  # best where it is the share in its name, percent

Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True)
class Change:
    """Something that the two runs do not share; ``old`` or ``new`` is None where its run has none."""

    name: str
    kind: Kind
    old: Json = None
    new: Json = None


@dataclass(frozen=True)
class Move:
    """A figure of the metrics that moved; ``better`` is None where no direction is the good one."""

    name: str
    old: float | None
    new: float | None
    better: bool | None

    @property
    def percent(self) -> float | None:
        """The change in percent of the old value; None where there is none, or it is 0."""
        if self.old is None or self.new is None or self.old == 0:
            return None
        return 100 * (self.new - self.old) / abs(self.old)


def flat(tree: Mapping[str, Any], parent: str = "") -> Iterator[tuple[str, Json]]:
    """Values by dotted key; lists and empty sections stay whole.

    >>> dict(flat({"a": {"b": 1, "c": {}}, "d": [2]}))
    {'a.b': 1, 'a.c': {}, 'd': [2]}
    """
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{parent}{key}.")
        else:
            yield f"{parent}{key}", value


def changes(old: Mapping[str, Json], new: Mapping[str, Json]) -> tuple[Change, ...]:
    """What differs between two mappings, in order of key.

    >>> changes({"a": 1, "b": 2}, {"b": 3, "c": 4})[1:]
    (Change(name='b', kind='changed', old=2, new=3), Change(name='c', kind='added', old=None, new=4))
    """
    found = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        kind: Kind = "added" if key not in old else "removed" if key not in new else "changed"
        if kind != "changed" or before != after or isinstance(before, bool) != isinstance(after, bool):
            found.append(Change(key, kind, before, after))
    return tuple(found)


def parse_packages(text: str) -> dict[str, str]:
    r"""Pinned version by package of a ``requirements.lock``, names as PEP 503 writes them.

    >>> parse_packages("# all\nRuamel.yaml==0.19 ; python_version > '3'\ntorch == 2.13.0")
    {'ruamel-yaml': '0.19', 'torch': '2.13.0'}
    """
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in PIN.findall(text)}


def by_file(change: Change, listings: Mapping[str, Mapping[str, str]]) -> tuple[Change, ...]:
    """The files behind a folder's change, where both lists are known."""
    old, new = ({} if md5 is None else listings.get(str(md5)) for md5 in (change.old, change.new))
    if old is None or new is None:
        return (change,)
    return tuple(Change(f"{change.name}/{c.name}", c.kind, c.old, c.new) for c in changes(old, new)) or (change,)


def is_figure(value: object) -> TypeGuard[int | float]:
    """Whether a metric is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def value_at(tree: Json, key: str) -> Json:
    """The value of a dotted key; None where there is none.

    >>> value_at({"tuning": {"n_trials": 6}}, "tuning.n_trials")
    6
    """
    for part in key.split("."):
        tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def moves(old: Mapping[str, Json], new: Mapping[str, Json]) -> tuple[Move, ...]:
    """Figures that differ between two flat mappings; largest change in percent first, then those without one."""
    figures = ({k: v for k, v in f.items() if is_figure(v)} for f in (old, new))
    found = [_move(change) for change in changes(*figures)]
    return tuple(sorted(found, key=lambda m: (m.percent is None, -abs(m.percent or 0.0), m.name)))


def verdicts(old: Mapping[str, Json], new: Mapping[str, Json]) -> tuple[Change, ...]:
    """Texts and truths that differ between two flat mappings."""
    told = ({key: value for key, value in tree.items() if isinstance(value, bool | str)} for tree in (old, new))
    return changes(*told)


def _move(change: Change) -> Move:
    old, new = (float(value) if isinstance(value, int | float) else None for value in (change.old, change.new))
    before, after = _badness(change.name, old), _badness(change.name, new)
    is_known = before is not None and after is not None and before != after
    return Move(change.name, old, new, (after or 0.0) < (before or 0.0) if is_known else None)


def _badness(name: str, value: float | None) -> float | None:
    """A number that is the lower the better; None where no direction is the good one."""
    if value is None:
        return None
    if nominal := COVERAGE.fullmatch(name):
        return abs(value - int(nominal[1]) / 100)
    if LOWER_IS_BETTER.fullmatch(name):
        return abs(value)
    return -value if HIGHER_IS_BETTER.fullmatch(name) else None
