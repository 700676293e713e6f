"""Seconds of a weekly run with nothing new, and of what the flow adds to `dvc repro` and `dvc push`; the demo shop.

Two copies of one finished project, each with an embedded S3 of its own: in one `pricetrail weekly` runs, in the other
`dvc repro` and `dvc push`. Both get the same change before each pair of runs, and which goes first alternates.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import harness
from harness import Clone, Goal, Result
from pricetrail.base import files
from pricetrail.base.json_type import Json
from pricetrail.base.params_edit import with_settings
from pricetrail.lineage.git import git
from usage import BenchmarkError

NOTHING_NEW: Final = 5  # runs
CHANGES: Final[Mapping[str, tuple[Mapping[str, Json], ...]]] = {
    "params": tuple({"fairness.min_rows": rows} for rows in (201, 202, 203)),  # four stages run
    "data": ({"demo.lines": 150100},),  # every stage runs
}
CLI: Final = ("python", "-m", "pricetrail.cli")


@dataclass(frozen=True)
class Pair:
    """One change, run both ways.

    Attributes:
        flow: seconds of `pricetrail weekly`.
        repro, push: seconds of `dvc repro` and `dvc push`.
        stages: that ran.
        steps: seconds of the flow's steps.
    """

    change: str
    flow: float
    repro: float
    push: float
    stages: tuple[str, ...]
    steps: Mapping[str, float]

    @property
    def overhead(self) -> float:
        """Seconds of the flow beyond the two commands."""
        return self.flow - self.repro - self.push


@contextmanager
def project(finished: Clone, folder: Path) -> Iterator[Clone]:
    """A copy of a finished clone with a git user, its run committed, and an S3 server of its own."""
    shutil.copytree(finished.path, folder / "clone", symlinks=True)
    clone = Clone(folder / "clone")
    git("config", "user.name", "benchmark", folder=clone.path)
    git("config", "user.email", "benchmark@localhost", folder=clone.path)
    _commit(clone)
    clone.run(*CLI, "s3", "start")
    try:
        yield clone
    finally:
        clone.run(*CLI, "s3", "stop")


def _commit(clone: Clone) -> None:
    """Commit what has changed, if anything has."""
    git("add", "--all", folder=clone.path)
    if git("status", "--porcelain", folder=clone.path):
        git("commit", "--quiet", "--message", "Change", folder=clone.path)


def _commits(clone: Clone) -> int:
    return int(git("rev-list", "--count", "HEAD", folder=clone.path))


def _weekly(clone: Clone) -> tuple[float, dict[str, Any]]:
    """Seconds of a weekly run, and how it ended.

    Raises:
        BenchmarkError: by a fault.
    """
    harness.log.info("$ pricetrail weekly --json")
    start = time.perf_counter()
    done = subprocess.run(
        [*CLI, "weekly", "--json"],
        cwd=clone.path,
        env=harness.environment(clone.path),
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise BenchmarkError("`pricetrail weekly` ended by a fault")
    return seconds, json.loads(done.stdout)


def _both_ways(flow: Clone, plain: Clone, change: str, dials: Mapping[str, Json], is_flow_first: bool) -> Pair:
    """Change dials in both projects, and run each its way.

    Raises:
        BenchmarkError: the two do not come out the same.
    """
    for clone in (flow, plain):
        params = clone.path / "params.yaml"
        files.write_text(params, with_settings(files.read_text(params), dials))
        _commit(clone)
    early = _weekly(flow) if is_flow_first else None
    repro, push = plain.run("dvc", "repro"), plain.run("dvc", "push")
    seconds, ending = early or _weekly(flow)
    _commit(plain)
    if flow.outputs() != plain.outputs() or not repro.stages:
        raise BenchmarkError(f"{change}: the flow and `dvc repro` must come to the same new outputs")
    return Pair(change, seconds, repro.seconds, push.seconds, tuple(repro.stages), ending["seconds"])


def _nothing_new(flow: Clone) -> list[dict[str, Any]]:
    """Runs after a run.

    Raises:
        BenchmarkError: one found something new.
    """
    _weekly(flow)
    runs = []
    for _ in range(NOTHING_NEW):
        before = _commits(flow)
        seconds, ending = _weekly(flow)
        if ending["outcome"] != "Unchanged":
            raise BenchmarkError(f"nothing was new, and the run ended {ending['outcome']}")
        runs.append({"seconds": seconds, "commits": _commits(flow) - before, "steps": ending["seconds"]})
    return runs


def measure() -> Result:
    """Run with nothing new, then with changes, both ways."""
    with ExitStack() as stack:
        finished, _ = stack.enter_context(harness.finished_clone("demo"))
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pricetrail-bench-"))) for _ in range(2)]
        flow, plain = (stack.enter_context(project(finished, folder)) for folder in folders)
        plain.run("dvc", "push")
        runs = _nothing_new(flow)
        pairs = [
            _both_ways(flow, plain, change, dials, is_flow_first=bool(number % 2))
            for change, several in CHANGES.items()
            for number, dials in enumerate(several)
        ]
    seconds = statistics.median(run["seconds"] for run in runs)
    overheads = {change: [pair.overhead for pair in pairs if pair.change == change] for change in CHANGES}
    return Result(
        name="weekly_noop",
        value=seconds,
        unit="s",
        what_was_run=f"`pricetrail weekly` with nothing new on the demo shop, median of {NOTHING_NEW}; then after a "
        "change of a dial that four stages read (median of three), and of the data, which runs every stage: its "
        "seconds less those of `dvc repro` and `dvc push` in a copy of the project",
        goals=(
            Goal("time with nothing new", seconds, "<=", 15.0, "s"),
            Goal("commits with nothing new", sum(run["commits"] for run in runs), "=", 0, "commits"),
            *(
                Goal(f"over `dvc repro` and `dvc push`, {change} changed", statistics.median(found), "<=", 10.0, "s")
                for change, found in overheads.items()
            ),
        ),
        details={"nothing_new": runs, "pairs": [{**asdict(pair), "overhead": pair.overhead} for pair in pairs]},
    )


if __name__ == "__main__":
    harness.main(measure)
