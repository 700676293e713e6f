"""The folder that one run works in: a clean clone at one commit, with the project's settings and cache.

Nothing that a run does reaches the project before it publishes. A run that was killed leaves its folder, and what it
started, to the next one, which removes both.
"""

import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dvc.config import Config

from pricetrail.base import files
from pricetrail.base.errors import LineageError, OperationError
from pricetrail.base.params_schema import Weekly
from pricetrail.base.processes import identity, kill_all_in, lives
from pricetrail.lineage.dvc_cache import cache_folder, dvc_config
from pricetrail.lineage.git import git
from pricetrail.lineage.place import changed, place_of, require_one_project, require_past
from pricetrail.operation.releases.keys import PUBLIC
from pricetrail.operation.releases.tags import ARTIFACT, STAGE_TAG, VERSION_TAG
from pricetrail.operation.servers.programs import must
from pricetrail.operation.servers.s3 import edit_local_config
from pricetrail.operation.weekly.branch import branch_of_runs

RUNS: Final = Path(".pricetrail/runs")
TAGS: Final = ("for-each-ref", "--format=%(refname:strip=2) %(objectname)", f"refs/tags/{ARTIFACT}*")
# A run's clone has the bytes of git and what the run commits, whatever the settings of who runs it.
SETTINGS: Final = (
    "core.autocrlf=false", "core.eol=lf", "core.excludesFile=", "commit.gpgSign=false", "commit.cleanup=whitespace",
    "tag.gpgSign=false", "push.followTags=false", "push.gpgSign=false", "push.recurseSubmodules=no",
    "fetch.prune=false", "fetch.pruneTags=false", "log.showSignature=false",
)  # fmt: skip

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clone:
    """A clone and where it comes from.

    Attributes:
        home: the project whose settings, keys and cache the run uses.
        top: the folder of the clone.
        repository: what it was cloned from and publishes to: a URL, or the path of the project itself.
        branch: of that repository.
        base: the commit that the run starts from.
        is_here: the repository is the project itself, with its working tree.
        inside: path of the project in the clone, as of ``Place``.
    """

    home: Path
    top: Path
    repository: str
    branch: str
    base: str
    is_here: bool
    inside: str = ""

    @property
    def folder(self) -> Path:
        """The project in the clone."""
        return self.top / self.inside

    @property
    def cache(self) -> Path:
        """The cache that it shares with the project."""
        return cache_folder(self.home)


@contextmanager
def run_folder(home: Path) -> Iterator[Path]:
    """A new folder of this process for one run, removed at the end.

    Raises:
        OperationError: ``.pricetrail`` is another user's, who could change what runs here.
    """
    files.private_folder(home.absolute() / RUNS.parent)
    owner, name = identity(os.getpid()), secrets.token_hex(6)
    folder, unowned = home.absolute() / RUNS / name, home.absolute() / RUNS / f".{owner} {name}"
    unowned.mkdir(parents=True)
    files.write_text(unowned / "owner", owner)
    unowned.rename(folder)  # so that no other run sees it without its owner
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def reap(home: Path) -> tuple[str, ...]:
    """Remove what killed runs left: their processes, then their folders; names of the folders."""
    for begun in (home / RUNS).glob(".*"):
        if not lives(begun.name[1:].rpartition(" ")[0]):
            shutil.rmtree(begun, ignore_errors=True)
    dead = tuple(sorted(path for path in (home / RUNS).glob("[0-9a-f]*") if not _is_owned(path)))
    for folder in dead:
        kill_all_in(folder.absolute())
        shutil.rmtree(folder, ignore_errors=True)
    return tuple(folder.name for folder in dead)


def make(home: Path, weekly: Weekly, folder: Path) -> Clone:
    """Clone the configured branch, and give the clone the project's DVC settings and cache.

    Raises:
        UnreachableError: the repository cannot be cloned.
        OperationError: there is no such repository or branch, it lacks the project or a release that it knows, it names
            another remote, or the project's own working tree is not clean.
        LineageError: it lies where a run cannot tell which releases there are.
    """
    home = home.absolute()
    place = place_of(home)
    require_one_project(home)
    runs = branch_of_runs(home, weekly, weekly.timeout_minutes)
    if runs.apart:
        log.warning("%s", runs.apart)
    if runs.is_here:
        _require_clean(home, place.top)
    _clone(runs.url, folder, home, weekly.timeout_minutes, "--branch", runs.name)
    if not runs.is_here:
        _require_same_tags(home, folder, weekly.repository)
    base = git("rev-parse", "HEAD", folder=folder).strip()
    made = Clone(home, folder, runs.url, runs.name, base, runs.is_here, place.inside)
    if place.inside and not (made.folder / ".dvc").is_dir():
        raise OperationError(weekly.repository, f"must have the project in {place.inside[:-1]} of branch {runs.name}")
    _give_settings(home, made.folder)
    _require_same_remote(home, made.folder)
    return made


def _require_clean(home: Path, top: Path) -> None:
    """The project can be published into: git takes a push only where its whole working tree is as in its commit.

    Raises:
        OperationError: a file is changed, or a key is not committed.
        LineageError: releases may be unknown here.
    """
    require_past(home)
    if changed(top):
        rule = "must have no uncommitted change, since the run publishes into it: commit or stash"
        raise OperationError(str(top), rule)
    if changed(home, str(PUBLIC.parent), untracked=True):
        raise OperationError(
            str(PUBLIC.parent), "must be committed, since releases are verified by it: git add keys && git commit"
        )


