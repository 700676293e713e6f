"""Does what is there agree with the lock? Files by their bytes, stages with each other, and the run's own record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pricetrail.base import files
from pricetrail.base.dvc_hashes import md5_of, md5_of_bytes, md5_of_tree
from pricetrail.base.errors import DataError, LineageError, SourceError
from pricetrail.base.json_type import Json
from pricetrail.base.params import FILE
from pricetrail.lineage import git
from pricetrail.lineage.chain import Difference
from pricetrail.lineage.dvc_yaml import lookup
from pricetrail.lineage.git import WORKSPACE
from pricetrail.lineage.ledger import run_id
from pricetrail.lineage.lock import StageRecord, parse_yaml
from pricetrail.lineage.paths import inside

RECORD = "reports/lineage.json"


def differences(stages: Sequence[StageRecord], rev: str = WORKSPACE) -> tuple[Difference, ...]:
    """Everything behind an output that is not as its lock says, each once.

    In the workspace every file is hashed; at a revision those that git holds, since the others are DVC's.

    Args:
        stages: of the chain.
        rev: where the lock is from.
    """
    found = [*_stages_that_disagree(stages), *_files_that_differ(stages, rev), *_params_that_differ(stages, rev)]
    found += _record_that_disagrees(stages, rev)
    return tuple(difference for place, difference in enumerate(found) if difference not in found[:place])


def hashes_at(paths: Sequence[str], rev: str = WORKSPACE) -> dict[str, str | None]:
    """DVC's hash of each path; None where nothing is there. At a revision, what git does not hold is left out."""
    if rev == WORKSPACE:
        return {path: md5_of(Path(path)) if Path(path).exists() else None for path in paths}
    listed = git.listed(rev)
    inner = {path: [name for name in listed if inside(name, path)] for path in paths}
    blobs = git.blobs_at(rev, sorted({name for names in inner.values() for name in names}))
    hashes = {name: md5_of_bytes(content) for name, content in blobs.items()}
    known: dict[str, str | None] = {}
    for path, names in inner.items():
        if names == [path]:
            known[path] = hashes[path]
        elif names:
            known[path] = md5_of_tree({name[len(path) + 1 :]: hashes[name] for name in names})
    return known


def record_at(rev: str = WORKSPACE) -> Mapping[str, Any]:
    """What ``record_run`` wrote of the run; empty where it wrote nothing.

    Raises:
        SourceError: it is damaged.
    """
    try:
        text = git.read_at(RECORD, rev)
    except (LineageError, SourceError):
        return {}
    return files.parse_json(text, RECORD)


def _files_that_differ(stages: Sequence[StageRecord], rev: str) -> list[Difference]:
    recorded = {(path, md5) for stage in stages for path, md5 in (*stage.deps.items(), *stage.outs.items())}
    found = hashes_at(sorted({path for path, _ in recorded}), rev)
    return [
        Difference(path, rev or "the workspace", md5, found[path])
        for path, md5 in sorted(recorded)
        if path in found and found[path] != md5
    ]


def _stages_that_disagree(stages: Sequence[StageRecord]) -> list[Difference]:
    """A stage that read another state of a file than its writer wrote."""
    wrote = {path: md5 for stage in stages for path, md5 in stage.outs.items()}
    return [
        Difference(path, f"stage {stage.name}", wrote[path], md5)
        for stage in stages
        for path, md5 in stage.deps.items()
        if wrote.get(path, md5) != md5
    ]


def _params_that_differ(stages: Sequence[StageRecord], rev: str) -> list[Difference]:
    tree = parse_yaml(git.read_at(FILE, rev), FILE)
    found = []
    for stage in stages:
        for key, recorded in stage.params.items():
            value: Json
            try:
                value = lookup(tree, key)
            except DataError:
                value = None
            if value != recorded:
                found.append(Difference(f"{FILE}: {key}", rev or "the workspace", recorded, value))
    return found


def _record_that_disagrees(stages: Sequence[StageRecord], rev: str) -> list[Difference]:
    """The run's own record, written when it ran: a lock that was edited since does not agree with it."""
    record = record_at(rev)
    if not record:
        return []
    try:
        written = {entry["name"]: StageRecord(**entry) for entry in record["stages"]}
        run = str(record["run"])
    except (KeyError, TypeError):
        return [Difference(RECORD, "the file", "the record of a run", None)]
    found = []
    if run_id(tuple(written.values())) != run:
        found.append(Difference(RECORD, "the file", run_id(tuple(written.values())), run))
    for stage in stages:
        if stage.name not in written:
            continue
        told = asdict(written[stage.name])
        for part in ("deps", "params", "outs"):
            recorded: Mapping[str, Json] = getattr(stage, part)
            found += [
                Difference(path, RECORD, recorded.get(path), value)
                for path, value in told[part].items()
                if recorded.get(path) != value
            ]
        if told["cmd"] != stage.cmd:
            found.append(Difference(f"{stage.name}: cmd", RECORD, stage.cmd, told["cmd"]))
    return found
