"""Does what is there agree with the lock? Files by their bytes, stages with each other, and the run's own record."""

from collections.abc import Mapping, Sequence
from typing import Any

from pricetrail.base.params import FILE
from pricetrail.lineage.chain import Mismatch
from pricetrail.lineage.changes import value_at
from pricetrail.lineage.commit import RECORD, Commit
from pricetrail.lineage.ledger import run_id
from pricetrail.lineage.lock import StageRecord, parse_yaml


def mismatches(stages: Sequence[StageRecord], commit: Commit) -> tuple[Mismatch, ...]:
    """Everything behind an output that is not as the lock of its commit says, each once.

    In the workspace every file is hashed; at a revision those that git holds, since the others are DVC's.
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
            if (value := value_at(tree, key)) != recorded:
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
    own = run_id(tuple(written.values()))
    found = [Mismatch(RECORD, "the file", own, run)] if own != run else []
    for stage in stages:
        told = written.get(stage.name, stage)
        pairs = ((stage.deps, told.deps), (stage.params, told.params), (stage.outs, told.outs))
        for recorded, values in pairs:
            differ = {path: value for path, value in values.items() if recorded.get(path) != value}
            found += [Mismatch(path, RECORD, recorded.get(path), value) for path, value in differ.items()]
        if told.cmd != stage.cmd:
            found.append(Mismatch(f"{stage.name}: cmd", RECORD, stage.cmd, told.cmd))
    return found
