"""Locks as types, and what git knows of a revision: against locks written by hand, and git itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pricetrail.base.errors import DataError, LineageError
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.lock import StageRecord, ancestry, parse_lock, parse_source, writer

LOCK = """
schema: '2.0'
stages:
  clean:
    cmd: python -m
      clean
    deps: [{path: raw, hash: md5, md5: 11.dir, nfiles: 2}]
    params: {params.yaml: {seed: 3, data.columns: {sku: Code}}}
    outs: [{path: data/clean, hash: md5, md5: 22.dir}]
  fit:
    cmd: fit
    deps: [{path: data/clean/a.parquet, md5: '33'}, {path: src/fit.py, md5: '44'}]
    outs: [{path: model, md5: '55'}]
  unrelated:
    cmd: x
    outs: [{path: other, md5: '66'}]
"""
SOURCE = "outs:\n- md5: 11.dir\n  nfiles: 2\n  path: raw\n"


def test_a_lock_is_read_as_dvc_wrote_it() -> None:
    clean, fit, _ = parse_lock(LOCK)
    assert clean == StageRecord(
        "clean",
        "python -m clean",
        {"raw": "11.dir"},
        {"seed": 3, "data.columns": {"sku": "Code"}},
        {"data/clean": "22.dir"},
    )
    assert fit.deps == {"data/clean/a.parquet": "33", "src/fit.py": "44"}
    assert parse_source(SOURCE, "data/raw.dvc") == StageRecord("data/raw.dvc", "", outs={"data/raw": "11.dir"})


def test_ancestry_is_every_stage_on_the_way_and_no_other() -> None:
    stages = (*parse_lock(LOCK), parse_source(SOURCE, "raw.dvc"))
    assert [stage.name for stage in ancestry(stages, "model")] == ["raw.dvc", "clean", "fit"]
    assert [stage.name for stage in ancestry(stages, "data/clean/b.parquet")] == ["raw.dvc", "clean"]
    assert ancestry(stages, "src/fit.py") == ()
    found = writer(stages, "data")
    assert found is not None
    assert found.name == "clean"


@pytest.mark.parametrize("text", ["", "a: [", "stages: {a: {}}", "stages: {a: {cmd: x, outs: [{path: y}]}}", "3"])
def test_what_is_no_lock_is_told_in_one_line(text: str) -> None:
    with pytest.raises(DataError, match=r"^dvc\.lock: must be "):
        parse_lock(text)


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit of a lock, changed in the workspace since."""
    monkeypatch.chdir(tmp_path)
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t", "commit", "-q", "-m", "x"],
    ):
        if command == ["add", "."]:
            (tmp_path / "dvc.lock").write_text(LOCK)
            (tmp_path / "raw.dvc").write_text(SOURCE)
        subprocess.run(["git", *command], check=True)
    (tmp_path / "dvc.lock").write_text(LOCK.replace("'55'", "'77'"))
    return tmp_path


def test_a_revision_and_the_workspace_are_told_apart(history: Path) -> None:
    committed, now = Commit.at("HEAD").stages, Commit.at().stages
    assert [stage.name for stage in committed] == ["raw.dvc", "clean", "fit", "unrelated"]
    assert (committed[2].outs, now[2].outs) == ({"model": "55"}, {"model": "77"})
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=history, capture_output=True, text=True, check=True)
    assert Commit.at("HEAD").hash == asked.stdout.strip()


def test_what_git_does_not_know_is_an_error(history: Path) -> None:
    with pytest.raises(LineageError, match="must be a commit, branch or tag that git knows, got 'nowhere'"):
        Commit.at("nowhere")
    with pytest.raises(LineageError, match="must be tracked by git at HEAD"):
        Commit.at("HEAD").content("nothing.txt")
    (history / "dvc.lock").unlink()
    with pytest.raises(LineageError, match="run `dvc repro`"):
        _ = Commit.at().stages
