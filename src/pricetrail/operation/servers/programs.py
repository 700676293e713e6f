"""Running git and DVC for the scheduled run: in sessions of their own, their words passed on, within a time limit."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pricetrail.base.errors import OperationError
from pricetrail.base.processes import end_session, program_environment, running, stage_environment
from pricetrail.base.redaction import redacted
from pricetrail.lineage.git import cause, is_for_a_person, named, watching_hooks

KEPT_LINES, ALL_LINES = 400, 10**6
# A dead server is found out in seconds; the step tries again.
PATIENCE: Final[Mapping[str, str]] = {"AWS_MAX_ATTEMPTS": "2", "AWS_RETRY_MODE": "standard"}
QUIET: Final[Mapping[str, str]] = {
    "DVC_NO_ANALYTICS": "1",
    "GIT_TERMINAL_PROMPT": "0",  # a password prompt would wait for ever
    "PYTHONUNBUFFERED": "1",  # so that DVC announces a stage when it starts it
    "PYTHONDONTWRITEBYTECODE": "1",
}
MODULE: Final = ("-P", "-m")  # -P: no file of the folder that it runs in takes the place of one of its own modules

HooksWatched = AbstractContextManager[tuple[dict[str, str], Callable[[], str]]]

log = logging.getLogger(__name__)


class UnreachableError(OperationError):
    """A remote does not answer, or not as it should; trying again later may help."""


@dataclass(frozen=True)
class Done:
    """A program that has ended.

    Attributes:
        lines: the last of what it said on both streams.
        hook: of this machine's git, where that is what failed.
    """

    code: int
    lines: tuple[str, ...]
    hook: str = ""

    @property
    def reason(self) -> str:
        """Why it failed, and what to do where a person has to."""
        return redacted(cause(self.lines, self.code, self.hook))

    @property
    def is_final(self) -> bool:
        """Whether it will fail again, however long one waits: nothing was out of reach, and a person has to mend it."""
        return bool(self.hook) or is_for_a_person(self.lines)


def run(
    command: Sequence[str],
    folder: Path,
    env: Mapping[str, str] | None = None,
    minutes: float = 0,
    tell: Callable[[str], None] | None = None,
    *,
    runs_stages: bool = False,
    kept: int = KEPT_LINES,
) -> Done:
    """Run a program to its end; it and all that it started are killed past the limit.

    Args:
        command: the program and its arguments; ``git`` and ``dvc`` are found beside this interpreter first.
        folder: where it runs.
        env: added to its environment, which is this process's, without what is for this process alone.
        minutes: the limit; none for 0.
        tell: is given each line as it comes.
        kept: how many of its last lines are.
        runs_stages: it runs code of a revision, so nothing that is secret is in its environment.

    Raises:
        UnreachableError: it was still running at the limit.
    """
    late, lines = threading.Event(), list[str]()
    found = [sys.executable, *MODULE, *command] if command[0] == "dvc" else command
    nothing: HooksWatched = nullcontext(({}, str))
    watched = watching_hooks() if command[0] == "git" else nothing
    with (
        watched as (traced, failed_hook),
        running(found, folder, {**_environment(runs_stages=runs_stages), **traced, **(env or {})}) as process,
    ):

        def end_it() -> None:
            late.set()
            end_session(process)  # what a program started may outlive it, and hold the pipe open

        timer = threading.Timer(minutes * 60, end_it)
        timer.daemon = True
        if minutes:
            timer.start()
        try:
            for line in process.stdout or ():
                lines = [*lines[-kept:], line.rstrip("\n")]
                if tell is not None and line.strip():
                    tell(line.rstrip())
            process.wait()
        finally:
            timer.cancel()
        hook = failed_hook() if process.returncode else ""
    if late.is_set():
        raise UnreachableError(named(command), f"must end within {minutes:g} minutes")
    return Done(process.returncode, tuple(lines), hook)


def _environment(*, runs_stages: bool) -> dict[str, str]:
    known = stage_environment() if runs_stages else {**program_environment(), **PATIENCE}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**known, "PATH": path, **QUIET}


def must(command: Sequence[str], folder: Path, minutes: float = 0, env: Mapping[str, str] | None = None) -> str:
    """What a program says that has to succeed, all of it.

    Raises:
        UnreachableError: it passes the limit, or fails, and may do better later.
        OperationError: it fails, and a person has to mend the cause.
    """
    done = run(command, folder, env, minutes, kept=ALL_LINES)
    if done.code:
        kind = OperationError if done.is_final else UnreachableError
        raise kind(named(command), f"must succeed: {done.reason}")
    return "\n".join(done.lines)
