"""What follows from the records of a run: hashes of its inputs, and what each run changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pricetrail.base.json_type import Json
from pricetrail.lineage.changes import flat
from pricetrail.lineage.ledger import Lineage, Run
from pricetrail.lineage.paths import PACKAGES, by_kind, inside
from pricetrail.report.results import run_before

DATA_OUTPUT = "data/original"  # the parsed lines: another hash means other data


@dataclass(frozen=True)
class Fingerprints:
    """A hash for each kind of input of a run.

    Attributes:
        data: DVC's md5 by path of the lines, and of whatever else no stage made.
        code: sha256 over the code files of all stages and their md5, as canonical JSON.
        code_files: how many these are.
        params: sha256 over all declared parameters, as canonical JSON.
        packages: DVC's md5 of ``requirements.lock``; None where no stage reads it.
    """

    data: Mapping[str, str]
    code: str
    code_files: int
    params: str
    packages: str | None


@dataclass(frozen=True)
class RunChange:
    """A run of the ledger, and what is other than in the run before it on the same data source.

    Attributes:
        settings: dotted key with its old and new value as JSON, in order of key.
        data: whether the lines are others.
        code: whether the bundle is another where neither settings nor data are: code or packages made it.
        first: there is no run before on its data source.
    """

    run: Run
    settings: tuple[tuple[str, str, str], ...]
    data: bool
    code: bool
    first: bool


def settings(stages: Lineage) -> dict[str, Json]:
    """Every declared parameter of a run by dotted key, sections taken apart."""
    return {key: value for stage in stages.stages for key, value in flat(stage.params)}


def fingerprints(lineage: Lineage) -> Fingerprints:
    """Hashes of what went into a run; of what its stages made only the lines, which the demo shop simulates."""
    deps = {path: md5 for stage in lineage.stages for path, md5 in stage.deps.items()}
    made = tuple(path for stage in lineage.stages for path in stage.outs)
    kinds = by_kind(deps)
    source = settings(lineage).get("data.path")
    data = {
        path: md5 for path, md5 in kinds["data"].items() if path == source or not any(inside(path, out) for out in made)
    }
    return Fingerprints(
        data=data,
        code=_digest(kinds["code"]),
        code_files=len(kinds["code"]),
        params=_digest(settings(lineage)),
        packages=deps.get(PACKAGES),
    )


def changes(runs: Sequence[Run], most: int) -> tuple[RunChange, ...]:
    """The last runs of the ledger, newest first, each beside the one before it on the same data source.

    Args:
        runs: oldest first.
        most: how many at the most.
    """
    return tuple(_change(run_before(runs, run), run) for run in reversed(runs[-most:]))


def _change(older: Run | None, newer: Run) -> RunChange:
    if older is None:
        return RunChange(newer, (), data=False, code=False, first=True)
    old, new = dict(flat(older.params)), dict(flat(newer.params))
    moved = tuple(
        (key, json.dumps(old.get(key)), json.dumps(new.get(key)))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    )
    data = older.hashes.get(DATA_OUTPUT) != newer.hashes.get(DATA_OUTPUT)
    code = older.bundle != newer.bundle and not moved and not data
    return RunChange(newer, moved, data, code, first=False)


def _digest(tree: Json) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
