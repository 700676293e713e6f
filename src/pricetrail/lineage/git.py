"""Running git."""

import subprocess
from pathlib import Path

from pricetrail.base.errors import LineageError
from pricetrail.base.processes import program_environment


def git(*arguments: str, folder: Path = Path(), given: str = "") -> str:
    """What a git command prints, ``given`` its standard input.

    Raises:
        LineageError: git fails, with its first line.
    """
    env = program_environment()
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=env, input=given.encode(), capture_output=True, check=False
        )
    except OSError as error:
        raise LineageError("git", f"must be installed: {error.strerror}") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
        raise LineageError(f"git {arguments[0]}", f"must succeed: {lines[0]}")
    return done.stdout.decode(errors="surrogateescape")