def without_stages(clone: Clone, top: Path, given: Mapping[str, bytes], made: Sequence[str], minutes: float) -> Clone:
    """A new clone of the base, in which no stage has been, with what the run made in the other one.

    Whatever else a stage did there stays behind: hooks and settings of git, settings of DVC, keys, tags, code.

    Args:
        clone: where the stages ran; no program runs there any more.
        top: folder of the new one.
        given: files that the run changed before its stages, by path.
        made: paths of the outputs and locks that git keeps.
        minutes: limit of the clone.

    Raises:
        UnreachableError: the repository cannot be cloned.
        OperationError: an output is a link, or no file; or the folder of the stages is gone, and their results with it.
    """
    if not clone.folder.is_dir():
        raise OperationError(str(clone.top), "must be there until the run has published what its stages made")
    _clone(clone.repository, top, clone.home, minutes, "--no-checkout")
    try:
        git("cat-file", "-e", clone.base, folder=top)
    except LineageError:  # the branch was moved by force: git checks what it takes by hash, whoever has been there
        git("fetch", "--quiet", "--no-tags", str(clone.top), clone.base, folder=top)
    git("checkout", "--quiet", "-B", clone.branch, clone.base, folder=top)
    fresh = replace(clone, top=top)
    _give_settings(clone.home, fresh.folder)
    for path, content in given.items():
        files.write_bytes(fresh.folder / path, content)
    for path in made:
        _take_over(clone.folder.resolve(), fresh.folder, path)
    return fresh


def _take_over(source: Path, target: Path, path: str) -> None:
    """A file or a folder of files; nothing where a stage that did not end has left nothing.

    Raises:
        OperationError: a link, which could bring any file of this machine into git, or no file.
    """
    if not os.path.lexists(source / path):
        return
    found = [source / path, *(source / path).rglob("*")]
    for place in found:
        if place.resolve() != place or not (place.is_file() or place.is_dir()):
            rule = "must be a file that a stage wrote, no link and no pipe"
            raise OperationError(str(place.relative_to(source)), rule)
    if (target / path).is_dir():
        shutil.rmtree(target / path)
    for place in found:
        if place.is_file():
            files.write_bytes(target / place.relative_to(source), place.read_bytes())


def _clone(url: str, folder: Path, home: Path, minutes: float, *more: str) -> None:
    """One that settings of the user change in nothing."""
    shutil.rmtree(folder, ignore_errors=True)  # of an attempt that got no further
    settings = [word for setting in SETTINGS for word in ("-c", setting)]
    command = ["git", "clone", "--quiet", "--origin", "origin", "--no-reject-shallow", *settings, *more]
    must([*command, "--", url, str(folder)], home, minutes)


def _require_same_tags(home: Path, folder: Path, repository: str) -> None:
    """The repository has every release that the project knows: else a run would give its number to another one.

    Raises:
        OperationError: a release's tag is gone there, or is another one.
    """
    known, there = (dict(line.split() for line in git(*TAGS, folder=place).splitlines()) for place in (home, folder))
    releases = [name for name in known if VERSION_TAG.fullmatch(name) or STAGE_TAG.fullmatch(name)]
    wrong = sorted(name for name in releases if there.get(name) != known[name])
    if wrong:
        how = "is another tag there" if wrong[0] in there else "was deleted there, or never pushed"
        advice = f"`git push {repository} refs/tags/{wrong[0]}`, or `git tag -d {wrong[0]}` where that one is wrong"
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        rule = f"must have the releases that are known here: {wrong[0]} {how}{more}"
        raise OperationError(repository, f"{rule}: {advice}")


def _give_settings(home: Path, clone: Path) -> None:
    """The project's own settings and cache, without what a run must not do."""
    local = Config(dvc_dir=str(home / ".dvc"), validate=False).load_one("local")
    kept = {
        f"remote.{name}.{key}": value
        for name, settings in local.get("remote", {}).items()
        for key, value in settings.items()
    }
    (clone / ".dvc" / "config.local").unlink(missing_ok=True)  # of the branch: a link could lead anywhere
    core = {f"core.{key}": value for key, value in local.get("core", {}).items()}
    edit_local_config(clone, {**_moved_folders(home, clone), **kept, **core, "cache.dir": str(cache_folder(home))})


def _require_same_remote(home: Path, clone: Path) -> None:
    """The branch names the remote that the project has: who may push must not say where its data and keys go.

    Raises:
        OperationError: it names another one.
    """
    here, there = _remotes(home), _remotes(clone)
    if other := sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name)):
        rule = f"must have the remotes of this project, and has others: {', '.join(other)}"
        raise OperationError(".dvc/config of the branch", f"{rule}; `git pull` here, where you know who changed it")


def _remotes(folder: Path) -> dict[str, object]:
    """Each setting of the remotes by its name, and which is the default: an output may name any of them."""
    config = dvc_config(folder)
    settings = {f"remote {name}, {key}": value for name, of in config["remote"].items() for key, value in of.items()}
    return {**settings, "core.remote": config["core"].get("remote")}


def take_credentials(clone: Clone) -> None:
    """Leave nothing but the cache in the settings of a clone whose stages are about to run."""
    (clone.folder / ".dvc" / "config.local").unlink()
    edit_local_config(clone.folder, {"cache.dir": str(clone.cache)})


def _moved_folders(home: Path, clone: Path) -> dict[str, str]:
    """Remotes that are folders named from the project: the same words would mean another folder in the clone."""
    theirs, own = dvc_config(home)["remote"], dvc_config(clone)["remote"]
    return {
        f"remote.{name}.url": theirs[name]["url"]
        for name, settings in own.items()
        if name in theirs
        and "://" not in settings["url"]
        and os.path.relpath(settings["url"], clone) == os.path.relpath(theirs[name]["url"], home)
    }


def _is_owned(folder: Path) -> bool:
    """Whether the process that made a run's folder lives."""
    try:
        return lives((folder / "owner").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
