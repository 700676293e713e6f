"""Running git, and what it and its like say where they fail: the cause, once, and what to do about it."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pricetrail.base.errors import LineageError
from pricetrail.base.limits import load_json
from pricetrail.base.processes import program_environment

LONGEST: Final = 400  # characters of a cause: a hook may say pages
# Variables that say which repository git works in: of a hook that started this program, never of the project.
PLACES: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY",
                 "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE", "GIT_SHALLOW_FILE")  # fmt: skip
STARTS: Final = ("ERROR: ", "error: ", "fatal: ", "remote: ")
REFUSED: Final = re.compile(r"\s*!(?:\t.*\t| )(\[.+)")  # of `git push` and `git fetch`, for people and by --porcelain
FOLLOWS: Final = re.compile(  # from another line, which tells why
    r"hint: |To |From |Done$|Cloning into|warning: |Please make sure you have|and the repository exists|"
    r"You can inspect what was checked out|and retry with|"
    r"fatal: (could not read from remote|the remote end hung up)|error: (failed to push some refs|atomic push failed)",
    re.I,
)
IGNORED: Final = "`git check-ignore -v FILE` names the rule; `!/FILE` in the project's .gitignore lets it in"
# What a person has to mend, and how: trying it again is no use.
REMEDIES: Final = tuple(
    (re.compile(pattern, re.I), advice)
    for pattern, advice in (
        ("dubious ownership", "run as the owner, or `chown -R` the folder; `git help config`, safe.directory"),
        (r"git-lfs.*not found|not a git command.*lfs|(smudge|clean|external) filter .*failed", "install git-lfs"),
        (r"\.lock': File exists", "where no git works there, remove that file"),
        (r"\((fetch first|non-fast-forward)\)", "`git pull --rebase`, then again"),
        (r"clobber existing tag", "a tag is another one there: find out who made it, then delete the wrong one"),
        (r"\(publickey|Host key verification", "let this user's ssh in: `ssh -T` to that host shows more"),
        (r"could not read (Username|Password)|Authentication failed|returned error: 40[13]|access denied|\bforbidden\b",
         "give this user its credentials, and the right to do it"),
        ("Permission denied|Operation not permitted|Read-only file system|unable to create temporary object dir",
         "let this user write there: see its owner, mode, `lsattr` and mount"),
        (r"is git-ignored|ignored by one of your \.gitignore files", IGNORED),
        ("No space left|Disk quota exceeded", "make room on that disk"),
    )
)  # fmt: skip


def git(*arguments: str, folder: Path = Path(), given: str = "", env: Mapping[str, str] | None = None) -> str:
    """What a git command prints.

    Args:
        arguments: of git.
        folder: where it runs.
        given: its standard input.
        env: added to its environment.

    Raises:
        LineageError: git fails, with the cause.
    """
    with watching_hooks() as (traced, failed_hook):
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=folder, env={**program_environment(), **traced, **(env or {})},
                input=given.encode(), capture_output=True, check=False,
            )  # fmt: skip
        except OSError as error:
            raise LineageError("git", f"must be installed: {error.strerror}") from None
        if done.returncode:
            lines = done.stderr.decode(errors="replace").splitlines()
            told = cause(lines, done.returncode, failed_hook())
            raise LineageError(named(["git", *arguments]), f"must succeed: {told}")
    return done.stdout.decode(errors="surrogateescape")


def named(command: Sequence[str]) -> str:
    """A program and what it was told to do, without options and settings.

    >>> named(["git", "-c", "user.name=Bot", "commit", "--quiet"])
    'git commit'
    """
    is_git = command[0] == "git"
    values = {number + 1 for number, word in enumerate(command) if is_git and word in {"-c", "-C"}}
    words = [word for number, word in enumerate(command) if number not in values and not word.startswith("-")]
    return " ".join(words[1:3] if words[0] == sys.executable else words[:2])


def cause(lines: Sequence[str], code: int, hook: str = "") -> str:
    """Why a program failed, by what it said, with what to do where a person has to.

    Args:
        lines: of what it said.
        code: of its exit; minus the signal that ended it.
        hook: of this machine that failed, which is then the cause.

    >>> cause(["fatal: Could not read from remote repository.", "ssh: no route"], 128)
    'ssh: no route'
    """
    told = [line.strip() for line in lines if line.strip()]
    own = [line for line in told if not FOLLOWS.match(line)]
    known, advice = _mended(told)
    refused = [found[1] for line in told if (found := REFUSED.match(line)) and "atomic push failed" not in line]
    other = [line.removeprefix("remote:").strip() for line in own if line.startswith(("remote:", "error:"))]
    if refused:
        text = "; ".join(dict.fromkeys(filter(None, [*refused, *other])))
    elif hook:
        text = f"the {hook} hook of this machine must let it pass, and says: {'; '.join(own) or 'nothing'}"
    else:
        first = [line for start in STARTS for line in own if line.startswith(start)]
        text = (known or first or own[-1:] or told[-1:] or [_ended(code)])[0].removeprefix("ERROR: ")
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return f"{text.rstrip('.')}: {advice}" if advice and (refused or not hook) else text


def is_for_a_person(lines: Sequence[str]) -> bool:
    """Whether a program that said so fails until a person mends something, however long one waits."""
    return bool(_mended(lines)[1])


def _mended(lines: Sequence[str]) -> tuple[list[str], str]:
    """The line, if any, that names what a person has to mend, and how."""
    found = ([([line], advice) for line in lines if pattern.search(line)] for pattern, advice in REMEDIES)
    return next((pairs[0] for pairs in found if pairs), ([], ""))


@contextmanager
def watching_hooks() -> Iterator[tuple[dict[str, str], Callable[[], str]]]:
    """Variables that have git write down what it starts, and what then names the hook that failed.

    A hook may say nothing, and git says nothing of it either: its trace alone tells.
    """
    with tempfile.NamedTemporaryFile(prefix="pricetrail-git-") as trace:
        yield {"GIT_TRACE2_EVENT": trace.name}, lambda: _failed_hook(Path(trace.name).read_bytes().splitlines())


def _failed_hook(trace: Sequence[bytes]) -> str:
    """Hooks of the other side are none of this machine's: those are of processes below the one that was started."""
    events = [load_json(line) for line in trace if line.endswith(b"}")]  # of a git that was killed, the last is half
    own = [event for event in events if event["sid"] == events[0]["sid"]]
    hooks = {event["child_id"]: event["hook_name"] for event in own if event.get("child_class") == "hook"}
    failed = [event["child_id"] for event in own if event["event"] == "child_exit" and event["code"]]
    return str(next((hooks[number] for number in failed if number in hooks), ""))


def _ended(code: int) -> str:
    return f"signal {-code} ended it" if code < 0 else f"it ended with code {code}, and said nothing"
