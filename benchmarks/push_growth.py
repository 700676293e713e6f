"""Megabytes that one more week of the UCI data adds to what is pushed."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import harness
from append_week import week_of
from harness import BenchmarkError, Clone, Goal, Result
from pricetrail.base.params_edit import with_settings
from pricetrail.lineage.dvc_cache import listing, object_at

WEEK = "2011-W48"  # the last whole one
SOURCE = "data/online_retail"
MB = 1e6
GIT = ("git", "-c", "user.name=benchmark", "-c", "user.email=benchmark@example.invalid")
WHAT = (
    "`dvc repro` on the UCI Online Retail lines through the ISO week before {week}, then on those of {week} too "
    "({files} daily files), `git commit` and `dvc push` to a folder after each; dials as shipped but for "
    "tuning.n_trials 1. The value is what the second push adds: DVC objects that the folder did not have, and the pack "
    "that `git push` would send. An object that two outputs name counts once, for the first of them."
)


def in_git_alone(clone: Clone) -> set[str]:
    """The outputs that are small and that DVC does not keep."""
    stages: dict[str, Any] = YAML(typ="safe").load(clone.path / "dvc.yaml")["stages"]
    entries = [entry for stage in stages.values() for key in ("outs", "metrics") for entry in stage.get(key, [])]
    options = {path: option for entry in entries if isinstance(entry, dict) for path, option in entry.items()}
    return {path for path, option in options.items() if option.get("cache") is False}


def objects_of(clone: Clone) -> Iterator[tuple[str, str]]:
    """Output and md5 of each object that the clone's locks name and its cache has, folders' lists included."""
    source: dict[str, Any] = YAML(typ="safe").load(clone.path / f"{SOURCE}.dvc")
    cache, small = clone.path / ".dvc" / "cache", in_git_alone(clone)
    for output, md5 in {SOURCE: source["outs"][0]["md5"], **clone.outputs()}.items():
        if output not in small and object_at(cache, md5) is not None:  # the demo shop's are not here
            members = listing(cache, md5) if md5.endswith(".dir") else None
            yield from ((output, member) for member in (md5, *(members or {}).values()))


def publish(clone: Clone) -> set[str]:
    """Commit and push.

    Returns:
        The md5 of each object that the clone now names.
    """
    clone.run("git", "add", "-A")
    clone.run(*GIT, "commit", "--quiet", "-m", "run")
    clone.run("dvc", "push", "--remote", "folder", "dvc.yaml", f"{SOURCE}.dvc")
    return {md5 for _, md5 in objects_of(clone)}


def new_bytes(clone: Clone, known: set[str]) -> Counter[str]:
    """Bytes by output of the objects that were not known before."""
    found: Counter[str] = Counter()
    seen = set(known)
    for output, md5 in objects_of(clone):
        if md5 not in seen:
            seen.add(md5)
            path = object_at(clone.path / ".dvc" / "cache", md5)
            found[output] += path.stat().st_size if path else 0
    return found


def bytes_below(folder: Path) -> int:
    """Size of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def pack_bytes(clone: Clone) -> int:
    """Size of the pack that pushing the last commit sends."""
    command = ["git", "pack-objects", "--revs", "--thin", "--stdout", "-q"]
    pack = subprocess.run(command, cwd=clone.path, input=b"HEAD\n^HEAD~1\n", capture_output=True, check=True)
    return len(pack.stdout)


def measure() -> Result:
    """Run through the week before, push, add the week, run and push again."""
    with harness.fresh_clone("real") as clone:
        source, aside, remote = clone.path / SOURCE, clone.path.parent / "aside", clone.path.parent / "remote"
        aside.mkdir()
        for file in sorted(source.iterdir()):
            if week_of(file) >= WEEK:
                shutil.move(file, aside)
        params = clone.path / "params.yaml"
        params.write_text(with_settings(params.read_text(encoding="utf-8"), {"tuning.n_trials": 1}), encoding="utf-8")
        clone.run("dvc", "remote", "add", "--local", "folder", str(remote))
        clone.run("dvc", "repro")
        known, pushed = publish(clone), bytes_below(remote)
        late = [file for file in sorted(aside.iterdir()) if week_of(file) == WEEK]
        for file in late:
            shutil.move(file, source)
        clone.run("dvc", "repro")
        publish(clone)
        by_output, git = new_bytes(clone, known), pack_bytes(clone)
        added = bytes_below(remote) - pushed
    if added != by_output.total():
        raise BenchmarkError(f"`dvc push` added {added} bytes, the lock names {by_output.total()} new ones")
    megabytes = (added + git) / MB
    parts = {**dict(by_output.most_common()), "git": git}
    return Result(
        name="push_growth",
        value=megabytes,
        unit="MB",
        what_was_run=WHAT.format(week=WEEK, files=len(late)),
        goals=(Goal("pushed for a week", megabytes, "<=", 12.0, "MB"),),
        details={"mb_by_output": {name: size / MB for name, size in parts.items()}, "first_push_mb": pushed / MB},
    )


if __name__ == "__main__":
    harness.main(measure)
