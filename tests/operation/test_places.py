"""Ingest, keys, objects, releases and doctor, wherever in git the project lies: each works, or says one clear thing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pricetrail.base.errors import LineageError
from pricetrail.operation.doctor.findings import State
from pricetrail.operation.doctor.machine import modes, place
from pricetrail.operation.releases.keys import ensure_keys
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.servers import s3
from support.source_project import FOLDER, POINTER, Project, ingest, week

pytestmark = [pytest.mark.operation_case, pytest.mark.usefixtures("fast_dvc")]
W49 = week("2011-12-05", "2011-12-06")
INSIDE = "my shops/gifts"


@pytest.fixture
def project(one_week: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    shutil.copytree(one_week.root, tmp_path / "project", symlinks=True)
    monkeypatch.chdir(tmp_path / "project")
    return Project(tmp_path / "project")


@pytest.fixture
def in_folder(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The same project, moved into a folder of a larger repository, with the history from before."""
    top = project.root.parent / "mono"
    shutil.move(project.root, top / INSIDE)
    shutil.move(top / INSIDE / ".git", top / ".git")
    monkeypatch.chdir(top / INSIDE)
    moved = Project(top / INSIDE)
    moved.must("git", "add", "-A", str(top))
    moved.commit()
    return moved


def test_an_ingest_commits_in_a_folder_of_a_repository(in_folder: Project) -> None:
    other = in_folder.root.parents[1] / "other"
    other.write_text("of another team")
    assert f"git add {POINTER}" in ingest(in_folder.give("w49.csv", W49)).output
    done = ingest(in_folder.give("w49.csv", W49), "--commit")
    assert done.exit_code == 0, done.output
    assert set(in_folder.lines()) == {"w48.csv", "w49.csv"}
    assert in_folder.must("git", "show", "--format=", "--name-only").splitlines() == [f"{INSIDE}/{POINTER}"]
    assert "other" in in_folder.must("git", "status", "--porcelain", "-uall").splitlines()[-1], "nobody else's work"


def test_a_rule_above_that_hides_the_lock_is_told(in_folder: Project) -> None:
    (in_folder.root.parents[1] / ".gitignore").write_text("*.dvc\n*.lock\n")
    told = ingest(in_folder.give("w49.csv", W49)).stderr
    assert "lines.dvc' is git-ignored: `git check-ignore -v FILE` names the rule" in told
    finding = place(in_folder.root)
    assert (finding.state, finding.found.partition("; ")[2]) == (
        State.FAILED, f"git ignores dvc.lock, {POINTER}, which runs commit",
    )  # fmt: skip
    (in_folder.root / ".gitignore").write_text("/.pricetrail/\n!/dvc.lock\n!/data/lines.dvc\n")
    assert place(in_folder.root).state is State.OK
    assert ingest(in_folder.give("w49.csv", W49), "--commit").exit_code == 0


@pytest.mark.parametrize("is_moved", [False, True])
def test_released_days_are_known_in_a_folder_too(
    project: Project, is_moved: bool, request: pytest.FixtureRequest
) -> None:
    """Also of a release from before the project was moved there."""
    if is_moved:
        (project.root / "reports").mkdir()
        (project.root / "reports/lineage.json").write_text("{}")
        project.release(1, "2011-12-06")
    in_folder: Project = request.getfixturevalue("in_folder")
    if not is_moved:
        in_folder.release(1, "2011-12-06")
    done = ingest(in_folder.give("w49.csv", W49))
    assert "2011-12-05 is already released (price-model@v1.0.0" in done.output
    assert ingest(in_folder.give("w50.csv", week("2011-12-12"))).exit_code == 0


@pytest.mark.parametrize("kind", ["--depth=1", "--no-tags"])
def test_new_lines_wait_for_all_releases(project: Project, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The release of these days is in the hub; a clone that does not know it would let history be rewritten."""
    project.release(1, "2011-12-06")
    project.must("git", "commit", "-q", "--allow-empty", "-m", "more")
    clone = Project(project.root.parent / "clone")
    project.must("git", "clone", "-q", kind, f"file://{project.root}", str(clone.root))
    shutil.copytree(project.root / ".dvc/cache", clone.root / ".dvc/cache")
    shutil.copytree(project.root / FOLDER, clone.root / FOLDER, dirs_exist_ok=True)
    monkeypatch.chdir(clone.root)
    told = ingest(clone.give("w49.csv", W49)).output
    remedy = told.rpartition("`")[0].rpartition("`")[2]
    assert remedy.endswith("--tags"), told
    finding = place(clone.root)
    assert (finding.state, finding.advice) == (State.FAILED, f"`{remedy}`")
    clone.must("bash", "-c", remedy)
    assert place(clone.root).state is State.OK
    assert "2011-12-05 is already released" in ingest(clone.give("w49.csv", W49)).output


def test_two_projects_of_a_repository_make_no_release(in_folder: Project) -> None:
    for folder in (in_folder.root, in_folder.root.parent / "books"):
        (folder / "reports").mkdir(parents=True)
        (folder / "reports/lineage.json").write_text("{}")
    in_folder.must("git", "add", "-A", "../..")
    with pytest.raises(LineageError, match=r"must have one project of Pricetrail, .* has \.\./books too"):
        Registry.read(in_folder.root)
    assert "../books" in place(in_folder.root).found
    assert place(in_folder.root).state is State.FAILED
    top = place(in_folder.root.parents[1])
    assert (top.state, top.advice) == (State.FAILED, "cd 'my shops/books'"), "doctor at the top says where to go"


def test_a_worktree_has_the_keys_and_objects_of_the_main_one(project: Project) -> None:
    """Its own would go with it: `git worktree remove` takes what git ignores along."""
    project.must("dvc", "remote", "add", "-q", "-d", "s3", "s3://pricetrail/dvc")
    project.must("dvc", "remote", "modify", "s3", "endpointurl", "https://127.0.0.1:9000")
    keys = ensure_keys(project.root)
    project.commit()
    side = project.root.parent / "side"
    project.must("git", "worktree", "add", "-q", "-b", "side", str(side))
    assert ensure_keys(side).fingerprint == keys.fingerprint
    stores = [s3.embedded(folder) for folder in (side, project.root)]
    assert stores[0] == stores[1] is not None
    assert not (side / ".s3").exists()
    assert (side / ".dvc/config.local").stat().st_mode & 0o777 == 0o600
    assert f"a worktree beside {project.root}" in place(side).found
    (project.root / ".git").chmod(0o777)
    assert modes(side).state is State.FAILED, "what runs in a worktree is in the main one's git"


@pytest.mark.long
def test_another_remote_of_a_worktree_is_its_own(project: Project) -> None:
    project.must("dvc", "remote", "add", "-q", "-d", "s3", "s3://pricetrail/dvc")
    project.must("dvc", "remote", "modify", "s3", "endpointurl", "https://127.0.0.1:9000")
    project.commit()
    side = project.root.parent / "side"
    project.must("git", "worktree", "add", "-q", "-b", "side", str(side))
    Project(side).must("dvc", "remote", "modify", "s3", "url", "s3://other/dvc")
    store = s3.embedded(side)
    assert store is not None
    assert (store.folder, store.bucket) == (side / ".s3", "other")
