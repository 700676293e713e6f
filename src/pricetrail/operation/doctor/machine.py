"""Checks of this machine and of the project's own files: tools, packages, git, schedule, disk."""

import importlib.metadata
import shutil
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from pricetrail.base import files
from pricetrail.base.errors import PricetrailError
from pricetrail.base.params import FILE
from pricetrail.lineage.changes import parse_packages
from pricetrail.lineage.git import git
from pricetrail.operation.doctor.findings import Outcome, State, worst
from pricetrail.operation.weekly.branch import branch_of_runs, branch_to_push
from pricetrail.operation.weekly.clone import cache_of

GIB: Final = 1024**3
WARN_GIB: Final = 5  # free space, of which a year of weekly runs takes a part
FAIL_GIB: Final = 1
GIT_MINUTES: Final = 1 / 3  # for a git remote to answer
PYTHON: Final = (3, 11)  # that the lock was made with
TOOLS: Final = {
    "git": (State.FAILED, "no git on the path", "install git"),
    "dvc": (State.WARNING, "no dvc on the path", "source .venv/bin/activate"),
    "make": (State.WARNING, "no make on the path", "install make"),
}


def tools(project: Path) -> Outcome:
    """Git, dvc and make on the path, and this Python."""
    del project
    version, wanted = ".".join(map(str, sys.version_info[:3])), ".".join(map(str, PYTHON))
    python = Outcome(State.OK, f"Python {version}")
    if sys.version_info[:2] != PYTHON:
        advice = f"install Python {wanted}, then `make clean setup`"
        python = Outcome(State.WARNING, f"Python {version}, not {wanted}", advice)
    lost = [Outcome(*told) for name, told in TOOLS.items() if shutil.which(name) is None]
    return worst([*(lost or [Outcome(State.OK, f"{', '.join(TOOLS)} on the path")]), python])


def packages(project: Path) -> Outcome:
    """Every installed version against ``requirements.lock``."""
    pinned = parse_packages(files.read_text(project / "requirements.lock"))
    found = {name: _installed(name) for name in sorted(pinned)}
    other = [name for name, version in found.items() if version != pinned[name]]
    if not other:
        return Outcome(State.OK, f"all {len(pinned)} as in requirements.lock")
    state = State.FAILED if any(not found[name] for name in other) else State.WARNING
    first = min(other, key=lambda name: bool(found[name]))
    told = f"{len(other)} of {len(pinned)} differ, first {first} {found[first] or 'is not installed'}"
    advice = "`make setup`, or other bytes may come out than a commit's lock says"
    return Outcome(state, f"{told}, locked {pinned[first]}", advice)


def _installed(name: str) -> str:
    """The version of a package, without the part that names its build; empty where it is not there."""
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return ""


def repository(project: Path) -> Outcome:
    """That ``weekly.repository`` answers and has the branch, and that new lines are pushed to where runs find them.

    Raises:
        PricetrailError: params.yaml is not right, or git does not answer.
    """
    weekly = files.read_params(project / FILE).weekly
    runs = branch_of_runs(project, weekly, GIT_MINUTES)
    answers = Outcome(State.OK, f"{weekly.repository} answers, branch {runs.name} at {runs.commit[:7]}")
    if runs.is_here and not git("remote", folder=project):
        return answers
    try:
        branch_to_push(project, weekly, GIT_MINUTES)
    except PricetrailError as error:
        advice = "do so before the next `pricetrail ingest --push`, which refuses until then"
        return worst([answers, Outcome(State.WARNING, str(error), advice)])
    return answers


def schedule(project: Path) -> Outcome:
    """When the weekly run is due, and what the clock says there.

    Raises:
        PricetrailError: params.yaml is not right.
    """
    weekly = files.read_params(project / FILE).weekly
    now = datetime.now(ZoneInfo(weekly.timezone))
    return Outcome(State.OK, f"cron {weekly.cron} in {weekly.timezone}, where it is {now:%a %H:%M}")


def disk(project: Path) -> Outcome:
    """Free space where the project, the cache and temporary files are; that of the fullest.

    Raises:
        OperationError: DVC's settings cannot be read.
    """
    cache = cache_of(project).absolute()
    cache = next(folder for folder in (cache, *cache.parents) if folder.exists())
    places = {"the project": project, "the cache": cache, "temporary files": Path(tempfile.gettempdir())}
    gib, name = min((shutil.disk_usage(path).free / GIB, name) for name, path in places.items())
    found = f"{gib:.1f} GiB free for {name}"
    state = State.FAILED if gib < FAIL_GIB else State.WARNING if gib < WARN_GIB else State.OK
    advice = "make room: `dvc gc --all-commits` drops from the cache what no commit needs"
    return Outcome(state, found, "" if state is State.OK else advice)
