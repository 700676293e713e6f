"""Tags to and from the git remote: all of them or none, and never by force."""

from pathlib import Path
from typing import Final

from pricetrail.base.errors import LineageError, ReleaseError
from pricetrail.lineage.git import git
from pricetrail.operation.releases import tags

ORIGIN: Final = "origin"


def has_origin(folder: Path) -> bool:
    """Whether the project's git has a remote ``origin``."""
    return ORIGIN in git("remote", folder=folder).split()


def fetch_tags(folder: Path) -> None:
    """Bring the releases that others made; a tag that is another one here stays.

    Raises:
        ReleaseError: the remote does not answer, or has another tag of the same name.
    """
    names = f"refs/tags/{tags.ARTIFACT}*"
    # Not --quiet, which hides the tag that is refused; not pruned, whatever git's settings, of what is not pushed yet
    _remote_git(folder, "fetch", "--no-tags", "--no-prune", "--no-prune-tags", ORIGIN, f"{names}:{names}")


def push_tags(folder: Path, *names: str) -> None:
    """Push tags together; where that fails they are taken back, so that nothing is half published.

    Raises:
        ReleaseError: the remote refuses or does not answer.
    """
    try:
        _remote_git(
            folder, "push", "--quiet", "--atomic", "--no-follow-tags", ORIGIN, *(f"refs/tags/{name}" for name in names)
        )
    except BaseException:
        tags.drop(folder, *names)
        raise


def author_of(folder: Path, fallback: str) -> str:
    """``Name <mail>`` as git's settings have it, else the fallback."""
    try:
        name, mail = (git("config", "--get", key, folder=folder).strip() for key in ("user.name", "user.email"))
    except LineageError:
        return fallback
    return f"{name} <{mail}>" if name and mail else fallback


def _remote_git(folder: Path, *arguments: str) -> None:
    try:
        git(*arguments, folder=folder)
    except LineageError as error:
        raise ReleaseError(f"{error.place} {ORIGIN}", error.rule) from None
