"""What a ``dvc.yaml`` declares, as types: each stage's command, dependencies, parameters and outputs, no hash.

Read from its text, with the values of ``vars`` and ``params.yaml`` put in, as DVC does.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from pricetrail.base.errors import DataError
from pricetrail.base.json_type import Json
from pricetrail.lineage.lock import parse_yaml
from pricetrail.lineage.paths import overlap

RESULT: Final = re.compile(r"metrics/([^/]+|gates/drift)\.json")  # the others repeat some, for `dvc metrics show`
_PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Plan:
    """One stage as it is declared.

    Attributes:
        deps: paths from the project's root.
        params: dotted keys of ``params.yaml``.
        outs: paths from the project's root, metrics and plots included.
    """

    name: str
    cmd: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]

    @property
    def results(self) -> tuple[str, ...]:
        """Those of ``outs`` that are results: each figure once."""
        return tuple(out for out in self.outs if RESULT.fullmatch(out))


def parse_pipeline(text: str, params: Mapping[str, Any], place: str = "dvc.yaml") -> tuple[Plan, ...]:
    r"""The stages of a ``dvc.yaml``, in its order.

    Args:
        text: of the file.
        params: all of ``params.yaml``.
        place: the file's path from the project's root.

    >>> text = "vars: [{run: python -m}]\nstages: {a: {cmd: '${run} a', deps: ['${data.path}'], metrics: [m.json]}}"
    >>> parse_pipeline(text, {"data": {"path": "lines"}})
    (Plan(name='a', cmd='python -m a', deps=('lines',), params=(), outs=('m.json',)),)

    Raises:
        DataError: the text is no such file, or names a value that is not there.
    """
    try:
        tree = parse_yaml(text, place)
        known = {**params, **{key: value for part in tree.get("vars", []) for key, value in part.items()}}
        folder = PurePosixPath(place).parent
        return tuple(_plan(str(name), entry, known, folder) for name, entry in tree["stages"].items())
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(place, f"must be a pipeline that DVC reads: {error!r}") from None


def before(plans: Sequence[Plan], name: str) -> tuple[Plan, ...]:
    """Every stage that neither is ``name`` nor follows from it, each after those it reads, else in the order given."""
    after = {name}
    while grown := {plan.name for plan in plans if _reads_any(plan, plans, after)} - after:
        after |= grown
    left, order = [plan for plan in plans if plan.name not in after], list[Plan]()
    while left:
        waiting = {plan.name for plan in left}
        ready = next((plan for plan in left if not _reads_any(plan, plans, waiting)), left[0])
        left.remove(ready)
        order.append(ready)
    return tuple(order)


def lookup(tree: Mapping[str, Any], key: str) -> Json:
    """The value at a dotted key.

    >>> lookup({"data": {"columns": {"sku": "Code"}}}, "data.columns")
    {'sku': 'Code'}

    Raises:
        DataError: it is not there.
    """
    found: Any = tree
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            raise DataError("params.yaml", f"must have {key}")
        found = found[part]
    value: Json = found
    return value


def _reads_any(plan: Plan, plans: Sequence[Plan], names: set[str]) -> bool:
    """Whether a stage reads an output of one of the stages ``names``."""
    outs = [out for other in plans if other.name in names and other.name != plan.name for out in other.outs]
    return any(overlap(dep, out) for dep in plan.deps for out in outs)


def _plan(name: str, entry: Mapping[str, Any], known: Mapping[str, Any], folder: PurePosixPath) -> Plan:
    def resolved(text: str) -> str:
        return _PLACEHOLDER.sub(lambda match: str(lookup(known, match[1].strip())), text)

    def paths(key: str) -> tuple[str, ...]:
        names = [next(iter(item)) if isinstance(item, Mapping) else item for item in entry.get(key, [])]
        return tuple(posixpath.normpath(folder / entry.get("wdir", "") / resolved(item)) for item in names)

    return Plan(
        name=name,
        cmd=" ".join(resolved(entry["cmd"]).split()),
        deps=paths("deps"),
        params=tuple(str(key) for key in entry.get("params", [])),
        outs=(*paths("outs"), *paths("metrics"), *paths("plots")),
    )
