"""Processes and locks: nothing but what was meant is ended, and one at a time holds a lock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from pricetrail.base.locks import alone
from pricetrail.base.processes import end, end_session, identity, is_running, kill_all_in, lives, matching, running

DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_an_identity_is_of_one_process_and_of_its_start() -> None:
    own = identity(os.getpid())
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    assert own == f"{os.getpid()} {fields[19]}"
    assert lives(own)
    for other in (f"{os.getpid()} 1", "", "x", f"{2**30} 1"):
        assert not lives(other)


def test_a_process_that_is_deaf_to_sigterm_is_killed() -> None:
    process = subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    found = psutil.Process(process.pid)
    start = time.monotonic()
    end(found, 0.3)
    assert 0.2 < time.monotonic() - start < 5
    assert not is_running(found)
    process.stdout.close()


def test_one_that_listens_ends_by_sigterm_at_once(sleeper: subprocess.Popen[bytes]) -> None:
    found = psutil.Process(sleeper.pid)
    assert is_running(found)
    start = time.monotonic()
    end(found)
    assert time.monotonic() - start < 5
    assert not is_running(found)


def test_a_dead_child_that_nobody_waited_for_runs_no_more() -> None:
    code = "import subprocess, time; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert is_running(child)
        start = time.monotonic()
        end(child)
        assert time.monotonic() - start < 5, "a zombie is not waited for"
        assert Path(f"/proc/{child.pid}").exists()
    finally:
        parent.kill()
        parent.communicate()


def test_a_recycled_number_is_not_signalled(sleeper: subprocess.Popen[bytes]) -> None:
    other = psutil.Process(sleeper.pid)
    other._ident = (other.pid, 1.0)  # as of a process of that number that began earlier
    end(other, 0.1)
    assert sleeper.poll() is None


def test_only_what_works_in_the_folder_is_killed(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    inner, near = tmp_path / "run", tmp_path / "run2"
    started = list[subprocess.Popen[bytes]]()
    for folder in (inner / "deep", near):
        folder.mkdir(parents=True)
        started.append(subprocess.Popen(["sleep", "60"], cwd=folder))
    assert len(matching(lambda process: process.cwd() == str(inner / "deep"))) == 1
    kill_all_in(inner)
    assert started[0].wait() == -signal.SIGKILL
    assert (started[1].poll(), sleeper.poll()) == (None, None)
    started[1].kill()
    started[1].wait()


def test_a_program_ends_with_its_block_and_all_it_started(tmp_path: Path) -> None:
    with (
        suppress(ZeroDivisionError),
        running(["bash", "-c", "sleep 60 & echo $!; wait"], tmp_path, dict(os.environ)) as process,
    ):
        assert process.stdout is not None
        child = psutil.Process(int(process.stdout.readline()))
        raise ZeroDivisionError
    assert process.returncode == -signal.SIGTERM
    deadline = time.monotonic() + 5
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(child)
    end_session(process)  # again, once it is over


def test_a_lock_has_one_holder_and_ends_with_its_process(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "lock"
    code = (
        "import sys, time; from pathlib import Path; from pricetrail.base.locks import alone\n"
        "with alone(Path(sys.argv[1])) as held: print(held, flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"True\n"
    with alone(file, is_waiting=False) as is_held:
        assert not is_held
    holder.kill()
    holder.communicate()
    for _ in range(2):
        with alone(file) as is_held:
            assert is_held
