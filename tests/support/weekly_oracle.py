"""What must hold in a world whatever was done to it; told by its files, with none of the code that is tested."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from pricetrail.operation.releases.verify import verify, version_tag
from support.weekly_world import World

BOT, ANN = "bot@pricetrail.invalid", "ann@shop.example"
ONE_BY_ONE = threading.Lock()  # DVC is not made for threads
VERSION, STAGE = "price-model@", "price-model#production#"


@dataclass(frozen=True)
class Seen:
    """A world at one moment.

    Attributes:
        refs: of the git remote, by name.
        objects: that its commits name.
        tree: of the project: its files and its git.
    """

    refs: dict[str, str]
    objects: frozenset[str]
    tree: dict[str, str]

    @property
    def tip(self) -> str:
        return self.refs["refs/heads/main"]

    @property
    def tags(self) -> set[str]:
        return {name for name in self.refs if name.startswith("refs/tags/")}


def see(world: World) -> Seen:
    """Look at everything; what commits name has to be in the bucket, whole."""
    return Seen(refs(world), named_by_all(world), tree(world))


def refs(world: World) -> dict[str, str]:
    lines = world.git("for-each-ref", "--format=%(refname) %(objectname)", folder=world.bare).splitlines()
    return dict(line.split() for line in lines)


def tree(world: World) -> dict[str, str]:
    """Hash of each file of the project that a run has no business with, and its git's refs."""
    found = {}
    skipped = {".git", ".s3", ".pricetrail/runs", ".dvc/cache", ".dvc/tmp", ".dvc/config.local"}
    for folder, inside, names in os.walk(world.project):
        place = Path(folder).relative_to(world.project)
        inside[:] = [name for name in inside if (place / name).as_posix() not in skipped and name != "__pycache__"]
        for name in names:
            if (place / name).as_posix() not in skipped:
                found[(place / name).as_posix()] = hashlib.sha256((Path(folder) / name).read_bytes()).hexdigest()
    known = world.git("for-each-ref", "--format=%(refname) %(objectname)") + world.git("rev-parse", "HEAD")
    return {**found, ".git": known}


def named_by_all(world: World) -> frozenset[str]:
    """Every object that a published run's commit names; all of them are in the bucket and whole."""
    found = frozenset[str]()
    for commit in bot_commits(world):
        found |= named_by(world, commit)
    for name in sorted(found):
        require_object(world, name)
    return found


def bot_commits(world: World) -> list[str]:
    """Commits of runs on the branch, newest first."""
    lines = world.git("log", "--format=%H %ae", "main", folder=world.bare).splitlines()
    return [line.split()[0] for line in lines if line.endswith(BOT)]


def named_by(world: World, commit: str) -> frozenset[str]:
    """What the lock and the `.dvc` files of a commit name; what DVC is told not to keep, git does."""
    files = set(world.git("ls-tree", "-r", "--name-only", commit, folder=world.bare).splitlines())
    of_git = files | uncached(show(world, commit, "dvc.yaml"))
    outs = []
    for path in sorted(files):
        if path == "dvc.lock":
            stages = YAML(typ="safe").load(show(world, commit, path))["stages"].values()
            outs += [out for stage in stages for out in stage.get("outs", [])]
        elif path.endswith(".dvc"):
            folder = Path(path).parent.as_posix()
            outs += [
                {**out, "path": f"{folder}/{out['path']}"}
                for out in YAML(typ="safe").load(show(world, commit, path))["outs"]
            ]
    found = set()
    for out in outs:
        if out["path"] in of_git:
            continue
        found.add(out["md5"])
        if out["md5"].endswith(".dir"):
            require_object(world, out["md5"])
            found |= {entry["md5"] for entry in json.loads(place(world, out["md5"]).read_bytes())}
    return frozenset(found)


def uncached(pipeline: str) -> set[str]:
    """Outputs with `cache: false`."""
    outs = [
        out
        for stage in YAML(typ="safe").load(pipeline)["stages"].values()
        for out in [*stage.get("outs", []), *stage.get("metrics", [])]
    ]
    return {path for out in outs if isinstance(out, dict) for path, told in out.items() if not told["cache"]}


