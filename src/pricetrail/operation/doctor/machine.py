"""Checks of this machine and of the project's own files: tools, packages, git, dials, disk, what runs left behind."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from pricetrail.base import files
from pricetrail.base.errors import OperationError
from pricetrail.base.params import FILE
from pricetrail.lineage.changes import parse_packages
from pricetrail.lineage.git import git
from pricetrail.operation.doctor.findings import Outcome, failed, ok, warning, worst
from pricetrail.operation.weekly.clone import RUNS, cache_of

GIB: Final = 1024**3
WARN_GIB: Final = 5  # free space, of which a year of weekly runs takes a part
FAIL_GIB: Final = 1
GIT_SECONDS: Final = 20  # for a git remote to answer
PYTHON: Final = (3, 11)  # that the lock was made with
PREFECT: Final = Path(".pricetrail/prefect")
DATABASES: Final = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")


def tools(project: Path) -> Outcome:
    """Git, dvc and make on the path, and this Python."""
    del project
    version, wanted = ".".join(map(str, sys.version_info[:3])), ".".join(map(str, PYTHON))
    python = ok(f"Python {version}")
    if sys.version_info[:2] != PYTHON:
        python = warning(f"Python {version}, not {wanted}", f"install Python {wanted}, then `make clean setup`")
    dvc = ok(f"dvc {importlib.metadata.version('dvc')}")
    if shutil.which("dvc") is None:
        dvc = warning("no dvc on the path", "source .venv/bin/activate")
    return worst([_tool("git", failed), dvc, _tool("make", warning), python])


def _tool(name: str, missing: Callable[[str, str], Outcome]) -> Outcome:
    path = shutil.which(name)
    if path is None:
        return missing(f"no {name} on the path", f"install {name}")
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"\d+(\.\d+)+", said)
    return ok(f"{name} {number[0] if number else said.strip()}")


def packages(project: Path) -> Outcome:
    """Every installed version against ``requirements.lock``."""
    pinned = parse_packages(files.read_text(project / "requirements.lock"))
    found = {name: _installed(name) for name in sorted(pinned)}
    lost = [name for name, version in found.items() if not version]
    other = [name for name, version in found.items() if version and version != pinned[name]]
    if lost:
        return failed(f"{len(lost)} of {len(pinned)} are not installed, first {lost[0]}", "make setup")
    if other:
        first = f"{other[0]} {found[other[0]]}, locked {pinned[other[0]]}"
        advice = "`make setup`, or other bytes may come out than a commit's lock says"
        return warning(f"{len(other)} of {len(pinned)} differ, first {first}", advice)
    return ok(f"all {len(pinned)} as in requirements.lock")


def _installed(name: str) -> str:
    """The version of a package, without the part that names its build; empty where it is not there."""
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return ""


def identity(project: Path) -> Outcome:
    """Who signs commits and tags made by hand; a weekly run signs as ``weekly.author``."""
    author = subprocess.run(
        ["git", "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if author.returncode:
        return warning(
            "git knows no name and address for commits and tags that you make",
            "git config user.name NAME && git config user.email ADDRESS",
        )
    return ok(author.stdout.rpartition(">")[0] + ">")


def repository(project: Path) -> Outcome:
    """That ``weekly.repository`` answers and has the branch.

    Raises:
        PricetrailError: params.yaml is not right, or git does not answer.
    """
    weekly = files.read_params(project / FILE).weekly
    git("rev-parse", "--git-dir", folder=project)
    heads = _heads(project, weekly.repository)
    branch = weekly.branch or heads.get("HEAD", "")
    if not branch:
        return failed(f"{weekly.repository} has no branch checked out", "git switch BRANCH, or set weekly.branch")
    if f"refs/heads/{branch}" not in heads:
        return failed(f"{weekly.repository} has no branch {branch}", "set weekly.branch in params.yaml, or push it")
    return ok(f"{weekly.repository} answers, branch {branch} at {heads[f'refs/heads/{branch}'][:7]}")


def _heads(project: Path, remote: str) -> dict[str, str]:
    """Commit by reference of a git remote; for ``HEAD`` the branch that it stands for.

    Raises:
        OperationError: it does not answer.
    """
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")}
    try:
        done = subprocess.run(
            ["git", "ls-remote", "--symref", "--", remote, "HEAD", "refs/heads/*"],
            cwd=project,
            env={**os.environ, **quiet},
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OperationError(remote, f"must answer within {GIT_SECONDS} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["git gave no reason"]
        raise OperationError(remote, f"must be a git repository that answers: {said[0]}")
    heads: dict[str, str] = {}
    for line in done.stdout.splitlines():
        left, _, name = line.partition("\t")
        if left.startswith("ref: refs/heads/"):
            heads[name] = left.removeprefix("ref: refs/heads/")
        elif name != "HEAD":
            heads[name] = left
    return heads


def dials(project: Path) -> Outcome:
    """All of params.yaml.

    Raises:
        PricetrailError: it is not right.
    """
    path = files.read_params(project / FILE).data.path
    return ok(f"params.yaml is right, data from {path}")


def schedule(project: Path) -> Outcome:
    """The time zone of the weekly run.

    Raises:
        PricetrailError: params.yaml is not right.
    """
    weekly = files.read_params(project / FILE).weekly
    now = datetime.now(ZoneInfo(weekly.timezone))
    return ok(f"cron {weekly.cron} in {weekly.timezone}, where it is {now:%a %H:%M}")


def disk(project: Path) -> Outcome:
    """Free space where the cache, the embedded S3 and temporary files are.

    Raises:
        OperationError: DVC's settings cannot be read.
    """
    places = {"cache": cache_of(project), "temp": Path(tempfile.gettempdir())}
    if (project / ".s3").exists():
        places[".s3"] = project / ".s3"
    return worst([_space(names, free) for names, free in _free_by_device(places).items()])


def _free_by_device(places: Mapping[str, Path]) -> dict[str, float]:
    """Free GiB by the names of the places that share a device."""
    devices: dict[int, tuple[list[str], Path]] = {}
    for name, path in places.items():
        there = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
        devices.setdefault(there.stat().st_dev, ([], there))[0].append(name)
    return {", ".join(names): shutil.disk_usage(there).free / GIB for names, there in devices.values()}


def _space(names: str, free: float) -> Outcome:
    found = f"{names}: {free:.1f} GiB free"
    advice = f"make room for {names}: `dvc gc --all-commits` drops from the cache what no commit needs"
    if free < FAIL_GIB:
        return failed(found, advice)
    return warning(found, advice) if free < WARN_GIB else ok(found)


def leftovers(project: Path) -> Outcome:
    """Folders of runs that have not ended, or were killed."""
    runs = sum(1 for _ in (project / RUNS).glob("[0-9a-f]*"))
    if not runs:
        return ok("no run left anything behind")
    advice = "nothing, if one runs now; else the next `make weekly` clears it away"
    return warning(f"{runs} in {RUNS}", advice)


def prefect(project: Path) -> Outcome:
    """The database of the schedule, where there is one.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    for name in DATABASES:
        if os.environ.get(name):
            return ok(f"the database is the one of {name}, not looked at")
    folder = project / PREFECT
    if not folder.is_dir():
        return ok("no schedule was started here yet")
    file = folder / "prefect.db"
    if not file.is_file():
        return warning(f"no {PREFECT / 'prefect.db'}", "`make schedule` makes it")
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
        said = str(database.execute("PRAGMA quick_check").fetchone()[0])
    if said != "ok":
        return failed(f"{PREFECT / 'prefect.db'} is damaged: {said}", PREFECT_ADVICE)
    return ok(f"{PREFECT / 'prefect.db'} is sound, {file.stat().st_size / 1024**2:.0f} MiB")


PREFECT_ADVICE: Final = f"stop the schedule, move {PREFECT} away, `make schedule`: the history of runs is also in git"
