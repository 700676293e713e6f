"""Checks of this machine and of the project's own files: tools, packages, git, disk."""

import os
import shutil
import stat
import sys
from pathlib import Path
from shlex import quote
from typing import Final

from pricetrail.base import files
from pricetrail.base.errors import PricetrailError
from pricetrail.base.params import FILE
from pricetrail.lineage.changes import parse_packages
from pricetrail.lineage.commit import DECISION, LOCK, RECORD
from pricetrail.lineage.dvc_cache import cache_folder
from pricetrail.lineage.git import IGNORED, git
from pricetrail.lineage.paths import PACKAGES
from pricetrail.lineage.place import ignored, other_projects, place_of, unknown_past
from pricetrail.lineage.replay import installed_otherwise
from pricetrail.operation.doctor.findings import Outcome, State, worst
from pricetrail.operation.ingest.source_folder import pointer
from pricetrail.operation.releases.keys import PUBLIC
from pricetrail.operation.weekly import surroundings
from pricetrail.operation.weekly.branch import branch_of_runs, branch_to_push

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
    text = files.read_text(project / PACKAGES)
    count, other = len(parse_packages(text)), installed_otherwise(text)
    if not other:
        return Outcome(State.OK, f"all {count} as in {PACKAGES}")
    first = min(other, key=lambda change: change.new is not None)  # one that is not there goes first
    state = State.FAILED if first.new is None else State.WARNING
    told = f"{len(other)} of {count} differ, first {first.name} {first.new or 'is not installed'}"
    advice = "`make setup`, or other bytes may come out than a commit's lock says"
    return Outcome(state, f"{told}, locked {first.old}", advice)


def place(project: Path) -> Outcome:
    """Where the project lies in git, and that its releases are all here, and alone.

    Raises:
        LineageError: there is no git repository.
    """
    found, others = place_of(project), other_projects(project)
    if not (project / FILE).exists():
        advice = f"cd {quote(others[0])}" if others else ""
        return Outcome(State.FAILED, f"no project here: {FILE} is not there", advice)
    inside = f"folder {found.inside[:-1]} of git repository {found.top}"
    where = inside if found.inside else "the top of its git repository"
    beside = f", a worktree beside {found.main}; it shares that one's keys and embedded S3"
    told = [Outcome(State.OK, where + beside * (found.main != project.absolute()))]
    if past := unknown_past(project):
        what, _, advice = past.partition(": ")
        told.append(Outcome(State.FAILED, f"{what}: new lines, and a run from here, are refused", advice))
    if others:
        two = f"another project in this repository, {', '.join(others)}: tags of releases are of both, so none is made"
        told.append(Outcome(State.FAILED, two, "give each shop a repository of its own"))
    committed = (LOCK, RECORD, DECISION, PUBLIC.as_posix(), pointer(files.read_params(project / FILE).data.path))
    if hidden := ignored(project, *committed):
        told.append(Outcome(State.FAILED, f"git ignores {', '.join(hidden)}, which runs commit", IGNORED))
    return worst(told)


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


def modes(project: Path) -> Outcome:
    """That no other user of this machine can change the project, its git, its cache, or a folder above it.

    Raises:
        OperationError: DVC's settings cannot be read.
    """
    home = project.absolute()
    folders = dict.fromkeys([home, *place_of(project).git_folders, home / ".dvc", cache_folder(project), *home.parents])
    there = {path: path.stat() for path in folders if path.exists()}
    wide = [path for path, found in there.items() if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX]
    theirs = [path for path, found in there.items() if found.st_uid not in {os.geteuid(), 0}]
    if wide:
        found = f"every user of this machine may change {', '.join(map(str, wide))}"
        return Outcome(State.FAILED, f"{found}, and so what runs here", f"chmod o-w {' '.join(map(str, wide))}")
    if theirs:
        found = f"{theirs[0]} is of user {there[theirs[0]].st_uid}, who may change what runs here"
        return Outcome(State.WARNING, found, f"chown -R {os.geteuid()} {theirs[0]}, where that user is not trusted")
    return Outcome(State.OK, "only its owner changes the project")


def disk(project: Path) -> Outcome:
    """Free space where the project, the cache and temporary files are; that of the fullest.

    Raises:
        OperationError: DVC's settings cannot be read.
    """
    gib, name = min((shutil.disk_usage(path).free / GIB, name) for name, path in surroundings.places(project).items())
    found = f"{gib:.1f} GiB free for {name}"
    state = State.FAILED if gib < FAIL_GIB else State.WARNING if gib < WARN_GIB else State.OK
    advice = "make room: `dvc gc --all-commits` drops from the cache what no commit needs"
    return Outcome(state, found, "" if state is State.OK else advice)


def merged(project: Path) -> Outcome:
    """That no tracked file of the pipeline holds the marks of a merge.

    Raises:
        OperationError: one does.
    """
    surroundings.require_merged(project)
    return Outcome(State.OK, "no file has marks of a merge")


def cache(project: Path) -> Outcome:
    """That the cache is there, and what HEAD names of it has the bytes that its name says: DVC never looks again.

    Raises:
        OperationError: DVC's settings cannot be read, or the folder is not there.
    """
    surroundings.require_cache(project)
    bad = list(surroundings.damaged(project, cache_folder(project)))
    if not bad:
        return Outcome(State.OK, "every object of HEAD there has the bytes that its name says")
    found = f"{len(bad)} objects have other bytes than their names say, first {bad[0][1]}"
    return Outcome(State.WARNING, found, f"a weekly run brings them again; by hand: rm -f {bad[0][1]} && dvc pull")
