"""The commit point of a run: one atomic push of its commit and its tags, after the remote holds all of its data.

Until that push nothing of the run can be seen; after it all of it can. Where the branch has moved meanwhile, the commit
is put on top of what does not touch the pipeline; otherwise the run is superseded, and publishes nothing.
"""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pricetrail.base.errors import OperationError
from pricetrail.base.redaction import line_of_secret
from pricetrail.lineage.git import REFUSED, git
from pricetrail.operation.releases.tags import drop, parted
from pricetrail.operation.servers.programs import Done, UnreachableError, must, run
from pricetrail.operation.weekly.clone import Clone

TRACKED: Final = ("dvc.lock", "demo/dvc.lock", "metrics", "reports", "keys")  # that a run may have made anew
INPUTS: Final = re.compile(
    r"(dvc\.yaml|dag\.yaml|dvc\.lock|params\.yaml|requirements\.lock|\.dvcignore)|(src|demo|metrics|reports|data|models|keys)/.*|.*\.dvc|\.dvc/config"
)
INTO_HERE: Final = "git -c receive.denyCurrentBranch=updateInstead receive-pack"
# A ref is taken by another push, or by a dead one.
LOCKED: Final = re.compile(r"\(.*(lock|failed to update ref|atomic transaction failed)")
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


def commit(clone: Clone, message: str, author: str) -> bool:
    """Commit what the run changed of the files that git tracks; whether HEAD is a commit of the run.

    Called again, it finds its own commit. The message names the run: two that make the same in the same second must not
    make the same commit, or each would take the other's push for its own.

    Raises:
        OperationError: a file would publish a secret.
    """
    if _head(clone) != clone.base:
        return True
    there = [path for path in TRACKED if (clone.folder / path).exists()]
    git("add", "--update", "--", ".", folder=clone.folder)
    if there:
        git("add", "--", *there, folder=clone.folder)
    made = git("diff", "--cached", "--name-only", "--relative", "-z", folder=clone.folder).split("\0")[:-1]
    if not made:
        return False
    _require_no_secret(clone, made)
    text = f"{message.rstrip()}\n\nRun: {clone.top.parent.name}\n"
    command = ("commit", "--quiet", "--no-verify", "--no-gpg-sign", "--file", "-")
    git(*command, folder=clone.folder, given=text, env=_identity(author))
    return True


def _require_no_secret(clone: Clone, paths: Sequence[str]) -> None:
    """Hold the lines that a run adds against the secrets that this process knows, and forms of keys and addresses."""
    for path in paths:
        change = git("diff", "--cached", "--unified=0", "--no-color", "--no-ext-diff", "--", path, folder=clone.folder)
        added = "".join(line[1:] for line in change.splitlines(keepends=True)[4:] if line.startswith("+"))
        if line := line_of_secret(added):
            text = added.splitlines()[line - 1]
            number = (clone.folder / path).read_text(encoding="utf-8", errors="replace").splitlines().index(text) + 1
            rule = "must hold no key, password or secret address, for git keeps it: correct the source file or stage"
            raise OperationError(f"{path}: line {number}", rule)


def publish(clone: Clone, author: str, minutes: float, tag: Callable[[], Sequence[str]]) -> Published:
    """Push the clone's commit, and the tags made for it, all or none.

    Args:
        clone: the clone; its HEAD is the base or one commit above it.
        author: ``Name <mail>``, of a commit that is put on a branch that moved.
        minutes: limit of one push.
        tag: makes the tags of HEAD in the clone, and names them; asked again after HEAD was moved.

    Raises:
        UnreachableError: the repository does not answer.
        OperationError: it refuses the push though the branch has not moved.
    """
    base = clone.base if _head(clone) == clone.base else git("rev-parse", "HEAD~1", folder=clone.folder).strip()
    for _ in range(PUSHES):
        tags = tuple(tag())
        try:
            winner = _push(clone, base, tags, minutes)
        except BaseException:
            drop(clone.folder, *tags)
            raise
        if not winner:
            return Published(_head(clone), tags)
        drop(clone.folder, *tags)
        _bring(clone, minutes)
        if winner == base:  # a rollback, say, took the number of a tag: the next one is free
            log.info("tags of these names were published first: made anew")
            continue
        if winner == _head(clone) or _touches_inputs(clone, base, winner):
            return Published(base, superseded_by=winner)
        log.info("the branch moved to %s, which touches no input: rebased", winner[:12])
        command = ("rebase", "--quiet", "--no-gpg-sign", "--onto", winner, base)
        git(*command, folder=clone.folder, env=_identity(author))
        base = winner
    raise UnreachableError("git push", f"must find the branch at rest once in {PUSHES} times")


