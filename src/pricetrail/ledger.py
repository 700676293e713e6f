"""The ledger of runs, ``reports/runs.jsonl``: one JSON object a line, oldest first. And what names a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pricetrail.errors import DataError
from pricetrail.json_type import Json
from pricetrail.provenance import StageRecord

RUN_DIGITS = 12
Entry = Mapping[str, Any]


def run_id(stages: Sequence[StageRecord]) -> str:
    """First 12 hex digits of the sha256 over the stages' records as canonical JSON.

    >>> run_id([])
    '4f53cda18c2b'
    """
    text = json.dumps([asdict(stage) for stage in stages], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:RUN_DIGITS]


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


def numbers(tree: Mapping[str, Any]) -> dict[str, int | float]:
    """The figures of a metrics file by dotted key: no lists, texts, flags or gaps.

    >>> numbers({"mse": 0.5, "rows": 3, "passed": True, "groups": [1], "worst": {"bias": None, "mae_units": 2.0}})
    {'mse': 0.5, 'rows': 3, 'worst.mae_units': 2.0}
    """
    return {key: value for key, value in flat(tree) if isinstance(value, int | float) and not isinstance(value, bool)}


def entry(
    stages: Sequence[StageRecord],
    bundle: str,
    decision: Mapping[str, Any],
    etl: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    params: Mapping[str, Any],
) -> Entry:
    """One run.

    Args:
        stages: its records.
        bundle: sha256 of the candidate's manifest.
        decision: ``metrics/decision.json``.
        etl: ``metrics/etl.json``: days and clean lines.
        metrics: every metrics file by its name below ``metrics/``, no suffix.
        params: the dials that the stage which records declares, by section.

    Raises:
        DataError: the decision or the ETL's file is not whole.
    """
    try:
        outcome, days, rows = decision["outcome"], etl["days"], etl["rows_kept"]
    except KeyError as error:
        raise DataError("metrics", f"must be whole: {error} is not there") from None
    figures = {f"{name}.{key}": value for name, tree in metrics.items() for key, value in numbers(tree).items()}
    return {
        "run": run_id(stages),
        "bundle": bundle,
        "outcome": outcome,
        "days": days,
        "rows": rows,
        "metrics": figures,
        "params": dict(flat(params)),
        "hashes": {path: md5 for stage in stages for path, md5 in stage.outs.items()},
    }


def parse_ledger(text: str, place: str) -> tuple[Entry, ...]:
    """The runs of a ledger, oldest first.

    Raises:
        DataError: a line is no run; it names the line.
    """
    entries = []
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], 1):
        try:
            tree = json.loads(line)
            if not all(isinstance(tree[key], str) for key in ("run", "bundle")):
                raise TypeError
        except (ValueError, TypeError, KeyError):
            raise DataError(
                f"{place}: line {number}", "must be a run as JSON: mend it, or take the file from git"
            ) from None
        entries.append(tree)
    return tuple(entries)


def with_entry(text: str, new: Entry, place: str) -> str:
    """The ledger's text with a run at its end; as it is where the run is in it already.

    Raises:
        DataError: as ``parse_ledger``.
    """
    if any(old["run"] == new["run"] for old in parse_ledger(text, place)):
        return text
    return f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{json.dumps(new)}\n"
