"""What a command costs: its time, and the memory of all that it starts."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SAMPLE_SECONDS: Final = 0.1
STAGE_STARTS: Final = re.compile(r"Running stage '(?:.*:)?(\w+)'")

log = logging.getLogger("benchmarks")


class BenchmarkError(Exception):
    """A benchmark could not be run; one line says why."""


@dataclass(frozen=True)
class Usage:
    """Cost of a command and all that it started.

    Attributes:
        cpu_seconds: of all its processes; far below ``seconds``, the machine was busy with something else.
        largest_gib: peak resident memory of its largest process.
        sum_gib: peak of the sum over its processes; pages that two of them share count twice.
        stages: cost of each DVC stage that it announced, until the next one's start (so with DVC's hashing).
    """

    seconds: float
    cpu_seconds: float
    largest_gib: float
    sum_gib: float
    stages: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


class _Memory(threading.Thread):
    """Samples the resident memory of every process of a session until `stop`."""

    def __init__(self, session: int) -> None:
        super().__init__(daemon=True)
        self.samples: list[tuple[float, float, float]] = []  # seconds, largest and sum in GiB
        self._session, self._ended = session, threading.Event()

    def run(self) -> None:
        """Sample at a steady pace."""
        while not self._ended.wait(SAMPLE_SECONDS):
            if sizes := _resident_gib(self._session):
                self.samples.append((time.perf_counter(), max(sizes), sum(sizes)))

    def stop(self) -> None:
        """End the sampling."""
        self._ended.set()
        self.join()

    def peaks(self, start: float, end: float) -> tuple[float, float]:
        """Highest largest and highest sum of the samples between two times, GiB."""
        inside = [sample[1:] for sample in self.samples if start <= sample[0] <= end] or [(0.0, 0.0)]
        return max(largest for largest, _ in inside), max(total for _, total in inside)


def _resident_gib(session: int) -> list[float]:
    page_gib, sizes = os.sysconf("SC_PAGE_SIZE") / 2**30, []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended between the listing and the look
        if int(fields[3]) == session:
            sizes.append(int(fields[21]) * page_gib)
    return sizes


def run(command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end, and measure it.

    Raises:
        BenchmarkError: where it exits with another code than 0.
    """
    log.info("$ %s", " ".join(command))
    start, marks = time.perf_counter(), list[tuple[float, str]]()
    # A session of its own tells its processes from all others, also those that its children start.
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    memory = _Memory(process.pid)
    memory.start()
    try:
        for line in process.stdout or ():
            sys.stderr.write(line)
            if begun := STAGE_STARTS.match(line):
                marks.append((time.perf_counter(), begun[1]))
        # Exact where the sampling could miss a peak: the kernel's high-water mark of the largest process of the tree.
        _, status, resources = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        raise
    finally:
        memory.stop()
    end = time.perf_counter()
    if process.returncode:
        raise BenchmarkError(f"`{' '.join(command)}` exited with {process.returncode}")
    largest = resources.ru_maxrss / 2**20
    return Usage(
        seconds=end - start,
        cpu_seconds=resources.ru_utime + resources.ru_stime,
        largest_gib=largest,
        sum_gib=max(memory.peaks(start, end)[1], largest),
        stages=_by_stage(marks, end, memory),
    )


def _by_stage(marks: list[tuple[float, str]], end: float, memory: _Memory) -> dict[str, dict[str, float]]:
    stages, ends = {}, [at for at, _ in marks[1:]] + [end]
    for (at, name), until in zip(marks, ends, strict=False):  # without a mark, there is an end too many
        largest, total = memory.peaks(at, until)
        stages[name] = {"seconds": until - at, "largest_gib": largest, "sum_gib": total}
    return stages