def _push(clone: Clone, base: str, tags: Sequence[str], minutes: float) -> str:
    """Push; the branch's commit there where it lost to another push, empty where it went through.

    Raises:
        UnreachableError: the repository does not answer, or has a ref locked.
        OperationError: it refuses, and nothing else was there first.
    """
    head = _head(clone)
    if head == base and not tags:
        return ""
    into = [f"--receive-pack={INTO_HERE}"] if clone.is_here else []
    refs = [f"HEAD:refs/heads/{clone.branch}", *(f"refs/tags/{name}" for name in tags)]
    lease = f"--force-with-lease=refs/heads/{clone.branch}:{base}"  # no branch that is gone is made again
    command = ["git", "push", "--atomic", "--porcelain", lease, *into, "origin", *refs]
    try:
        done = run(command, clone.folder, minutes=minutes)
    except UnreachableError as error:  # it may have gone through all the same
        done = Done(1, (str(error),))
    if done.code == 0:
        return ""
    told = must(["git", "ls-remote", "origin", f"refs/heads/{clone.branch}", "refs/tags/*"], clone.folder, minutes)
    there = {ref: name for name, ref in (line.split() for line in told.splitlines() if line.count("\t") == 1)}
    tip = there.get(f"refs/heads/{clone.branch}", "")
    # The run's own commit, with tags of any attempt on it, or tags of this attempt: only the answer was lost.
    refs = [f"refs/tags/{name}{'' if head == base else '^{}'}" for name in tags]
    if tip == head and all(there.get(ref) == git("rev-parse", ref, folder=clone.folder).strip() for ref in refs):
        return ""
    if tip == base and not any(f"refs/tags/{name}" in there for name in tags):
        raise _refusal(clone, done)
    if not tip:
        rule = f"must have branch {clone.branch}, which was deleted or renamed there during the run"
        raise OperationError(clone.repository, rule)
    return tip


def _bring(clone: Clone, minutes: float) -> None:
    """The branch and the tags as the repository has them now."""
    refs = [f"refs/heads/{clone.branch}", "+refs/tags/*:refs/tags/*"]
    must(["git", "fetch", "--quiet", "--no-tags", "origin", *refs], clone.folder, minutes)


def _refusal(clone: Clone, done: Done) -> OperationError:
    """What git says of the refs that were not taken, with the words of the repository's hook."""
    refs = [line for line in done.lines if REFUSED.match(line)]
    is_final = not any(map(LOCKED.search, refs)) if refs else done.is_final
    kind = OperationError if is_final else UnreachableError
    rule = "must succeed" if done.hook and not refs else f"must be accepted by {clone.repository}"
    return kind("git push", f"{rule}: {done.reason}")


def _head(clone: Clone) -> str:
    return git("rev-parse", "HEAD", folder=clone.folder).strip()


def _touches_inputs(clone: Clone, base: str, tip: str) -> bool:
    """Whether commits since the base changed anything that the pipeline reads or writes, or are not above it."""
    if run(["git", "merge-base", "--is-ancestor", base, tip], clone.folder).code:
        return True
    changed = git("diff", "--name-only", "--relative", "-z", base, tip, folder=clone.folder).split("\0")
    return any(INPUTS.fullmatch(path) for path in changed if path)


def _identity(author: str) -> dict[str, str]:
    """Who a commit is by, whoever runs this: git takes these variables before any setting."""
    told = dict(zip(("NAME", "EMAIL"), parted(author), strict=True))
    return {f"GIT_{role}_{key}": text for role in ("AUTHOR", "COMMITTER") for key, text in told.items()}
