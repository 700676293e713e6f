"""Faults of ``docs/reliability.md`` that the scheduled run does not survive; each three times, at other moments.

``python benchmarks/faults_operation.py --resume`` injects only those that the last time did not come to, or that were
not survived then; the result tells how many trials each commit of the code has.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import statistics
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import BenchmarkError, Goal, Result
from pricetrail.lineage.git import git

sys.path.insert(0, str(harness.ROOT / "tests"))

from support.weekly_faults import FAULTS, Fault
from support.weekly_scene import NotHere
from support.weekly_trial import survive
from support.weekly_world import World, make_world, warm

LEAST_FAULTS, REPETITIONS = 20, 3
STATE = harness.ROOT / ".bench" / "faults_operation.jsonl"  # a line a trial
LOCK = threading.Lock()

log = logging.getLogger("benchmarks")


@dataclass(frozen=True)
class Trial:
    """A fault that was injected once.

    Attributes:
        seconds: to the next good run; None where it was not survived.
        skipped: why this machine cannot have it; empty where it can.
        commit: of the code.
    """

    fault: Fault
    seed: int
    seconds: float | None
    skipped: str = ""
    commit: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it needs no other try."""
        return self.seconds is not None or bool(self.skipped)


def _known() -> dict[tuple[str, int], Trial]:
    """What the state has, the latest trial of each."""
    lines = STATE.read_text(encoding="utf-8").splitlines() if STATE.exists() else []
    faults, found = {fault.name: fault for fault in FAULTS}, dict[tuple[str, int], Trial]()
    for line in lines:
        tree = json.loads(line)
        if tree["fault"] in faults:
            name, seed = tree["fault"], tree["seed"]
            found[name, seed] = Trial(faults[name], seed, tree["seconds"], tree["skipped"], tree["commit"])
    return found


def _keep(trial: Trial) -> None:
    tree = {**vars(trial), "fault": trial.fault.name}
    with LOCK, STATE.open("a", encoding="utf-8") as file:
        file.write(json.dumps(tree) + "\n")


def _trial(fault: Fault, seed: int, worlds: Mapping[str, World], folder: Path, commit: str) -> Trial:
    box = folder / f"{FAULTS.index(fault)}-{seed}"
    try:
        trial = Trial(fault, seed, survive(fault, worlds[fault.cache], box, seed), commit=commit)
    except NotHere as reason:
        trial = Trial(fault, seed, None, str(reason), commit)
    except Exception:
        log.exception("not survived: %s, repetition %d", fault.name, seed)
        trial = Trial(fault, seed, None, commit=commit)
    _keep(trial)
    shutil.rmtree(box, ignore_errors=True)
    told = trial.skipped or ("not survived" if trial.seconds is None else f"next good run in {trial.seconds:.1f} s")
    log.info("%s, repetition %d: %s", fault.name, seed, told)
    return trial


def measure() -> Result:
    """Every fault of the table, in copies of two worlds.

    Raises:
        BenchmarkError: no fault was injected.
    """
    if "--resume" not in sys.argv:
        STATE.unlink(missing_ok=True)
    STATE.parent.mkdir(exist_ok=True)
    commit, known = git("rev-parse", "--short=12", "HEAD", folder=harness.ROOT).strip(), _known()
    with tempfile.TemporaryDirectory(prefix="pricetrail-bench-") as folder:
        cold = make_world(Path(folder) / "cold")
        worlds = {"cold": cold, "warm": warm(cold, Path(folder) / "warm")}
        kept = [trial for trial in known.values() if trial.is_done]
        had = {(trial.fault.name, trial.seed) for trial in kept}
        wanted = [(fault, seed) for seed in range(1, REPETITIONS + 1) for fault in FAULTS]
        left = [(fault, seed) for fault, seed in wanted if (fault.name, seed) not in had]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            done = kept + list(pool.map(lambda trial: _trial(*trial, worlds, Path(folder), commit), left))
    found = {fault.name: [one for one in done if one.fault == fault and not one.skipped] for fault in FAULTS}
    found = {name: trials for name, trials in found.items() if trials}
    if not found:
        raise BenchmarkError("no fault was injected")
    skipped = {one.fault.name: one.skipped for one in done if one.skipped}
    return _result(found, skipped, Counter(one.commit for one in done))


def _result(found: Mapping[str, Sequence[Trial]], skipped: Mapping[str, str], commits: Mapping[str, int]) -> Result:
    lost = sum(trial.seconds is None for trials in found.values() for trial in trials)
    faults = {}
    for name, trials in found.items():
        good = [trial.seconds for trial in trials if trial.seconds is not None]
        faults[name] = {
            "survived": len(good),
            "of": len(trials),
            "median_seconds_to_next_good_run": round(statistics.median(good), 1) if good else None,
            "most_seconds_to_next_good_run": round(max(good), 1) if good else None,
        }
    return Result(
        name="faults_operation",
        value=lost,
        unit="faults not survived",
        what_was_run=f"{len(found)} faults {REPETITIONS} times, moments drawn by seed, each in a copy of a world (git "
        "remote, project, cache, S3) in which a week is due; stages that take a moment, the run itself whole. After "
        "each: branch, tags and objects all or nothing, the rest as before, the next run publishes what is due, once",
        goals=(
            Goal("faults not survived", lost, "=", 0, "faults"),
            Goal("faults injected", len(found), ">=", LEAST_FAULTS, "faults"),
        ),
        details={"faults": faults, "skipped": skipped, "trials_by_commit": dict(commits)},
    )


if __name__ == "__main__":
    harness.main(measure)
