"""Running git and DVC for the scheduled run: in sessions of their own, their words passed on, within a time limit."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Final

from pricetrail.base.errors import OperationError
from pricetrail.base.processes import end_session, module, quiet_environment, running
from pricetrail.base.redaction import redacted
from pricetrail.lineage.git import cause, is_for_a_person, named, watching_hooks

KEPT_LINES: Final = 400
# A dead server is found out in seconds; the step tries again.
PATIENCE: Final[Mapping[str, str]] = {"AWS_MAX_ATTEMPTS": "2", "AWS_RETRY_MODE": "standard"}
NO_PROMPT: Final[Mapping[str, str]] = {"GIT_TERMINAL_PROMPT": "0"}  # for a password: it would wait for ever

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
    kept: int | None = KEPT_LINES,
) -> Done:
    """Run a program to its end; it and all that it started are killed past the limit.

    Args:
        command: the program and its arguments; ``git`` and ``dvc`` are found beside this interpreter first.
        folder: where it runs.
        env: added to its environment, which is this process's, without what is for this process alone.
        minutes: the limit; none for 0.
        tell: is given each line as it comes.
        runs_stages: it runs code of a revision, so nothing that is secret is in its environment.
        kept: how many of its last lines are; None for all.

    Raises:
        UnreachableError: it was still running at the limit.
    """
    lines = deque[str](maxlen=kept)
    found = module(*command) if command[0] == "dvc" else command
    patience = {} if runs_stages else PATIENCE
    known = {**quiet_environment(runs_stages=runs_stages), **patience, **NO_PROMPT, **(env or {})}
    nothing: AbstractContextManager[tuple[dict[str, str], Callable[[], str]]] = nullcontext(({}, str))
    with watching_hooks() if command[0] == "git" else nothing as (traced, failed_hook):
        with running(found, folder, {**known, **traced}) as process, _ended_after(minutes, process) as is_late:
            for line in process.stdout or ():
                lines.append(line.rstrip("\n"))
                if tell is not None and line.strip():
                    tell(line.rstrip())
            process.wait()
        hook = failed_hook() if process.returncode else ""
    if is_late.is_set():
        raise UnreachableError(named(command), f"must end within {minutes:g} minutes")
    return Done(process.returncode, tuple(lines), hook)


@contextmanager
def _ended_after(minutes: float, process: Popen[str]) -> Iterator[threading.Event]:
    """End a program at its limit, with what it started, which may outlive it and hold the pipe open; whether it was."""
    late = threading.Event()

    def end_it() -> None:
        late.set()
        end_session(process)

    timer = threading.Timer(minutes * 60, end_it)
    timer.daemon = True
    if minutes:
        timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def must(command: Sequence[str], folder: Path, minutes: float = 0) -> str:
    """What a program says that has to succeed, all of it.

    Raises:
        UnreachableError: it passes the limit, or fails, and may do better later.
        OperationError: it fails, and a person has to mend the cause.
    """
    done = run(command, folder, minutes=minutes, kept=None)
    if done.code:
        kind = OperationError if done.is_final else UnreachableError
        raise kind(named(command), f"must succeed: {done.reason}")
    return "\n".join(done.lines)
