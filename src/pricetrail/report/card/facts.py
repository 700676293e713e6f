"""What the records of a run say together: read from its files, and what follows from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pricetrail.base.json_type import Json
from pricetrail.lineage.changes import flat, parse_packages
from pricetrail.lineage.ledger import Lineage, Run, parse, parse_ledger
from pricetrail.lineage.paths import PACKAGES, by_kind, inside
from pricetrail.report.results import (
    Decision,
    Drift,
    Fairness,
    Intervals,
    Lines,
    ModelDrift,
    Models,
    OnTest,
    OnValidation,
    Prices,
)

DATA_OUTPUT = "data/original"  # the parsed lines: another hash means other data
T = TypeVar("T")


@dataclass(frozen=True)
class RunFacts:
    """All that a model card tells of a run; ``runs`` oldest first, packages by name."""

    lines: Lines
    validation: OnValidation
    test: OnTest
    models: Models
    intervals: Intervals
    drift: Drift
    model_drift: ModelDrift
    fairness: Fairness
    decision: Decision
    prices: Prices
    lineage: Lineage
    runs: tuple[Run, ...]
    packages: Mapping[str, str]


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
class Change:
    """A run of the ledger, and what is other than in the run before.

    Attributes:
        dials: dotted key with its old and new value as JSON, in order of key.
        data: whether the lines are others.
        code: whether the bundle is another where neither dials nor data are: code or packages made it.
        first: there is no run before.
    """

    run: Run
    dials: tuple[tuple[str, str, str], ...]
    data: bool
    code: bool
    first: bool


def read_facts(metrics: Mapping[str, object], lineage: object, ledger: str, packages: str) -> RunFacts:
    """A run's files as types.

    Args:
        metrics: the trees of ``metrics/<name>.json`` by name.
        lineage: the tree of ``reports/lineage.json``.
        ledger: the text of ``reports/runs.jsonl``.
        packages: the text of ``requirements.lock``.

    Raises:
        DataError: a file lacks a field, or has another type there.
    """

    def of(kind: type[T], name: str) -> T:
        return parse(kind, json.dumps(metrics[name]), f"metrics/{name}.json")

    return RunFacts(
        lines=of(Lines, "etl"),
        validation=of(OnValidation, "validation"),
        test=of(OnTest, "test"),
        models=of(Models, "models"),
        intervals=of(Intervals, "intervals"),
        drift=of(Drift, "drift"),
        model_drift=of(ModelDrift, "model_drift"),
        fairness=of(Fairness, "fairness"),
        decision=of(Decision, "decision"),
        prices=of(Prices, "prices"),
        lineage=parse(Lineage, json.dumps(lineage), "reports/lineage.json"),
        runs=parse_ledger(ledger, "reports/runs.jsonl"),
        packages=parse_packages(packages),
    )


def dials(stages: Lineage) -> dict[str, Json]:
    """Every declared parameter of a run by dotted key, sections taken apart."""
    return {key: value for stage in stages.stages for key, value in flat(stage.params)}


def fingerprints(lineage: Lineage) -> Fingerprints:
    """Hashes of what went into a run; of what its stages made only the lines, which the demo shop simulates."""
    deps = {path: md5 for stage in lineage.stages for path, md5 in stage.deps.items()}
    made = tuple(path for stage in lineage.stages for path in stage.outs)
    kinds = by_kind(deps)
    source = dials(lineage).get("data.path")
    data = {
        path: md5 for path, md5 in kinds["data"].items() if path == source or not any(inside(path, out) for out in made)
    }
    return Fingerprints(
        data=data,
        code=_digest(kinds["code"]),
        code_files=len(kinds["code"]),
        params=_digest(dials(lineage)),
        packages=deps.get(PACKAGES),
    )


def changes(runs: Sequence[Run], most: int) -> tuple[Change, ...]:
    """The last runs of the ledger, newest first, each beside the one before it.

    Args:
        runs: oldest first.
        most: how many at the most.
    """
    found = [_change(older, newer) for older, newer in zip([None, *runs], runs, strict=False)]
    return tuple(reversed(found[-most:]))


def _change(older: Run | None, newer: Run) -> Change:
    if older is None:
        return Change(newer, (), data=False, code=False, first=True)
    old, new = dict(flat(older.params)), dict(flat(newer.params))
    moved = tuple(
        (key, json.dumps(old.get(key)), json.dumps(new.get(key)))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    )
    data = older.hashes.get(DATA_OUTPUT) != newer.hashes.get(DATA_OUTPUT)
    code = older.bundle != newer.bundle and not moved and not data
    return Change(newer, moved, data, code, first=False)


def _digest(tree: Json) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
