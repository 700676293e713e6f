"""The workflows of a fork and the Dockerfile: every command they name is there, and rights are as small as can be."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
import typer
from ruamel.yaml import YAML

from pricetrail.cli.app import app
from support import card_sample
from support.commands import must
from support.source_tree import ROOT

WORKFLOWS = {file.stem: file for file in sorted((ROOT / ".github/workflows").glob("*.yml"))}
SHELL = {"cat", "printf", "gh", "git"}  # what every runner has
SCRIPT = ROOT / ".ci/pull_request.py"


def read(name: str) -> dict[str, Any]:
    tree: dict[str, Any] = YAML(typ="safe", pure=True).load(WORKFLOWS[name])
    return tree


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in read(name)["jobs"].values() for step in job["steps"]]


def make_targets() -> set[str]:
    """What make itself knows, with no rule run."""
    told = subprocess.run(["make", "-pRrq", ":"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    phony = re.search(r"(?m)^\.PHONY: (.*)$", told)
    assert phony
    return set(phony[1].split())


def unknown(script: str) -> list[str]:
    """The commands of a script that neither a runner nor this repository has."""
    found = []
    for line in script.splitlines():
        program, *arguments = shlex.split(re.sub(r"^\w+=\$\((.*)\)$", r"\1", line))
        there = (
            (program == "make" and set(arguments) <= make_targets())
            or (program == ".venv/bin/python" and (ROOT / arguments[0]).is_file())
            or program in SHELL
        )
        found += [] if there else [line]
    return found


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_command_of_a_workflow_is_there(name: str) -> None:
    scripts = [step["run"] for step in steps(name) if "run" in step]
    assert scripts
    assert [line for script in scripts for line in unknown(script)] == []
    assert unknown("make nothing-of-that-name") == ["make nothing-of-that-name"]
    assert unknown("base=$(nonsense x)") == ["base=$(nonsense x)"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_actions_are_pinned_and_files_of_cache_keys_are_there(name: str) -> None:
    for step in steps(name):
        assert ("run" in step) != ("uses" in step)
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"])
        for listed in re.findall(r"hashFiles\((.*?)\)", str(step.get("with", {}))):
            assert all((ROOT / path).is_file() for path in re.findall(r"'(.*?)'", listed))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_rights_are_small_and_no_shell_gets_text_of_others(name: str) -> None:
    tree = read(name)
    assert tree["permissions"] in ({}, {"contents": "read"})
    assert "pull_request_target" not in tree["on"]
    for job in tree["jobs"].values():
        checks_out = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert all(step["with"]["persist-credentials"] is False for step in checks_out)
        may_write = {right for right, level in job.get("permissions", {}).items() if level != "read"}
        assert may_write <= {"pull-requests"}
        assert not (may_write and checks_out)
        assert job["timeout-minutes"] <= 60
        assert not any("${{" in step.get("run", "") for step in job["steps"])


def test_the_dockerfile_copies_what_is_there_and_is_not_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    kept = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"}
    copied = {name for line in re.findall(r"(?m)^COPY (.*)$", text) for name in line.split()[:-1]}
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)
    user, entry = re.search(r"(?m)^USER (\w+)$", text), re.search(r'(?m)^ENTRYPOINT \["pricetrail", "(\w+)"\]$', text)
    assert user
    assert user[1] != "root"
    assert entry
    assert text.index("USER") < text.index("ENTRYPOINT")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert entry[1] in commands
    assert re.search(r"(?m)^FROM python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}$", text)


DAG = """\
stages:
  score:
    cmd: python score.py
    deps: [score.py]
    metrics: [{metrics/score.json: {cache: false}}]
    outs: [big]
    plots: [{curve.csv: {cache: false, x: step, y: mse, title: Learning curve}}]
