"""The one branch of ingest, weekly run and doctor: where a checkout differs from it, all three say so."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pricetrail.base.errors import OperationError
from pricetrail.base.params import parse_params
from pricetrail.operation.doctor.checks import CHECKS
from pricetrail.operation.doctor.findings import State, examined
from pricetrail.operation.doctor.machine import repository
from pricetrail.operation.weekly import clone
from support.source_project import POINTER, Project, ingest, week

pytestmark = [pytest.mark.operation_case, pytest.mark.usefixtures("fast_dvc")]
W49 = week("2011-12-05", "2011-12-06")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, one_week: Project) -> Path:
    """A project that follows `main` of its hub, which is where runs publish."""
    box = tmp_path_factory.mktemp("branch")
    shutil.copytree(one_week.root, box / "project", symlinks=True)
    made = Project(box / "project")
    params = made.root / "params.yaml"
    params.write_text(params.read_text().replace('repository: "."', "repository: origin"))
    made.must("dvc", "remote", "add", "-q", "-d", "store", "../store")
    made.must("dvc", "push", "-q")
    made.commit()
    made.must("git", "clone", "-q", "--bare", ".", "../hub.git")
    made.must("git", "remote", "add", "origin", "../hub.git")
    made.must("git", "fetch", "-q", "origin")
    made.must("git", "branch", "-q", "-u", "origin/main")
    return box


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    shutil.copytree(template, tmp_path / "box", symlinks=True)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.chdir(tmp_path / "box/project")
    return Project(tmp_path / "box/project")


def cloned(project: Project, folder: Path) -> clone.Clone:
    """As a run begins."""
    return clone.make(project.root, parse_params((project.root / "params.yaml").read_text()).weekly, folder)


def hub(project: Project, *arguments: str) -> str:
    return project.must("git", "-C", "../hub.git", *arguments)


def renamed(project: Project) -> None:
    hub(project, "branch", "-m", "main", "trunk")


def other_default(project: Project) -> None:
    hub(project, "branch", "trunk", "main")
    hub(project, "symbolic-ref", "HEAD", "refs/heads/trunk")


def deleted(project: Project) -> None:
    dials(project, branch="main")
    renamed(project)


def detached(project: Project) -> None:
    project.must("git", "checkout", "-q", "--detach")


def another_remote(project: Project) -> None:
    project.must("git", "clone", "-q", "--bare", "../hub.git", "../fork.git")
    project.must("git", "remote", "add", "fork", "../fork.git")
    project.must("git", "commit", "-q", "--allow-empty", "-m", "mine alone")
    project.must("git", "push", "-q", "-u", "fork", "main")


def another_branch(project: Project) -> None:
    hub(project, "branch", "prices", "main")
    dials(project, branch="prices")


def gone_upstream(project: Project) -> None:
    dials(project, repository=".")
    renamed(project)


def no_upstream(project: Project) -> None:
    dials(project, repository=".")
    project.must("git", "branch", "--unset-upstream")


def dials(project: Project, **values: str) -> None:
    file = project.root / "params.yaml"
    text = file.read_text()
    for name, value in values.items():
        text = re.sub(rf"\n  {name}: \S+", f'\n  {name}: "{value}"', text)
    file.write_text(text)
    project.must("git", "commit", "-q", "-am", "dials")


APART: dict[str, tuple[Callable[[Project], None], str]] = {
    "renamed on the hub": (renamed, "main follows main of origin, and runs use trunk of origin: `git config"),
    "another default on the hub": (other_default, "main follows main of origin, and runs use trunk of origin: "),
    "deleted on the hub": (deleted, "origin: must have branch main, and has trunk: set weekly.branch in params.yaml"),
    "detached": (detached, "no branch is checked out here, and runs use main: `git switch main`"),
    "follows another remote": (another_remote, "main follows main of fork, and runs use main of origin: set week"),
    "weekly.branch is another": (another_branch, "main follows main of origin, and runs use prices of origin: "),
    "here, renamed on the hub": (gone_upstream, "origin: must have branch main, which main follows, and it is gone or"),
    "here, follows nothing": (no_upstream, "git push: branch main must follow one of a remote: `git push -u"),
}  # fmt: skip


@pytest.mark.parametrize(("harm", "says"), APART.values(), ids=APART)
def test_ingest_and_doctor_say_where_a_checkout_differs(
    project: Project, harm: Callable[[Project], None], says: str
) -> None:
    harm(project)
    before, refs = project.state(), hub(project, "for-each-ref")
    done = ingest(project.give("w49.csv", W49), "--push")
    assert done.exit_code == 1, done.output
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert (project.state(), hub(project, "for-each-ref")) == (before, refs), "nothing was taken in, or pushed"
    told = examined(next(check for check in CHECKS if check.name == "repository"), project.root)
    assert told.state != State.OK
    assert says in told.found
    assert told.advice


@pytest.mark.parametrize("harm", [renamed, other_default], ids=["renamed", "another default"])
def test_the_run_goes_by_the_hub_and_warns(
    project: Project, harm: Callable[[Project], None], caplog: pytest.LogCaptureFixture
) -> None:
    harm(project)
    made = cloned(project, project.root.parent / "run")
    assert made.branch == "trunk"
    assert "main follows main of origin, and runs use trunk of origin" in caplog.text


@pytest.mark.parametrize(
    "single", [pytest.param(False, id="clone"), pytest.param(True, id="single-branch clone", marks=pytest.mark.long)]
)
def test_the_advice_after_a_renaming_works(project: Project, single: bool) -> None:
    if single:
        project.must("git", "config", "remote.origin.fetch", "+refs/heads/main:refs/remotes/origin/main")
    renamed(project)
    file = project.give("w49.csv", W49)
    told = re.findall(r"`(git config [^`]+)`", ingest(file, "--push").stderr)
    project.must(*told[0].split())
    done = ingest(file, "--push")
    assert done.exit_code == 0, done.output
    assert f"pushed {POINTER}, and the commits to trunk of origin" in done.stdout
    assert hub(project, "rev-parse", "trunk") == project.must("git", "rev-parse", "HEAD")
    assert hub(project, "for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/trunk\n"
    assert repository(project.root).state == State.OK


def renamed_here(project: Project) -> None:
    project.must("git", "branch", "-m", "lines")


def settings(project: Project) -> None:
    told = "[push]\ndefault = nothing\nfollowTags = true\n[pull]\nrebase = true\n[fetch]\nprune = true\n"
    (project.root.parents[1] / "gitconfig").write_text(told)
    project.must("git", "tag", "-a", "-m", "mine alone", "mine")


def same_by_another_address(project: Project) -> None:
    project.must("git", "remote", "add", "hub", f"{project.root.parent}/hub.git")
    project.must("git", "config", "branch.main.remote", "hub")


@pytest.mark.long
@pytest.mark.parametrize(
    "kind",
    [renamed_here, settings, same_by_another_address],
    ids=["renamed here", "git's settings", "the same hub by another address"],
)
def test_an_ingest_reaches_the_branch_of_the_runs(project: Project, kind: Callable[[Project], None]) -> None:
    kind(project)
    done = ingest(project.give("w49.csv", W49), "--push")
    assert done.exit_code == 0, done.output
    assert hub(project, "rev-parse", "main") == project.must("git", "rev-parse", "HEAD")
    assert hub(project, "for-each-ref", "--format=%(refname)") == "refs/heads/main\n", "and nothing else is there"


def refusing(hook: Path, words: str = "") -> None:
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\necho {words} >&2\nexit 1\n" if words else "#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)


def declined(project: Project) -> None:
    refusing(project.root.parent / "hub.git/hooks/pre-receive", "main is protected: open a pull request")


def pre_push(project: Project) -> None:
    refusing(project.root / ".git/hooks/pre-push")


def pre_commit(project: Project) -> None:
    refusing(project.root / ".git/hooks/pre-commit")


def moved_on(project: Project) -> None:
    project.must("git", "clone", "-q", "../hub.git", "../elsewhere")
    project.must("git", "-C", "../elsewhere", *WHO, "commit", "-q", "--allow-empty", "-m", "theirs")
    project.must("git", "-C", "../elsewhere", "push", "-q", "origin", "main")


def lock_of_a_crash(project: Project) -> None:
    (project.root / ".git/index.lock").touch()


WHO = ("-c", "user.name=t", "-c", "user.email=t@t")
FAILS: dict[str, tuple[Callable[[Project], None], str]] = {
    "a protected branch": (declined, "[remote rejected] HEAD -> main (pre-receive hook declined); main is prot"),
    "a pre-push hook": (pre_push, "git push: must succeed: the pre-push hook of this machine must let it pass, and"),
    "a pre-commit hook": (pre_commit, "git commit: must succeed: the pre-commit hook of this machine must let it pass"),
    "the hub moved on": (moved_on, "(fetch first): `git pull --rebase`, then again"),
    "an index.lock of a crash": (lock_of_a_crash, "index.lock': File exists: where no git works there, remove"),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(("harm", "says"), FAILS.values(), ids=FAILS)
def test_an_ingest_that_git_stops_says_why(project: Project, harm: Callable[[Project], None], says: str) -> None:
    harm(project)
    done = ingest(project.give("w49.csv", W49), "--push")
    assert done.exit_code == 1, done.output
    assert done.stderr.count(says) == 1, done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.long
def test_git_variables_of_a_hook_do_not_lead_elsewhere(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.must("git", "init", "-q", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other/.git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    done = ingest(project.give("w49.csv", W49), "--push")
    assert done.exit_code == 0, done.output
    assert hub(project, "rev-parse", "main") == project.must("git", "rev-parse", "HEAD")


@pytest.mark.attack
@pytest.mark.parametrize("key", ["url", "the default", "another", "a setting"])
def test_a_branch_does_not_choose_the_remote_of_a_run(project: Project, key: str, tmp_path: Path) -> None:
    """Whoever may push would receive all data of the project, sent with its credentials."""
    other = Project(tmp_path / "other")
    project.must("git", "clone", "-q", "../hub.git", str(other.root))
    for setting in ("user.name", "user.email"):
        other.must("git", "config", setting, "mallory@example.org")
    if key in ("the default", "another"):  # which an output of dvc.yaml may name
        other.must("dvc", "remote", "add", "-q", *(["-d"] if key == "the default" else []), "theirs", "s3://theirs/dvc")
    elif key == "a setting":
        other.must("dvc", "remote", "modify", "-q", "store", "verify", "true")
    else:
        other.must("dvc", "remote", "modify", "-q", "store", key, "https://theirs.example/dvc")
    other.commit()
    other.must("git", "push", "-q")
    told = r"^\.dvc/config of the branch: must have the remotes of this project, and has others: .*; `git pull` here"
    with pytest.raises(OperationError, match=told):
        cloned(project, tmp_path / "run")
    project.must("git", "pull", "-q", "--rebase")
    assert cloned(project, tmp_path / "run").base == hub(project, "rev-parse", "main").strip()
