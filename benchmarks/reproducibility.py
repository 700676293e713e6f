"""Outputs whose hash differs between two forced runs in two fresh clones, on the demo shop and on the real data."""

from __future__ import annotations

from dataclasses import dataclass

import harness
from harness import DataAbsentError, Goal, Result


@dataclass(frozen=True)
class _Pair:
    """Two runs on the same data: their outputs' hashes by path, and the committed ones."""

    first: dict[str, str]
    second: dict[str, str]
    committed: dict[str, str]

    def differing(self) -> list[str]:
        """Outputs that differ between the runs, or that only one of them has."""
        return _differing(self.first, self.second)


def _differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def _run_twice(data: harness.DataName) -> _Pair:
    with harness.finished_clone(data) as (clone, _):
        first, committed = clone.outputs(), clone.outputs(committed=True)
    with harness.fresh_clone(data) as clone:
        clone.run("dvc", "repro", "-f")
        return _Pair(first, clone.outputs(), committed)


def measure() -> Result:
    """Run both data sets twice; only the demo shop where the real data is absent, and the result says so."""
    pairs = {"the demo shop": _run_twice("demo")}
    try:
        pairs["the UCI data"] = _run_twice("real")
    except DataAbsentError as error:
        harness.log.warning("%s; the demo shop alone is compared", error)
    details = {name: {"compared": sorted(pair.first), "differing": pair.differing()} for name, pair in pairs.items()}
    count = sum(len(pair.differing()) for pair in pairs.values())
    goals, demo = [Goal("outputs that differ", count, "=", 0, "outputs")], pairs["the demo shop"]
    if demo.committed:
        unlike = _differing(demo.first, demo.committed)
        details["the demo shop"]["differing_from_committed_lock"] = unlike
        goals.append(Goal("unlike the committed dvc.lock", len(unlike), "=", 0, "outputs"))
    return Result(
        name="reproducibility",
        value=count,
        unit="outputs",
        what_was_run=f"`dvc repro -f` in two fresh clones of HEAD each, on {' and on '.join(pairs)}; "
        f"all {sum(len(pair.first) for pair in pairs.values())} output hashes of dvc.lock and demo/dvc.lock compared",
        goals=tuple(goals),
        details=details,
    )


if __name__ == "__main__":
    harness.main(measure)