"""
SCORE = """\
from pathlib import Path
Path("metrics").mkdir(exist_ok=True)
Path("metrics/score.json").write_text('{"mse": MSE}')
Path("curve.csv").write_text("step,mse\\n" + "".join(f"{i},{MSE / (i + 1)}\\n" for i in range(9)))
Path("big").write_text("kept by DVC alone: MSE")
"""


def record(project: Path, mse: str, passed: bool) -> str:
    """Run the stage with another result, commit; the commit."""
    (project / "score.py").write_text(SCORE.replace("MSE", mse))
    must(project, "dvc", "repro", "-q")
    (project / "reports/shap").mkdir(parents=True, exist_ok=True)
    verdict = card_sample.verdict("accuracy", 0.2 if passed else 0.1, 0.15, passed)
    (project / "metrics/decision.json").write_text(json.dumps(card_sample.decision(verdict)))
    (project / "reports/shap/beeswarm.png").write_bytes(mse.encode())
    must(project, "git", "add", "-A")
    must(project, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "run")
    return must(project, "git", "rev-parse", "HEAD").strip()


@pytest.mark.slow
@pytest.mark.long
def test_a_pull_requests_comment_comes_from_git_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    (origin / ".dvc").mkdir(parents=True)
    (origin / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (origin / "dvc.yaml").write_text(DAG)
    (origin / ".gitignore").write_text("/.dvc/cache\n/.dvc/tmp\n/big\n")
    must(origin, "git", "init", "-q", "-b", "main")
    base, head = record(origin, "0.5", passed=False), record(origin, "0.25", passed=True)
    must(tmp_path, "git", "clone", "-q", str(origin), str(clone))

    must(clone, sys.executable, str(SCRIPT), base, "HEAD", "out", GITHUB_REPOSITORY="shop/prices")
    text = (clone / "out/comment.md").read_text()
    assert text.startswith(f"## Pricetrail: `{base[:7]}` → `{head[:7]}`")
    assert "`dvc.lock` is of this code" in text
    assert "**The candidate may be released**" in text
    assert "Reason:" not in text
    assert "| metrics/score.json | mse | 0.5 | 0.25 | \\-0.25 |" in text
    assert f"https://github.com/shop/prices/blob/{base}/reports/shap/beeswarm.png?raw=true" in text
    assert f"https://github.com/shop/prices/blob/{head}/reports/shap/beeswarm.png?raw=true" in text
    assert "code score.py" in text
    picture = matplotlib.image.imread(clone / "out/plots/png/curve_csv.png")
    assert len({tuple(pixel) for pixel in picture.reshape(-1, picture.shape[-1])[::7].round(1).tolist()}) > 4
    assert (clone / "out/plots/index.html").is_file()
    assert not (clone / "big").exists()
    (clone / "score.py").write_text(SCORE.replace("MSE", "0.1"))
    monkeypatch.chdir(clone)
    assert "`dvc repro` would run score first" in runpy.run_path(str(SCRIPT))["lock_note"]()


FORGED = {
    "page": ("reports/decision.md", "# The candidate may be released\n\n![](https://evil.example/i.png) @octocat\n"),
    "outcome": ("metrics/decision.json", None),
    "deep": ("metrics/decision.json", '{"gates": ' * 50 + "1" + "}" * 50),
    "error": ("metrics/decision.json", '{"outcome": "[x](https://evil.example) <img src=x> @octocat #1", "gates": 3}'),
}


@pytest.mark.attack
@pytest.mark.long
@pytest.mark.parametrize("name", FORGED)
def test_a_branch_writes_no_decision_by_hand(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, text = FORGED[name]
    withheld = card_sample.decision(card_sample.verdict("accuracy", 0.1, 0.15, passed=False))
    for path, said in (
        ("metrics/decision.json", json.dumps(withheld)),
        (file, text or json.dumps({**withheld, "outcome": "released"})),
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(said)
    must(tmp_path, "git", "init", "-q")
    must(tmp_path, "git", "add", "-A")
    must(tmp_path, "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "forged")
    monkeypatch.chdir(tmp_path)
    told = runpy.run_path(str(SCRIPT))["decision"]("HEAD")
    assert told.startswith("**The candidate is withheld**" if name == "page" else "⚠️ No decision: metrics/decision")
    assert not re.search(r"(?<!\\)\]\(|<img|@octocat|#1\b", told.replace("\\<img", ""))
