"""Without the demo shop: a colleague's `dvc pull` ends with 0, and nothing but the shop is gone."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from pricetrail.base.errors import OperationError
from pricetrail.lineage.dvc_yaml import parse_pipeline
from pricetrail.operation.doctor.findings import State
from pricetrail.operation.doctor.remote import lock_in_remote
from pricetrail.operation.ingest.detach_demo import FILES, detach_demo
from support.source_project import Project
from support.source_tree import ROOT

pytestmark = pytest.mark.usefixtures("fast_dvc")
LOCKED = "schema: '2.0'\nstages:\n  simulate: {cmd: x, outs: [{path: lines, hash: md5, md5: %s, size: 1}]}\n" % (
    "0c" * 16
)
STAGE = "stages:\n  simulate: {cmd: x, outs: [lines]}\n"


@pytest.fixture(scope="module")
def template(one_week: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines of one's own, pushed, beside a demo shop whose lines nobody has."""
    box = tmp_path_factory.mktemp("demo")
    made = Project(shutil.copytree(one_week.root, box / "project", symlinks=True))
    (made.root / "demo").mkdir()
    for name, text in {"demo/dvc.yaml": STAGE, "demo/dvc.lock": LOCKED, "demo/.gitignore": "/lines\n"}.items():
        (made.root / name).write_text(text)
    (made.root / "demo/dag.yaml").symlink_to("dvc.yaml")
    text = "stages:\n  record_run:\n    cmd: 'true'\n    deps:\n      - demo/dag.yaml\n      - data/lines\n"
    (made.root / "dvc.yaml").write_text(text)
    made.must("dvc", "remote", "add", "-q", "-d", "store", "../store")
    made.must("dvc", "repro", "record_run")
    made.commit()
    made.must("dvc", "push", "-q", "data/lines.dvc")
    return box


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    box = shutil.copytree(template, tmp_path / "box", symlinks=True)
    monkeypatch.chdir(box / "project")
    return Project(box / "project")


def command(*arguments: str) -> Result:
    from pricetrail.cli.app import app  # it takes seconds

    return CliRunner(env={"NO_COLOR": "1"}).invoke(app, ["detach-demo", *arguments])


def pulled(project: Project) -> int:
    """How a colleague's first `dvc pull` ends."""
    clone = Project(project.root.parent / "colleague")
    shutil.rmtree(clone.root, ignore_errors=True)
    project.must("git", "clone", "-q", ".", str(clone.root))
    return clone.run("dvc", "pull", "-q").returncode


def test_a_colleague_can_pull_without_the_demo_shop(project: Project) -> None:
    assert pulled(project) == 1
    assert lock_in_remote(project.root).advice == "pricetrail detach-demo --commit"
    done = command("--commit")
    assert done.exit_code == 0, done.output
    assert project.must("git", "status", "--porcelain") == ""
    assert pulled(project) == 0
    assert lock_in_remote(project.root).state is State.OK
    assert set(project.lines()) == {"w48.csv"}


def test_detaching_again_does_nothing(project: Project) -> None:
    assert not detach_demo().commit
    state = project.state()
    again = detach_demo()
    assert (again.removed, again.edited, project.state()) == ((), False, state)
    assert set(again.changed) == {*FILES, "dvc.yaml"}, "what is left to commit is told still"
    told = command()
    assert "no demo shop here" in told.output
    project.must("bash", "-c", re.findall(r"git commit .*", told.output)[0])
    assert project.must("git", "status", "--porcelain") == ""
    assert detach_demo(commit=True).commit == "", "nothing to commit"


def test_a_commit_takes_nothing_of_the_user_along(project: Project) -> None:
    pipeline, mine = project.root / "dvc.yaml", project.root / "demo/mine.csv"
    mine.write_text("mine")
    project.must("git", "add", "demo/mine.csv")
    text = pipeline.read_text()
    pipeline.write_text(text + "  mine: {cmd: 'true'}\n")
    before = project.state()
    with pytest.raises(OperationError, match=r"dvc\.yaml: must have no changes of yours to be committed along"):
        detach_demo(commit=True)
    assert project.state() == before
    pipeline.write_text(text)
    assert detach_demo(commit=True).commit
    assert mine.read_text() == "mine"
    assert project.must("git", "status", "--porcelain") == "A  demo/mine.csv\n"


@pytest.mark.parametrize("path", ["demo/lines", "demo", "demo/lines/a.parquet"])
def test_the_demo_shop_that_is_read_stays(project: Project, path: str) -> None:
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("path: data/lines ", f"path: {path} ", 1))
    before = project.state()
    told = command()
    assert told.exit_code == 1
    assert (
        f"data.path must be of lines of your own: set it to such as data/lines, then `pricetrail ingest`, got '{path}'"
        in told.output
    )
    assert project.state() == before


def test_the_shipped_pipeline_reads_nothing_of_the_demo_then(project: Project) -> None:
    """But for the parameters, which the record of a run names all."""
    (project.root / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())
    detach_demo()
    text = (project.root / "dvc.yaml").read_text()
    plans = parse_pipeline(text, {"data": {"path": "data/lines"}})
    assert not [path for plan in plans for path in (*plan.deps, *plan.outs) if path.startswith("demo")]
    assert len(text.splitlines()) == len((ROOT / "dvc.yaml").read_text().splitlines()) - 1
