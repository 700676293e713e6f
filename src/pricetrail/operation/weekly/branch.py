"""The one branch that runs start from and publish to, that ``ingest --push`` pushes to and the doctor looks at."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pricetrail.base.errors import LineageError, OperationError, PricetrailError
from pricetrail.base.params_schema import Weekly
from pricetrail.lineage.git import git
from pricetrail.lineage.place import place_of
from pricetrail.operation.servers.programs import must

HERE, HEADS = ".", "refs/heads/"
SHOWN: Final = 5  # branches named in an error


@dataclass(frozen=True)
class Branch:
    """A branch of a repository.

    Attributes:
        repository: as git takes it: ``.``, a remote's name, or a URL.
        url: of the repository; the path of the project where it is the project itself.
        name: of the branch.
        commit: that it is at.
        apart: how the branch that is checked out in the project is not this one, and what to do; empty where it is.
    """

    repository: str
    url: str
    name: str
    commit: str
    apart: str = ""

    @property
    def is_here(self) -> bool:
        """Whether the repository is the project itself, with its working tree."""
        return self.repository == HERE


def branch_of_runs(home: Path, weekly: Weekly, minutes: float) -> Branch:
    """The branch of section ``weekly``, as its repository has it now.

    Args:
        home: the project.
        weekly: its settings.
        minutes: limit of the answer; 0 where a person waits, whom git may ask for a password.

    Raises:
        UnreachableError: the repository does not answer.
        OperationError: it has no such branch.
        LineageError: the project has no git.
    """
    home = home.absolute()
    heads, default = _heads(home, weekly.repository, minutes)
    name = weekly.branch or default
    if name not in heads:
        there = f"has {', '.join([*heads][:SHOWN])}" if heads else "has none"
        if weekly.repository == HERE and not weekly.branch:
            advice = "`git switch BRANCH`, or set weekly.branch in params.yaml"
            raise OperationError(str(home), f"must have a branch checked out, and {there}: {advice}")
        advice = "set weekly.branch in params.yaml, or push that branch"
        raise OperationError(weekly.repository, f"must have branch {name or 'of its HEAD'}, and {there}: {advice}")
    found = Branch(weekly.repository, url_of(home, weekly.repository), name, heads[name])
    return replace(found, apart=_apart(home, found, minutes))


def branch_to_push(home: Path, weekly: Weekly, minutes: float = 0) -> Branch:
    """The branch that new lines have to get to, so that the next run finds them.

    That is the branch of the runs; where these work in the project itself, it is the one that its branch follows.

    Raises:
        UnreachableError: the repository does not answer.
        OperationError: what is checked out is another branch, or the branch that it follows is gone.
        LineageError: git fails.
    """
    runs = branch_of_runs(home, weekly, minutes)
    if runs.apart:
        raise OperationError("git push", f"must go to the branch that runs start from: {runs.apart}")
    if not runs.is_here:
        return runs
    local = checked_out(home)
    remote, name = _followed(home, local)
    if not remote:
        raise OperationError("git push", f"branch {local} must follow one of a remote: `git push -u REMOTE {local}`")
    heads, default = _heads(home, remote, minutes)
    if name not in heads:
        rule = f"must have branch {name}, which {local} follows, and it is gone or has another name"
        raise OperationError(remote, f"{rule}: {_to_follow(local, default or 'BRANCH')}")
    return Branch(remote, url_of(home, remote), name, heads[name])


def checked_out(home: Path) -> str:
    """The branch that is checked out; empty where HEAD is on none."""
    with suppress(LineageError):
        return git("symbolic-ref", "--quiet", "--short", "HEAD", folder=home).strip()
    return ""


def _apart(home: Path, runs: Branch, minutes: float) -> str:
    local = checked_out(home)
    if not local:
        return f"no branch is checked out here, and runs use {runs.name}: `git switch {runs.name}`"
    if runs.is_here:
        switch = f"`git switch {runs.name}`, or set weekly.branch in params.yaml"
        return "" if local == runs.name else f"{local} is checked out here, and runs use {runs.name}: {switch}"
    remote, name = _followed(home, local)
    if remote and url_of(home, remote) != runs.url and not _is_at(home, remote, name, runs.commit, minutes):
        own = f"set weekly.repository in params.yaml, or `git config branch.{local}.remote {runs.repository}`"
        return f"{local} follows {name} of {remote}, and runs use {runs.name} of {runs.repository}: {own}"
    if (name or local) != runs.name:
        follows = f"follows {name} of {remote}" if remote else "is checked out here"
        own = f"{_to_follow(local, runs.name, '' if remote else runs.repository)}, or set weekly.branch in params.yaml"
        return f"{local} {follows}, and runs use {runs.name} of {runs.repository}: {own}"
    return ""


def _is_at(home: Path, remote: str, name: str, commit: str, minutes: float) -> bool:
    """Whether a branch of another remote is at a commit: the same repository by another address, or as good."""
    with suppress(PricetrailError):
        return _heads(home, remote, minutes)[0].get(name) == commit
    return False


def _to_follow(local: str, name: str, remote: str = "") -> str:
    """What lets a branch follow another one, of another remote where one is named."""
    setting = f"git config branch.{local}"
    first = f"{setting}.remote {remote} && " if remote else ""
    return f"`{first}{setting}.merge refs/heads/{name}`"


def _followed(home: Path, local: str) -> tuple[str, str]:
    """Remote and branch that a local branch follows, by git's settings: both empty where it follows none."""
    try:
        remote, ref = (
            git("config", "--get", f"branch.{local}.{key}", folder=home).strip() for key in ("remote", "merge")
        )
    except LineageError:
        return "", ""
    return remote, ref.removeprefix(HEADS)


def _heads(home: Path, repository: str, minutes: float) -> tuple[dict[str, str], str]:
    """The commit of each branch of a repository by its name, and the branch of its HEAD; empty for none."""
    command = ["git", "ls-remote", "--symref", "--", repository, "HEAD", "refs/heads/*"]
    told = must(command, home, minutes) if minutes else git(*command[1:], folder=home)
    pairs = [line.split("\t") for line in told.splitlines() if line.count("\t") == 1]
    heads = {ref.removeprefix(HEADS): commit for commit, ref in pairs if ref.startswith(HEADS)}
    of_head = (left.removeprefix("ref: ") for left, ref in pairs if ref == "HEAD")
    return heads, next(of_head, "").removeprefix(HEADS)


def url_of(home: Path, repository: str) -> str:
    """The URL of a remote by its name; of ``.``, the path of the project's own."""
    if repository == HERE:
        return str(place_of(home).top)
    try:
        return git("remote", "get-url", repository, folder=home).strip()
    except LineageError:
        return repository
