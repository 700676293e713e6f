"""Where a project lies in git, in real repositories, and that a revision is read alike wherever that is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pricetrail.base.errors import LineageError
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.place import changed, main_project, other_projects, place_of, unknown_past
from pricetrail.lineage.replay_clone import Clone

FILES = {"dvc.lock": "schema: '2.0'\nstages: {}\n", "data/lines.dvc": "outs: []\n", "metrics/etl.json": '{"days": 1}'}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def made(top: Path, inside: str) -> Path:
    """A project in a folder of a repository, which has a file of the same name at its top."""
    project = top / inside
    (project / ".dvc").mkdir(parents=True)
    git(top, "init", "-q", "-b", "main")
    for name, text in {**FILES, ".dvc/config": ""}.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    (project / "dag.yaml").symlink_to("dvc.lock")
    if inside:
        (top / "dvc.lock").write_text("of another project\n")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "start")
    return project


@pytest.mark.parametrize("inside", ["", "shop", "my shops/größe 1"])
def test_a_revision_is_read_from_the_projects_folder(tmp_path: Path, inside: str) -> None:
    project = made(tmp_path, inside)
    commit, here = Commit.at("HEAD", project), Commit.at(folder=project)
    assert set(commit.paths) == set(here.paths) == {*FILES, ".dvc/config", "dag.yaml"}
    assert {name: commit.text(name) for name in FILES} == FILES
    assert commit.text("dag.yaml") == FILES["dvc.lock"], "a link leads on"
    assert commit.metrics == {"etl": {"days": 1}}
    assert commit.hashes([*FILES, "data"]) == here.hashes([*FILES, "data"])
    assert commit.read("other") is None


def test_changes_elsewhere_in_the_repository_are_not_ours(tmp_path: Path) -> None:
    project = made(tmp_path, "my shops/größe 1")
    (tmp_path / "dvc.lock").write_text("changed\n")
    assert not Commit.at(folder=project).is_dirty
    git(project, "mv", "data/lines.dvc", "data/ä b.dvc")
    (project / "new").touch()
    assert Commit.at(folder=project).is_dirty
    assert set(changed(project)) == {"data/lines.dvc", "data/ä b.dvc"}
    assert changed(project, "data/ä b.dvc", "new", untracked=True) == ("data/ä b.dvc", "new")
    git(project, "add", "--", *changed(project, untracked=True)[1:])  # as git takes them from there


def test_a_replay_works_in_the_projects_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = made(tmp_path / "work", "shop")
    monkeypatch.chdir(project)
    clone = Clone.make(tmp_path / "clone", Commit.at("HEAD"))
    assert clone.folder == tmp_path / "clone/shop"
    assert clone.take_locks() == {"dvc.lock": FILES["dvc.lock"]}
    assert (tmp_path / "clone/dvc.lock").exists(), "of another project"


def test_a_revision_from_before_a_move_is_read_where_it_lay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = made(tmp_path / "work", "old/shop")
    for name in ("params.yaml", "reports/lineage.json"):
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text("{}")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "run")
    git(tmp_path / "work", "mv", "old/shop", "shop")
    git(tmp_path / "work", "commit", "-q", "-m", "moved")
    monkeypatch.chdir(tmp_path / "work/shop")
    now, then = Commit.at("HEAD"), Commit.at("HEAD~1")
    assert (now.inside_then, then.inside_then) == ("shop/", "old/shop/")
    assert now.paths == then.paths
    assert [commit.text("dvc.lock") for commit in (now, then)] == [FILES["dvc.lock"]] * 2
    assert Clone.make(tmp_path / "clone", then).take_locks() == {"dvc.lock": FILES["dvc.lock"]}
    assert Commit.at("HEAD~2").inside_then == "shop/", "where nothing tells"
    assert Commit.at("HEAD~2").paths == ()


@pytest.mark.parametrize("inside", ["", "shop"])
def test_a_worktree_knows_the_main_one(tmp_path: Path, inside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = made(tmp_path / "main", inside)
    git(tmp_path / "main", "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    side = tmp_path / "side" / inside
    found = place_of(side)
    assert (found.main, found.top, found.inside) == (project, tmp_path / "side", inside and f"{inside}/")
    assert found.git_folders == (tmp_path / "main/.git/worktrees/side", tmp_path / "main/.git")
    assert (main_project(project), main_project(tmp_path)) == (project, tmp_path), "itself, and without git"
    monkeypatch.chdir(project)
    assert main_project(Path()) == Path(), "as it was named"
    git(tmp_path, "clone", "-q", "--bare", "main", "bare.git")
    git(tmp_path / "bare.git", "worktree", "add", "-q", str(tmp_path / "of_bare"), "main")
    assert place_of(tmp_path / "of_bare" / inside).main == tmp_path / "of_bare" / inside, "there is no main one"


def test_a_shallow_clone_and_one_without_tags_are_told(tmp_path: Path) -> None:
    made(tmp_path / "hub", "")
    git(tmp_path / "hub", "commit", "-q", "--allow-empty", "-m", "more")
    url = f"file://{tmp_path}/hub"
    git(tmp_path, "clone", "-q", "--depth", "1", url, "shallow")
    git(tmp_path, "clone", "-q", "--no-tags", url, "bare of tags")
    git(tmp_path, "clone", "-q", url, "whole")
    with pytest.raises(LineageError, match=r"this clone is shallow: `git fetch --unshallow --tags`, got 'HEAD~1'"):
        Commit.at("HEAD~1", tmp_path / "shallow")
    for name in ("shallow", "bare of tags"):
        remedy = unknown_past(tmp_path / name).partition("`")[2].rstrip("`")
        assert remedy.endswith("--tags")
        subprocess.run(["bash", "-c", remedy], cwd=tmp_path / name, check=True, capture_output=True)
        assert unknown_past(tmp_path / name) == "", "its remedy is one"
    assert unknown_past(tmp_path / "whole") == ""


def test_another_project_in_the_repository_is_found(tmp_path: Path) -> None:
    first = made(tmp_path, "shops/a")
    assert other_projects(first) == ()
    for place in ("shops/a", "shops/b", "."):
        (tmp_path / place / "reports").mkdir(parents=True)
        (tmp_path / place / "reports/lineage.json").write_text("{}")
    git(tmp_path, "add", "-A")
    assert set(other_projects(first)) == {"../b", "../.."}
    assert set(other_projects(tmp_path)) == {"shops/a", "shops/b"}
