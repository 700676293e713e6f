"""The commit point of a run: one atomic push of its commit and its tags, after the remote holds all of its data.

Until that push nothing of the run can be seen; after it all of it can. Where the branch has moved meanwhile, the commit
is put on top of what does not touch the pipeline; otherwise the run is superseded, and publishes nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pricetrail.base.errors import OperationError
from pricetrail.lineage.git import git
from pricetrail.operation.doctor.findings import redacted
from pricetrail.operation.servers.programs import Done, UnreachableError, must, run
from pricetrail.operation.weekly.clone import Workplace

TRACKED: Final = ("dvc.lock", "demo/dvc.lock", "metrics", "reports", "keys")  # that a run may have made anew
INPUTS: Final = re.compile(
    r"(dvc\.yaml|dag\.yaml|dvc\.lock|params\.yaml|requirements\.lock|\.dvcignore)|(src|demo|metrics|reports|data|models|keys)/.*|.*\.dvc|\.dvc/config"
)
INTO_HERE: Final = "git -c receive.denyCurrentBranch=updateInstead receive-pack"
LOCKED: Final = re.compile(r"lock|unable to create|failed to update ref", re.I)  # by another push, or a dead one
PUSHES: Final = 3  # of one run, where the branch keeps moving

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """What reached the repository.

    Attributes:
        commit: the tip that was pushed; the base where there was nothing to push.
        tags: that went with it.
        superseded_by: the commit that was there first; empty where the push went through.
    """

    commit: str
    tags: tuple[str, ...] = ()
    superseded_by: str = ""


def commit(place: Workplace, message: str, author: str) -> bool:
    """Commit what the run changed of the files that git tracks; whether HEAD is a commit of the run.

    Called again, it finds its own commit. The message names the run: two that make the same in the same second must not
    make the same commit, or each would take the other's push for its own.
    """
    if _head(place) != place.base:
        return True
    there = [path for path in TRACKED if (place.folder / path).exists()]
    git("add", "--update", folder=place.folder)
    if there:
        git("add", "--", *there, folder=place.folder)
    if not git("diff", "--cached", "--name-only", folder=place.folder).strip():
        return False
    text = f"{message.rstrip()}\n\nRun: {place.folder.parent.name}\n"
    git(*_as(author), "commit", "--quiet", "--no-verify", "--file", "-", folder=place.folder, given=text)
    return True


def publish(place: Workplace, author: str, minutes: float, tag: Callable[[], Sequence[str]]) -> Published:
    """Push the clone's commit, and the tags made for it, all or none.

    Args:
        place: the clone; its HEAD is the base or one commit above it.
        author: ``Name <mail>``, of a commit that is put on a branch that moved.
        minutes: limit of one push.
        tag: makes the tags of HEAD in the clone, and names them; asked again after HEAD was moved.

    Raises:
        UnreachableError: the repository does not answer.
        OperationError: it refuses the push though the branch has not moved.
    """
    base = place.base if _head(place) == place.base else git("rev-parse", "HEAD~1", folder=place.folder).strip()
    for _ in range(PUSHES):
        tags = tuple(tag())
        try:
            winner = _push(place, base, tags, minutes)
        except BaseException:
            _forget(place, tags)
            raise
        if not winner:
            return Published(_head(place), tags)
        _forget(place, tags)
        if winner in {base, _head(place)} or _touches_inputs(place, base, winner):
            return Published(base, superseded_by=winner)
        log.info("the branch moved to %s, which touches no input: rebased", winner[:12])
        git(*_as(author), "rebase", "--quiet", "--onto", winner, base, folder=place.folder)
        base = winner
    raise UnreachableError("git push", f"must find the branch at rest once in {PUSHES} times")


def _push(place: Workplace, base: str, tags: Sequence[str], minutes: float) -> str:
    """Push; the branch's commit there where it lost to another push, empty where it went through.

    Raises:
        UnreachableError: the repository does not answer, or has a ref locked.
        OperationError: it refuses, and nothing else was there first.
    """
    head = _head(place)
    if head == base and not tags:
        return ""
    into = [f"--receive-pack={INTO_HERE}"] if place.is_here else []
    refs = [f"HEAD:refs/heads/{place.branch}", *(f"refs/tags/{name}" for name in tags)]
    command = ["git", "push", "--atomic", "--porcelain", *into, "origin", *refs]
    try:
        done = run(command, place.folder, minutes=minutes)
    except UnreachableError as error:  # it may have gone through all the same
        done = Done(1, (str(error),))
    if done.code == 0:
        return ""
    told = must(["git", "ls-remote", "origin", f"refs/heads/{place.branch}", "refs/tags/*"], place.folder, minutes)
    there = {ref: name for name, ref in (line.split() for line in told.splitlines() if line.count("\t") == 1)}
    wanted = {f"refs/heads/{place.branch}": head} | {
        f"refs/tags/{name}": git("rev-parse", f"refs/tags/{name}", folder=place.folder).strip() for name in tags
    }
    if wanted.items() <= there.items():  # it went through, only its answer was lost
        return ""
    # The tags of an earlier attempt, made at another time, are on this run's own commit: it went through then.
    is_ours = head != base and all(there.get(f"refs/tags/{name}^{{}}") == head for name in tags)
    if is_ours and there.get(f"refs/heads/{place.branch}") == head:
        return ""
    tip = there.get(f"refs/heads/{place.branch}", "")
    if tip == base and not any(f"refs/tags/{name}" in there for name in tags):
        raise _refusal(place, done)
    must(["git", "fetch", "--quiet", "origin", place.branch], place.folder, minutes)
    return tip


def _refusal(place: Workplace, done: Done) -> OperationError:
    """What git says of the refs that were not taken, with the words of the repository's hook."""
    refs = [
        line.rpartition("\t")[2] for line in done.lines if line.startswith("!") and "atomic push failed" not in line
    ]
    told = [line.removeprefix("remote:").strip() for line in done.lines if line.startswith("remote:")]
    reason = "; ".join(dict.fromkeys(text for text in [*refs, *told] if text)) or done.reason
    is_final = bool(refs) and not LOCKED.search(reason)
    kind = OperationError if is_final else UnreachableError
    return kind("git push", redacted(f"must be accepted by {place.repository}: {reason}"))


def _forget(place: Workplace, tags: Sequence[str]) -> None:
    """Take back tags that were not pushed."""
    if tags:
        git("tag", "--delete", *tags, folder=place.folder)


def _head(place: Workplace) -> str:
    return git("rev-parse", "HEAD", folder=place.folder).strip()


def _touches_inputs(place: Workplace, base: str, tip: str) -> bool:
    """Whether commits since the base changed anything that the pipeline reads or writes, or are not above it."""
    if run(["git", "merge-base", "--is-ancestor", base, tip], place.folder).code:
        return True
    changed = git("diff", "--name-only", "-z", base, tip, folder=place.folder).split("\0")
    return any(INPUTS.fullmatch(path) for path in changed if path)


def _as(author: str) -> Sequence[str]:
    name, _, mail = author.rpartition(" <")
    return ("-c", f"user.name={name}", "-c", f"user.email={mail.rstrip('>')}", "-c", "commit.gpgsign=false")