def show(world: World, commit: str, path: str) -> str:
    return world.git("show", f"{commit}:{path}", folder=world.bare)


def place(world: World, name: str) -> Path:
    """Where the server keeps an object: its bucket is a folder."""
    return world.bucket / "dvc/files/md5" / name[:2] / name[2:]


def require_object(world: World, name: str) -> None:
    file = place(world, name)
    assert file.is_file(), f"{name} is named and not in the bucket"
    stat = file.stat()
    assert md5(file, stat.st_mtime_ns, stat.st_size) == name.removesuffix(".dir"), f"{name} has other bytes"


@cache
def md5(file: Path, _mtime: int, _size: int) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def require_all_or_nothing(world: World, before: Seen) -> bool:
    """Whether a publication came through; it is whole, or there is none, and what was there before still is."""
    now = refs(world)
    for name in before.tags:
        assert now.get(name) == before.refs[name], f"{name} was moved"
    world.git("merge-base", "--is-ancestor", before.tip, now["refs/heads/main"], folder=world.bare)
    assert before.objects <= named_by_all(world)
    for name in before.objects:
        require_object(world, name)
    new = sorted(set(now) - set(before.refs))
    assert all(name.startswith("refs/tags/") for name in new), new
    for name in new:
        commit = world.git("rev-parse", f"{name}^{{commit}}", folder=world.bare).strip()
        assert commit in bot_commits(world), f"{name} stands on no commit of the branch that a run made"
    versions, stages = ([name for name in new if f"refs/tags/{kind}" in name] for kind in (VERSION, STAGE))
    assert len(versions) == len(stages) == len(new) / 2, new
    is_published = is_new_run(world, before)
    subject = world.git("log", "-1", "--format=%s", bot_commits(world)[0], folder=world.bare)
    assert bool(versions) == (is_published and ": released" in subject), "a release without its run, or the reverse"
    return is_published


def is_new_run(world: World, before: Seen) -> bool:
    """Whether a run published since."""
    return bot_commits(world)[0] not in world.git("rev-list", before.tip, folder=world.bare).split()


def require_no_trace(world: World, before: Seen) -> None:
    """A finished run left no process, no folder, and did not touch the project."""
    assert not world.processes(), "a process of a dead run still works"
    assert not list(world.runs.glob("*")), "a folder of a dead run is left"
    assert not list(world.runs.glob(".*")), "a folder of a dead run is left"
    now = tree(world)
    assert now == before.tree, {
        path for path in now.keys() | before.tree.keys() if now.get(path) != before.tree.get(path)
    }


def require_published(world: World, before: Seen, runs: int, releases: int) -> None:
    """So many runs published since, so many releases of theirs; each release verifies in a new clone without cache."""
    since = world.git("rev-list", f"{before.tip}..main", folder=world.bare).split()
    published = [commit for commit in bot_commits(world) if commit in since]
    assert len(published) == runs, published
    new = set(refs(world)) - set(before.refs)
    assert len([name for name in new if VERSION in name]) == releases, new
    assert len([name for name in new if STAGE in name]) == releases, new
    for name in sorted(set(refs(world))):
        if VERSION in name:
            require_release(world, name.removeprefix("refs/tags/"))
    newest = max((name for name in refs(world) if VERSION in name), key=lambda name: int(name.rpartition("@v")[2][0]))
    assert version_tag(world.box / "verified", "production") == newest.removeprefix("refs/tags/")


def require_release(world: World, tag: str) -> None:
    """`pricetrail verify`, in a clone that has nothing but the remotes."""
    folder = world.box / "verified"
    if not folder.exists():
        world.git("clone", "-q", str(world.bare), str(folder))
        (folder / ".dvc/config.local").write_bytes((world.project / ".dvc/config.local").read_bytes())
    world.git("fetch", "-q", "--tags", folder=folder)
    world.git("reset", "-q", "--hard", "origin/main", folder=folder)
    with ONE_BY_ONE:
        found = verify(folder, tag, folder / ".dvc/cache")
    assert found.passed, [check for check in found.checks if not check.passed]
