"""Records of stages, made by hashing what they read and wrote."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pricetrail.base.dvc_hashes import md5_of
from pricetrail.lineage.dvc_yaml import Plan, lookup
from pricetrail.lineage.lock import StageRecord
from pricetrail.lineage.paths import inside


def stage_records(
    plans: Sequence[Plan], demo: Sequence[Plan], source: str, params: Mapping[str, Any]
) -> tuple[StageRecord, ...]:
    """What a run's stages read and wrote, by hash, from the files as they lie on disk; sources first.

    Args:
        plans: the stages, each after those it reads.
        demo: stages that make the source where it is the demo shop.
        source: path of the source data.
        params: all of ``params.yaml``.

    Raises:
        SourceError: a file is not there.
        DataError: a parameter is not there.
    """
    known: dict[str, str] = {}

    def hashes(paths: Sequence[str]) -> dict[str, str]:
        for path in paths:
            known[path] = known.get(path) or md5_of(Path(path))
        return {path: known[path] for path in paths}

    def record(plan: Plan, outs: Sequence[str]) -> StageRecord:
        values = {key: lookup(params, key) for key in plan.params}
        return StageRecord(plan.name, plan.cmd, hashes(plan.deps), values, hashes(outs))

    makers = [record(plan, [source]) for plan in demo if any(inside(source, out) for out in plan.outs)]
    added = StageRecord(f"{source}.dvc", "", outs=hashes([source]))  # as `dvc add` names it
    return (*(makers or [added]), *(record(plan, plan.outs) for plan in plans))
