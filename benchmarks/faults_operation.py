"""Faults of ``docs/reliability.md`` that the scheduled run does not survive; each three times, at other moments."""

from __future__ import annotations

import logging
import shutil
import statistics
import sys
import tempfile
from collections import Counter
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


def _seconds(fault: Fault, world: World, box: Path, seed: int) -> float | None:
    """To the next good run; None where the fault was not survived.

    Raises:
        NotHere: this machine cannot have it.
    """
    try:
        return survive(fault, world, box, seed)
    except NotHere:
        raise
    except Exception:
        log.exception("not survived: %s, repetition %d", fault.name, seed)
        return None
    finally:
        shutil.rmtree(box, ignore_errors=True)


def measure() -> Result:
    """Every fault of the table, in copies of two worlds.

    Raises:
        BenchmarkError: no fault was injected.
    """
    found, skipped = dict[str, list[float | None]](), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="pricetrail-bench-") as folder:
        cold = make_world(Path(folder) / "cold")
        worlds = {"cold": cold, "warm": warm(cold, Path(folder) / "warm")}
        for seed in range(1, REPETITIONS + 1):
            for number, fault in enumerate(FAULTS):
                try:
                    seconds = _seconds(fault, worlds[fault.cache], Path(folder) / f"{number}-{seed}", seed)
                except NotHere as reason:
                    skipped[f"{fault.name}: {reason}"] += 1
                    continue
                found.setdefault(fault.name, []).append(seconds)
                log.info("%s, repetition %d: %s", fault.name, seed, "lost" if seconds is None else f"{seconds:.1f} s")
    if not found:
        raise BenchmarkError("no fault was injected")
    return _result(found, sorted(skipped))


def _result(found: dict[str, list[float | None]], skipped: list[str]) -> Result:
    lost = sum(seconds is None for all_seconds in found.values() for seconds in all_seconds)
    faults = {}
    for name, repetitions in found.items():
        good = [seconds for seconds in repetitions if seconds is not None]
        faults[name] = {
            "survived": len(good),
            "of": len(repetitions),
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
