"""Why two runs differ: what each stage read and left, by hash, and the earliest stage that read something else.

Only records of runs come in (``dvc.lock``); what was changed since and never run is not in them. Exchanging the runs
exchanges old and new, added and removed, and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pricetrail.base.json_type import Json
from pricetrail.lineage.changes import Change, Move, by_file, changes, flat, moves, parse_packages, verdicts
from pricetrail.lineage.lock import StageRecord, writer
from pricetrail.lineage.paths import by_kind, kind_of, overlap

SAME_INPUTS: Final = "same inputs, other outputs"


@dataclass(frozen=True)
class StageChange:
    """A stage that read or left something else.

    Attributes:
        causes: what it read that no other stage made, ``params tuning.n_trials``; or why its record fits no other.
        upstream: stages whose changed outputs it read.
        outs: its outputs whose hash changed.
    """

    name: str
    causes: tuple[str, ...]
    upstream: tuple[str, ...]
    outs: tuple[Change, ...]


@dataclass(frozen=True)
class Difference:
    """How run B differs from run A.

    Attributes:
        stages: those that changed, in the order of the DAG.
        first: of these, the ones that changed by themselves before any stage that they read from did.
        data: raw data, by file where the folders' lists are known, else by folder.
        files: code by file, and ``requirements.lock``.
        metrics: figures, largest move in percent first.
        verdicts: texts and truths of the metrics files.
    """

    stages: tuple[StageChange, ...]
    first: tuple[str, ...]
    data: tuple[Change, ...]
    params: tuple[Change, ...]
    files: tuple[Change, ...]
    packages: tuple[Change, ...]
    metrics: tuple[Move, ...]
    verdicts: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the runs are the same."""
        return not (self.stages or self.data or self.metrics or self.verdicts)


def explain_difference(
    a: Sequence[StageRecord],
    b: Sequence[StageRecord],
    packages: tuple[str, str] = ("", ""),
    metrics: tuple[Mapping[str, Json], Mapping[str, Json]] = ({}, {}),
    listings: Mapping[str, Mapping[str, str]] | None = None,
) -> Difference:
    """Compare two runs.

    Args:
        a: the stages and tracked sources of the old run.
        b: those of the new one.
        packages: the text of ``requirements.lock`` of each.
        metrics: the metrics files of each, by name.
        listings: md5 by path inside a folder, by the folder's hash.
    """
    old, new = _run(a), _run(b)
    changed, inputs = _stage_changes(old, new), (_all_inputs(old), _all_inputs(new))
    own = {kind: changes(inputs[0][kind], inputs[1][kind]) for kind in ("data", "params", "code", "packages")}
    figures_a, figures_b = (dict(flat(tree)) for tree in metrics)
    return Difference(
        stages=changed,
        first=_first(changed, old, new),
        data=tuple(file for change in own["data"] for file in by_file(change, listings or {})),
        params=own["params"],
        files=own["code"] + own["packages"],
        packages=changes(parse_packages(packages[0]), parse_packages(packages[1])) if own["packages"] else (),
        metrics=moves(figures_a, figures_b),
        verdicts=verdicts(figures_a, figures_b),
    )


@dataclass(frozen=True)
class _Run:
    """The records of a run.

    Attributes:
        sources: what DVC tracks and no stage made.
        stages: by name.
        above: names of every stage that a stage comes from, by its name.
    """

    sources: tuple[StageRecord, ...]
    stages: Mapping[str, StageRecord]
    above: Mapping[str, set[str]]

    def source_of(self, path: str) -> StageRecord | None:
        """The stage that made a path."""
        return writer(list(self.stages.values()), path)


def _run(records: Sequence[StageRecord]) -> _Run:
    stages = {stage.name: stage for stage in records if stage.cmd}
    above: dict[str, set[str]] = {}
    for name, stage in stages.items():
        above[name] = {made.name for dep in stage.deps if (made := writer(list(stages.values()), dep))} - {name}
    for _ in stages:  # each round reaches at least one stage further up
        above = {name: near.union(*(above[other] for other in near)) for name, near in above.items()}
    return _Run(tuple(record for record in records if not record.cmd), stages, above)


def _own_inputs(stage: StageRecord, run: _Run) -> dict[str, dict[str, Json]]:
    """What a stage read that no stage made: by kind, then by name."""
    deps: Mapping[str, Json] = {p: md5 for p, md5 in stage.deps.items() if kind_of(p) != "data" or not run.source_of(p)}
    return {"command": {"": stage.cmd}, "params": dict(flat(stage.params)), **by_kind(deps)}


def _all_inputs(run: _Run) -> dict[str, dict[str, Json]]:
    """The same of a whole run, and its tracked sources, which need not have been read yet."""
    inputs: dict[str, dict[str, Json]] = {kind: {} for kind in ("data", "params", "code", "packages")}
    for source in run.sources:
        inputs["data"].update(source.outs)
    for _, stage in sorted(run.stages.items()):
        for kind, values in _own_inputs(stage, run).items():
            inputs.setdefault(kind, {}).update(values)
    return inputs


def _stage_changes(old: _Run, new: _Run) -> tuple[StageChange, ...]:
    names = old.stages.keys() | new.stages.keys()
    moved = {name: changes(_outs(old, name), _outs(new, name)) for name in names}
    found = []
    for name in sorted(names, key=lambda name: (max(len(run.above.get(name, ())) for run in (old, new)), name)):
        causes, upstream = _causes(name, old, new), _upstream(name, old, new, moved)
        if not causes and not upstream:
            causes = _unexplained(old.stages[name], new.stages[name], bool(moved[name]))
        if causes or upstream:
            found.append(StageChange(name, causes, upstream, moved[name]))
    return tuple(found)


def _outs(run: _Run, name: str) -> Mapping[str, str]:
    return run.stages[name].outs if name in run.stages else {}


def _causes(name: str, old: _Run, new: _Run) -> tuple[str, ...]:
    if name not in old.stages or name not in new.stages:
        return (f"stage {'removed' if name in old.stages else 'added'}",)
    before, after = (_own_inputs(run.stages[name], run) for run in (old, new))
    return tuple(f"{kind} {change.name}".strip() for kind in before for change in changes(before[kind], after[kind]))


def _upstream(name: str, old: _Run, new: _Run, moved: Mapping[str, tuple[Change, ...]]) -> tuple[str, ...]:
    """Stages of either run whose changed outputs the stage read."""
    before, after = (run.stages[name].deps if name in run.stages else {} for run in (old, new))
    found = {
        source.name
        for dep in changes(before, after)
        for run in (old, new)
        if (source := run.source_of(dep.name)) and any(overlap(out.name, dep.name) for out in moved[source.name])
    }
    return tuple(sorted(found - {name}))


def _unexplained(old: StageRecord, new: StageRecord, has_moved: bool) -> tuple[str, ...]:
    """Of a stage without a cause: a record that does not fit the one of the stage it read from, or no cause at all."""
    misfit = tuple(f"record of {change.name}" for change in changes(old.deps, new.deps))
    return misfit or ((SAME_INPUTS,) if has_moved else ())


def _first(changed: Sequence[StageChange], old: _Run, new: _Run) -> tuple[str, ...]:
    """Stages with a cause of their own, that in a run of theirs come from no other such stage."""
    causing = {stage.name for stage in changed if stage.causes}
    return tuple(
        stage.name
        for stage in changed
        if stage.causes
        and any(stage.name in run.stages and not run.above[stage.name] & causing - {stage.name} for run in (old, new))
    )
