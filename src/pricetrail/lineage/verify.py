"""Does what is there agree with the lock? Files by their bytes, stages with each other, and the run's own record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pricetrail.base.errors import DataError
from pricetrail.base.json_type import Json
from pricetrail.base.params import FILE
from pricetrail.lineage.chain import Mismatch
from pricetrail.lineage.commit import RECORD, Commit
from pricetrail.lineage.dvc_yaml import lookup
from pricetrail.lineage.ledger import run_id
from pricetrail.lineage.lock import StageRecord, parse_yaml


def mismatches(stages: Sequence[StageRecord], commit: Commit) -> tuple[Mismatch, ...]:
    """Everything behind an output that is not as its lock says, each once.

    In the workspace every file is hashed; at a revision those that git holds, since the others are DVC's.

    Args:
        stages: of the chain.
        commit: where the lock is from.
    """
    found = [*_stages_that_disagree(stages), *_files_that_differ(stages, commit), *_params_that_differ(stages, commit)]
    found += _record_that_disagrees(stages, commit.record)
    return tuple(one for number, one in enumerate(found) if one not in found[:number])


def _files_that_differ(stages: Sequence[StageRecord], commit: Commit) -> list[Mismatch]:
    recorded = {(path, md5) for stage in stages for path, md5 in (*stage.deps.items(), *stage.outs.items())}
    found = commit.hashes(sorted({path for path, _ in recorded}))
    return [
        Mismatch(path, commit.name, md5, found[path])
        for path, md5 in sorted(recorded)
        if path in found and found[path] != md5
    ]


def _stages_that_disagree(stages: Sequence[StageRecord]) -> list[Mismatch]:
    """A stage that read another state of a file than its writer wrote."""
    wrote = {path: md5 for stage in stages for path, md5 in stage.outs.items()}
    return [
        Mismatch(path, f"stage {stage.name}", wrote[path], md5)
        for stage in stages
        for path, md5 in stage.deps.items()
        if wrote.get(path, md5) != md5
    ]


def _params_that_differ(stages: Sequence[StageRecord], commit: Commit) -> list[Mismatch]:
    tree = parse_yaml(commit.text(FILE), FILE)
    found = []
    for stage in stages:
        for key, recorded in stage.params.items():
            value: Json
            try:
                value = lookup(tree, key)
            except DataError:
                value = None
            if value != recorded:
                found.append(Mismatch(f"{FILE}: {key}", commit.name, recorded, value))
    return found


def _record_that_disagrees(stages: Sequence[StageRecord], record: Mapping[str, Any]) -> list[Mismatch]:
    """The run's own record, written when it ran: a lock that was edited since does not agree with it."""
    if not record:
        return []
    try:
        written = {entry["name"]: StageRecord(**entry) for entry in record["stages"]}
        run = str(record["run"])
    except (KeyError, TypeError):
        return [Mismatch(RECORD, "the file", "the record of a run", None)]
    found = []
    if run_id(tuple(written.values())) != run:
        found.append(Mismatch(RECORD, "the file", run_id(tuple(written.values())), run))
    for stage in stages:
        if stage.name not in written:
            continue
        told = asdict(written[stage.name])
        for part in ("deps", "params", "outs"):
            recorded: Mapping[str, Json] = getattr(stage, part)
            found += [
                Mismatch(path, RECORD, recorded.get(path), value)
                for path, value in told[part].items()
                if recorded.get(path) != value
            ]
        if told["cmd"] != stage.cmd:
            found.append(Mismatch(f"{stage.name}: cmd", RECORD, stage.cmd, told["cmd"]))
    return found
