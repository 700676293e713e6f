"""Faults of ``docs/reliability.md`` that the scheduled run does not survive; each three times, at other moments."""

from __future__ import annotations

import logging
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import BenchmarkError, Goal, Result

sys.path.insert(0, str(harness.ROOT / "tests"))

from operation_faults import FAULTS, Fault
from operation_scene import NotHere
from operation_trial import survive
from operation_world import World, make_world, warm

LEAST_FAULTS, REPETITIONS = 20, 3

log = logging.getLogger("benchmarks")


@dataclass(frozen=True)
class Trial:
    """A fault that was injected once.

    Attributes:
        seconds: to the next good run; None where it was not survived.
        skipped: why this machine cannot have it; empty where it can.
    """

    fault: Fault
    seconds: float | None
    skipped: str = ""


def _trial(fault: Fault, seed: int, worlds: Mapping[str, World], folder: Path) -> Trial:
    box = folder / f"{FAULTS.index(fault)}-{seed}"
    try:
        trial = Trial(fault, survive(fault, worlds[fault.cache], box, seed))
    except NotHere as reason:
        trial = Trial(fault, None, str(reason))
    except Exception:
        log.exception("not survived: %s, repetition %d", fault.name, seed)
        trial = Trial(fault, None)
    shutil.rmtree(box, ignore_errors=True)
    told = trial.skipped or ("not survived" if trial.seconds is None else f"next good run in {trial.seconds:.1f} s")
    log.info("%s, repetition %d: %s", fault.name, seed, told)
    return trial


def measure() -> Result:
    """Every fault of the table, in copies of two worlds.

    Raises:
        BenchmarkError: no fault was injected.
    """
    with tempfile.TemporaryDirectory(prefix="pricetrail-bench-") as folder:
        cold = make_world(Path(folder) / "cold")
        worlds = {"cold": cold, "warm": warm(cold, Path(folder) / "warm")}
        trials = [(fault, seed) for seed in range(1, REPETITIONS + 1) for fault in FAULTS]
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            done = list(pool.map(lambda trial: _trial(*trial, worlds, Path(folder)), trials))
    found = {fault.name: [one for one in done if one.fault == fault and not one.skipped] for fault in FAULTS}
    found = {name: trials for name, trials in found.items() if trials}
    if not found:
        raise BenchmarkError("no fault was injected")
    skipped = {one.fault.name: one.skipped for one in done if one.skipped}
    return _result(found, skipped)


def _result(found: Mapping[str, Sequence[Trial]], skipped: Mapping[str, str]) -> Result:
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
        rival=None,
        rival_value=None,
        ratio=None,
        what_was_run=f"{len(found)} faults {REPETITIONS} times, moments drawn by seed, each in a copy of a world (git "
        "remote, project, cache, S3) in which a week is due; stages that take a moment, the run itself whole. After "
        "each: branch, tags and objects all or nothing, the rest as before, the next run publishes what is due, once",
        machine=harness.machine(),
        goals=(
            Goal("faults not survived", lost, "=", 0, "faults"),
            Goal("faults injected", len(found), ">=", LEAST_FAULTS, "faults"),
        ),
        details={"faults": faults, "skipped": skipped},
    )


if __name__ == "__main__":
    harness.main(measure)
