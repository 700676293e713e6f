"""The ledger of runs, ``reports/runs.jsonl``: one JSON object a line, oldest first. And what names a run."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pricetrail.base.errors import DataError
from pricetrail.base.typed_json import parse_json_as
from pricetrail.lineage.changes import flat, is_figure
from pricetrail.lineage.lock import StageRecord

LEDGER = "reports/runs.jsonl"
RUN_DIGITS = 12
SOURCE = "data.path"  # the parameter that names the data source of a run


@dataclass(frozen=True)
class Lineage:
    """``reports/lineage.json``: the stages of a run, and the sha256 of the manifest of the bundle they made."""

    run: str
    bundle: str
    stages: tuple[StageRecord, ...]


@dataclass(frozen=True)
class Run:
    """A line of the ledger.

    Attributes:
        run: ``run_id`` of its stages.
        bundle: sha256 of the candidate's manifest.
        outcome: of its decision.
        days: first and last day of its lines, ISO.
        rows: clean lines.
        metrics: figure by file and dotted key.
        params: value by dotted key.
        hashes: DVC's md5 by path of every output.
    """

    run: str
    bundle: str
    outcome: str
    days: tuple[str, str]
    rows: int
    metrics: Mapping[str, float]
    params: Mapping[str, Any] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)


def run_id(stages: Sequence[StageRecord]) -> str:
    """First 12 hex digits of the sha256 over the stages' records as canonical JSON.

    >>> run_id([])
    '4f53cda18c2b'
    """
    text = json.dumps([asdict(stage) for stage in stages], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:RUN_DIGITS]


def numbers(tree: Mapping[str, Any]) -> dict[str, int | float]:
    """The figures of a metrics file by dotted key: no lists, texts, flags or gaps.

    >>> numbers({"mse": 0.5, "rows": 3, "passed": True, "groups": [1], "worst": {"bias": None, "mae_units": 2.0}})
    {'mse': 0.5, 'rows': 3, 'worst.mae_units': 2.0}
    """
    return {key: value for key, value in flat(tree) if is_figure(value)}


def run_of(
    stages: Sequence[StageRecord],
    bundle: str,
    decision: Mapping[str, Any],
    etl: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Any]],
    params: Mapping[str, Any],
) -> Run:
    """One run, as the ledger keeps it.

    Args:
        stages: its records.
        bundle: sha256 of the candidate's manifest.
        decision: ``metrics/decision.json``.
        etl: ``metrics/etl.json``: days and clean lines.
        metrics: every metrics file by its name below ``metrics/``, no suffix.
        params: the settings that the stage which records declares, by section.

    Raises:
        DataError: the decision or the ETL's file is not whole.
    """
    try:
        outcome, days, rows = decision["outcome"], etl["days"], etl["rows_kept"]
    except KeyError as error:
        raise DataError("metrics", f"must be whole: {error} is not there") from None
    figures = {f"{name}.{key}": value for name, tree in metrics.items() for key, value in numbers(tree).items()}
    hashes = {path: md5 for stage in stages for path, md5 in stage.outs.items()}
    return Run(run_id(stages), bundle, outcome, tuple(days), rows, figures, dict(flat(params)), hashes)


def parse_ledger(text: str, place: str) -> tuple[Run, ...]:
    """The runs of a ledger, oldest first.

    Raises:
        DataError: a line is no run; it names the line. Blank lines are none.
    """
    runs = list[Run]()
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            runs.append(parse_json_as(Run, line, f"{place}: line {number}"))
        except DataError as error:
            raise DataError(error.place, f"{error.rule}; mend it, or take the file from git", error.value) from None
    return tuple(runs)


def with_run(text: str, new: Run, place: str) -> str:
    """The ledger's text with a run at its end; as it is where the run is in it already.

    Raises:
        DataError: as ``parse_ledger``.
    """
    if any(old.run == new.run for old in parse_ledger(text, place)):
        return text
    return f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{json.dumps(asdict(new))}\n"
