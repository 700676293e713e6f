"""What follows from the records of a run: hashes of its inputs, and what each run changed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pricetrail.base.json_type import Json
from pricetrail.lineage.changes import Change, changes, flat
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
        settings: parameters by dotted key.
        data: whether the lines are others.
        code: whether the bundle is another where neither settings nor data are: code or packages made it.
        first: there is no run before on its data source.
    """

    run: Run
    settings: tuple[Change, ...] = ()
    data: bool = False
    code: bool = False
    first: bool = False


def settings(stages: Lineage) -> dict[str, Json]:
    """Every declared parameter of a run by dotted key, sections taken apart."""
    return {key: value for stage in stages.stages for key, value in flat(stage.params)}


def fingerprints(lineage: Lineage) -> Fingerprints:
    """Hashes of what went into a run; of what its stages made only the lines, which the demo shop simulates."""
    deps = {path: md5 for stage in lineage.stages for path, md5 in stage.deps.items()}
    outs = {path for stage in lineage.stages for path in stage.outs}
    kinds, params = by_kind(deps), settings(lineage)
    made = {path for path in kinds["data"] if any(inside(path, out) for out in outs)} - {params.get("data.path")}
    data = {path: md5 for path, md5 in kinds["data"].items() if path not in made}
    return Fingerprints(data, _digest(kinds["code"]), len(kinds["code"]), _digest(params), deps.get(PACKAGES))


def last_changes(runs: Sequence[Run], most: int) -> tuple[RunChange, ...]:
    """The last runs of the ledger (``runs``, oldest first), newest first, each beside the one before it."""
    return tuple(_change(run_before(runs, run), run) for run in reversed(runs[-most:]))


def _change(older: Run | None, newer: Run) -> RunChange:
    if older is None:
        return RunChange(newer, first=True)
    found = changes(dict(flat(older.params)), dict(flat(newer.params)))
    moved = tuple(each for each in found if each.old != each.new)  # a null that was not there before is no change
    data = older.hashes.get(DATA_OUTPUT) != newer.hashes.get(DATA_OUTPUT)
    return RunChange(newer, moved, data, code=older.bundle != newer.bundle and not moved and not data)


def _digest(tree: Json) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
