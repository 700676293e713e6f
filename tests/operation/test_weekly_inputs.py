"""What a run reads is brought whole, whatever parameter has changed; from a remote, into an empty cache."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pricetrail.base.dvc_hashes import md5_where_there
from support.clone import Clone
from support.commands import environment, run, succeeded
from support.source_tree import ROOT
from support.tiny_project import WHO, TinyProject, make_tiny_project

pytestmark = [pytest.mark.operation_case, pytest.mark.slow]
DAG = """\
stages:
  split:
    cmd: mkdir -p parts && cp data.txt parts/a && cp data.txt parts/b
    deps: [data.txt]
    outs: [parts]
  part:
    cmd: cp parts/a one && echo ${a} >> one
    deps: [parts/a]
    params: [a]
    outs: [one]
  whole:
    cmd: cat parts/* one > all.txt
    deps: [parts, one]
    params: [b]
    outs:
      - all.txt: {cache: false}
"""


def program(folder: Path) -> subprocess.CompletedProcess[str]:
    """The module as a run has it."""
    command = [sys.executable, "-P", "-m", "pricetrail.operation.weekly.inputs"]
    return subprocess.run(command, cwd=folder, env=environment(ROOT), capture_output=True, text=True, check=False)


def bring(folder: Path) -> dict[str, Any]:
    """What it says."""
    found: dict[str, Any] = json.loads(succeeded(program(folder)).stdout.splitlines()[-1])
    return found


@pytest.fixture
def project(tmp_path: Path) -> TinyProject:
    """A run that is published, whose cache is gone."""
    project = make_tiny_project(tmp_path / "w")
    (project.folder / "params.yaml").write_text("a: 1\nb: 1\n")
    (project.folder / "dvc.yaml").write_text(DAG)
    project.must("dvc", "repro", "-q")
    project.must("dvc", "push", "-q")
    project.must("git", "add", "-A")
    project.must("git", *WHO, "commit", "-q", "-m", "a run")
    for name in ("parts", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(project.folder / name)
    for name in ("one", "data.txt"):
        (project.folder / name).unlink()
    return project


@pytest.mark.long
@pytest.mark.parametrize(
    ("changed", "due", "brought"),
    [("", [], []), ("a", ["part"], ["parts", "one"]), ("b", ["whole"], ["parts", "one"])],
)
def test_a_folder_is_brought_whole(changed: str, due: list[str], brought: list[str], project: TinyProject) -> None:
    """`dvc repro --pull` brings `parts/a` for the one stage, after which the other finds half a folder."""
    params = project.folder / "params.yaml"
    params.write_text(params.read_text().replace(f"{changed}: 1", f"{changed}: 2") if changed else params.read_text())
    found = bring(project.folder)
    assert (found["due"], found["lost"]) == (due, [])
    assert set(found["brought"]) <= set(brought)
    assert (project.folder / "parts/b").exists() == bool(changed)
    assert found["kept_by_git"] == ["all.txt", "dvc.lock"]
    project.must("dvc", "repro", "-q", "--allow-missing")
    assert project.must("git", "status", "--porcelain", "all.txt") == ("M all.txt" if changed == "a" else "")


@pytest.mark.long
def test_a_lost_input_is_named_with_who_needs_it(project: TinyProject) -> None:
    shutil.rmtree(project.remote)
    (project.folder / "params.yaml").write_text("a: 2\nb: 1\n")
    done = program(project.folder)
    assert done.returncode == 1
    assert "ERROR: parts: must be in the cache or the remote, since stage part reads it" in done.stderr
    assert "Traceback" not in done.stderr


def leaves(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Every value by dotted key."""
    found = dict[str, Any]()
    for key, value in tree.items():
        found |= leaves(value, f"{above}{key}.") if isinstance(value, dict) and value else {f"{above}{key}": value}
    return found


def readers(folder: Path) -> dict[str, tuple[str, ...]]:
    """The stages that read a parameter, by its key; told by the lock alone."""
    stages = YAML(typ="safe").load(folder / "dvc.lock")["stages"]
    params = leaves(YAML(typ="safe").load(folder / "params.yaml"))
    return {
        key: tuple(
            name
            for name, stage in stages.items()
            for read in stage.get("params", {}).get("params.yaml", {})
            if f"{key}.".startswith(f"{read}.")
        )
        for key in params
    }


@pytest.mark.long
def test_whatever_parameter_changes_all_that_is_read_is_there(copy: Clone, tmp_path: Path) -> None:
    """One of the parameters of each set of readers stands for all of the set, since DVC reruns by them alone."""
    copy.must("dvc", "remote", "add", "-f", "-d", "store", str(tmp_path / "store"))
    copy.must("dvc", "push", "-q", "dvc.yaml", "--with-deps")
    copy.commit()
    stages = YAML(typ="safe").load(copy.folder / "dvc.lock")["stages"]
    sets = {names: key for key, names in readers(copy.folder).items() if names}
    assert len(sets) > 5
    for names, key in sets.items():
        clone = tmp_path / "clone"
        run(tmp_path, "git", "clone", "-q", str(copy.folder), str(clone))
        lock = clone / "dvc.lock"
        tree = YAML(typ="safe").load(lock)
        for name in names:  # the lock is of another value: no value has to be made up
            known = tree["stages"][name]["params"]["params.yaml"]
            known[next(read for read in known if f"{key}.".startswith(f"{read}."))] = "another"
        YAML().dump(tree, lock)
        found = bring(clone)
        assert set(found["due"]) == set(names), key
        for name in [*found["due"], *found["perhaps"]]:
            for dep in stages[name]["deps"]:
                maker = [one for one, stage in stages.items() if any(is_in(dep, out) for out in stage.get("outs", []))]
                if not set(maker) & {*found["due"]}:
                    assert md5_where_there(clone / dep["path"]) == dep["md5"], (key, name, dep["path"])
        shutil.rmtree(clone)


def is_in(dep: Mapping[str, str], out: Mapping[str, str]) -> bool:
    return f"{dep['path']}/".startswith(f"{out['path']}/") or f"{out['path']}/".startswith(f"{dep['path']}/")


@pytest.mark.long
@pytest.mark.parametrize("dials", [{"gates__min_skill": -50.0}, {"pricing__max_change": 0.21}])
def test_a_weekly_run_after_a_gate_was_moved_ends_well(dials: dict[str, float], copy: Clone, tmp_path: Path) -> None:
    """On the whole pipeline, from the remote alone."""
    copy.must("git", "config", "user.name", "t")
    copy.must("git", "config", "user.email", "t@t")
    copy.must("dvc", "remote", "add", "-f", "-d", "store", str(tmp_path / "store"))
    copy.must("dvc", "push", "-q")
    copy.params(**dials)
    copy.commit()
    for name in (".dvc/cache", "data/splits", "models"):
        shutil.rmtree(copy.folder / name)
    done = Clone(copy.folder, fast=False).run("pricetrail", "weekly", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] in {"Released", "Withheld", "Published"}
