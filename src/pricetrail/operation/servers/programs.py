"""Running git and DVC for the scheduled run: in sessions of their own, their words passed on, within a time limit."""

import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pricetrail.base.errors import OperationError
from pricetrail.base.processes import end_session, program_environment, running, stage_environment

KEPT_LINES: Final = 400
# A dead server is found out in seconds; the step tries again.
PATIENCE: Final[Mapping[str, str]] = {"AWS_MAX_ATTEMPTS": "2", "AWS_RETRY_MODE": "standard"}
QUIET: Final[Mapping[str, str]] = {
    "DVC_NO_ANALYTICS": "1",
    "GIT_TERMINAL_PROMPT": "0",  # a password prompt would wait for ever
    "PYTHONUNBUFFERED": "1",  # so that DVC announces a stage when it starts it
    "PYTHONDONTWRITEBYTECODE": "1",
}
MODULE: Final = ("-P", "-m")  # -P: no file of the folder that it runs in takes the place of one of its own modules

log = logging.getLogger(__name__)


def redacted(text: str) -> str:
    """What a program says, without user and password of its URLs.

    >>> redacted("fatal: https://bot:s3cret@git.shop/x.git not found")
    'fatal: https://***@git.shop/x.git not found'
    """
    return re.sub(r"://[^/\s]+@", "://***@", text)


class UnreachableError(OperationError):
    """A remote does not answer, or not as it should; trying again later may help."""


@dataclass(frozen=True)
class Done:
    """A program that has ended.

    Attributes:
        lines: the last of what it said on both streams.
    """

    code: int
    lines: tuple[str, ...]

    @property
    def reason(self) -> str:
        """The line that tells why it failed."""
        lines = [line.strip() for line in self.lines if line.strip()]
        for start in ("ERROR: ", "error: ", "fatal: ", "! [", "remote: "):
            if found := [line for line in lines if line.startswith(start)]:
                return redacted(found[0].removeprefix("ERROR: "))
        return redacted(lines[-1]) if lines else "it gave no reason"


def run(
    command: Sequence[str],
    folder: Path,
    env: Mapping[str, str] | None = None,
    minutes: float = 0,
    tell: Callable[[str], None] | None = None,
    *,
    runs_stages: bool = False,
) -> Done:
    """Run a program to its end; it and all that it started are killed past the limit.

    Args:
        command: the program and its arguments; ``git`` and ``dvc`` are found beside this interpreter first.
        folder: where it runs.
        env: added to its environment, which is this process's, without what is for this process alone.
        minutes: the limit; none for 0.
        tell: is given each line as it comes.
        runs_stages: it runs code of a revision, so nothing that is secret is in its environment.

    Raises:
        UnreachableError: it was still running at the limit.
    """
    late, lines = threading.Event(), list[str]()
    found = [sys.executable, *MODULE, *command] if command[0] == "dvc" else command
    with running(found, folder, {**_environment(runs_stages=runs_stages), **(env or {})}) as process:

        def end_it() -> None:
            late.set()
            end_session(process)  # what a program started may outlive it, and hold the pipe open

        timer = threading.Timer(minutes * 60, end_it)
        timer.daemon = True
        if minutes:
            timer.start()
        try:
            for line in process.stdout or ():
                lines = [*lines[-KEPT_LINES:], line.rstrip("\n")]
                if tell is not None and line.strip():
                    tell(line.rstrip())
            process.wait()
        finally:
            timer.cancel()
    if late.is_set():
        raise UnreachableError(" ".join(_named(command)), f"must end within {minutes:g} minutes")
    return Done(process.returncode, tuple(lines))


def _environment(*, runs_stages: bool) -> dict[str, str]:
    known = stage_environment() if runs_stages else {**program_environment(), **PATIENCE}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**known, "PATH": path, **QUIET}


def must(command: Sequence[str], folder: Path, minutes: float = 0, env: Mapping[str, str] | None = None) -> str:
    """What a program says that has to succeed.

    Raises:
        UnreachableError: it fails, with its reason, or passes the limit.
    """
    done = run(command, folder, env, minutes)
    if done.code:
        raise UnreachableError(" ".join(_named(command)), f"must succeed: {done.reason}")
    return "\n".join(done.lines)


def _named(command: Sequence[str]) -> Sequence[str]:
    words = [word for word in command if not word.startswith("-")]
    return words[1:3] if words[0] == sys.executable else words[:2]
