"""Processes of this machine: telling one from a later one of its number, finding some, starting and ending them."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import psutil

ENDING_SECONDS: Final = 10.0  # that a program gets to end when it is told to
ROUNDS: Final = 500  # through all processes, until none is left that is to be killed
PRIVATE: Final = "PRICETRAIL_"  # where the release key is, whom to tell: for this program alone
GIVEN: Final = "PRICETRAIL_STAGE_VARIABLES"  # names of more variables for stages, with commas between
# What a stage may know: where programs and folders are, language and time, and what makes numbers come out the same.
PLAIN: Final = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "TERM", "COLUMNS",
    "VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING",
    "PYTHONWARNINGS", "PYTHONDONTWRITEBYTECODE", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG", "DVC_SITE_CACHE_DIR", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
})  # fmt: skip
PLAIN_STARTS: Final = ("LC_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_", "KMP_", "NPY_")
SUBREAPER: Final = 36  # PR_SET_CHILD_SUBREAPER of Linux: who is left behind becomes a child of this process


def program_environment() -> dict[str, str]:
    """This process's variables for a program of its own choice, such as git: all but those for this process alone."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE)}


def stage_environment() -> dict[str, str]:
    """This process's variables for the code of a revision: those on a list, so that no key, token or address is there.

    The operator may add names in ``PRICETRAIL_STAGE_VARIABLES``; no revision can.
    """
    named = PLAIN | set(os.environ.get(GIVEN, "").replace(",", " ").split())
    return {name: value for name, value in os.environ.items() if name in named or name.startswith(PLAIN_STARTS)}


def quiet_environment(*, runs_stages: bool = False) -> dict[str, str]:
    """Variables for this interpreter's programs, DVC among them: it sends nobody word, and is heard at once.

    Args:
        runs_stages: they run code of a revision, so nothing that is secret is there.
    """
    known = stage_environment() if runs_stages else program_environment()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    own = {"DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**known, "PATH": path, **own}


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module; no file of the folder that it runs in takes the place of one of its own (-P)."""
    return [sys.executable, "-P", "-m", name, *arguments]


def identity(pid: int) -> str:
    """What tells a process from a later one of the same number: its start, in ticks since boot, whatever the clock.

    Raises:
        psutil.NoSuchProcess: there is none.
    """
    started = psutil.Process(pid).create_time() - psutil.boot_time()
    return f"{pid} {round(started * os.sysconf('SC_CLK_TCK'))}"


def lives(named: str) -> bool:
    """Whether the process of an identity is there."""
    try:
        return identity(int(named.split()[0])) == named
    except (psutil.Error, ValueError, IndexError):
        return False


def matching(wanted: Callable[[psutil.Process], bool]) -> tuple[psutil.Process, ...]:
    """The processes that are wanted; one that has ended meanwhile, or is another user's, is none."""
    found = list[psutil.Process]()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if wanted(process):
                found.append(process)
    return tuple(found)


def is_running(process: psutil.Process) -> bool:
    """Whether it does anything: one that has ended and was not waited for does not, nor does one of its number."""
    with suppress(psutil.Error):
        process.wait(timeout=0)  # where it is a child of this one
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def end(process: psutil.Process, seconds: float = ENDING_SECONDS) -> bool:
    """Tell a process to end, and kill it where it does not; never another one of its number.

    Returns:
        Whether it has ended.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        deadline = time.monotonic() + seconds
        while is_running(process):
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            return True
    return False


def kill_all_in(folder: Path) -> None:
    """Kill what works in a folder, and what that started while it was being killed."""
    for _ in range(ROUNDS):
        found = matching(lambda process: Path(process.cwd()).is_relative_to(folder))
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        if not found:
            return
        time.sleep(0.01)


@contextmanager
def leaving_nobody() -> Iterator[None]:
    """Kill what the block's programs leave behind, whatever session, folder, name or variables it gave itself."""
    own = psutil.Process()
    before = set(own.children())
    _adopt(1)
    try:
        yield
    finally:
        for _ in range(ROUNDS):
            left = [process for process in own.children() if process not in before]
            for process in [inner for outer in left for inner in (*_below(outer), outer)]:
                with suppress(psutil.Error):
                    process.kill()
            for process in left:  # children of this process: nobody else waits for them
                with suppress(psutil.Error, ChildProcessError):
                    process.wait(ENDING_SECONDS)
            if not left:
                break
        _adopt(0)


def _below(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return list(process.children(recursive=True))
    return []


def _adopt(on: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, on, 0, 0, 0)


@contextmanager
def running(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A program in a session of its own, both streams in one pipe; it ends with the block, and all that it started."""
    process = subprocess.Popen(
        command, cwd=folder, env=env, text=True, errors="replace", start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
        process.wait()
    finally:
        if process.poll() is None:
            end_session(process)


def start_server(
    command: Sequence[str], log: Path, env: Mapping[str, str], sockets: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """A program that goes on after this one, in a session of its own, so that Ctrl-C here does not end it.

    What it writes only this user may read.

    Args:
        command: the program and its arguments.
        log: what it says is added to this file.
        env: added to this process's environment.
        sockets: open files of this process that it gets, by their numbers.
    """
    with log.open("ab") as told:
        return subprocess.Popen(
            command, env={**program_environment(), **env}, start_new_session=True,
            umask=0o077, pass_fds=tuple(sockets),
            stdin=subprocess.DEVNULL, stdout=told, stderr=told,
        )  # fmt: skip


def end_session(process: subprocess.Popen[str]) -> None:
    """End a program and all that it started; what outlives the program is killed."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(ENDING_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextmanager
def ended_by_sigterm(error: BaseException) -> Iterator[None]:
    """Let ``kill`` end the block by an error, as Ctrl-C does, so that what was started is ended on the way out."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(_: int, __: FrameType | None) -> None:
        raise error

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
