"""Tags to and from the git remote: all of them or none, and never by force."""

import subprocess
from pathlib import Path
from typing import Final

from pricetrail.base.errors import LineageError, ReleaseError
from pricetrail.base.processes import program_environment
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
    _remote_git(folder, "fetch", "--quiet", "--no-tags", ORIGIN, f"{names}:{names}")


def push_tags(folder: Path, *names: str) -> None:
    """Push tags together; where that fails they are taken back, so that nothing is half published.

    Raises:
        ReleaseError: the remote refuses or does not answer.
    """
    try:
        _remote_git(folder, "push", "--quiet", "--atomic", ORIGIN, *(f"refs/tags/{name}" for name in names))
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
    """Git's own first lines may be hints: the line that says what is wrong is told."""
    env = program_environment()
    done = subprocess.run(["git", *arguments], cwd=folder, env=env, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
        told = next((line for line in lines if "rejected" in line or line.startswith(("fatal:", "error:"))), lines[0])
        raise ReleaseError(f"git {arguments[0]} {ORIGIN}", f"must succeed: {' '.join(told.split())}")
