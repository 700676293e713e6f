"""``trace`` in a small repository whose lock, files and history are written by hand."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from pricetrail.base.errors import LineageError, PricetrailError
from pricetrail.cli.app import app
from pricetrail.lineage import ledger, trace
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.lock import parse_lock, parse_source

MANIFEST = '{"sha256": {}}'
BUNDLE = hashlib.sha256(MANIFEST.encode()).hexdigest()
GATE = {"gate": "drift", "passed": False, "open": True, "reason": "share is 0.4", "override": "Christmas"}


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def folder_md5(**files: str) -> str:
    """DVC's hash of a folder, spelt out: name without its dot and the text."""
    entries = [{"md5": md5(text.encode()), "relpath": name.replace("_", ".")} for name, text in sorted(files.items())]
    return md5(json.dumps(entries).encode()) + ".dir"


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(name: str) -> str:
    run("git", "add", "-A")
    run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", name)
    return run("git", "rev-parse", "HEAD")


def write(path: str, content: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)


def entries(**hashes: str) -> list[dict[str, str]]:
    return [{"path": path, "hash": "md5", "md5": value} for path, value in hashes.items()]


def write_run(rate: float, manifest: str = MANIFEST) -> None:
    """Files as a run leaves them, and the lock, the record and the ledger of that run."""
    bundle = hashlib.sha256(manifest.encode()).hexdigest()
    write("params.yaml", f"seed: 3\nfit: {{rate: {rate}}}\n")
    write("models/candidate/manifest.json", manifest)
    write("metrics/decision.json", json.dumps({"outcome": "released", "rate": rate, "gates": [GATE]}))
    table = pd.DataFrame({"lineage_id": [f"{bundle[:12]}-00000{row}" for row in range(3)], "units": [1.5, 2.5, rate]})
    table.to_parquet("data/predictions.parquet")
    raw, clean, model = folder_md5(x_csv="x"), folder_md5(a_csv="a", b_csv="b"), folder_md5(manifest_json=manifest)
    predictions = md5(Path("data/predictions.parquet").read_bytes())
    lock = {
        "clean": {
            "cmd": "python  clean",
            "deps": entries(**{"raw": raw, "src/clean.py": md5(b"clean")}),
            "params": {"params.yaml": {"seed": 3}},
            "outs": entries(**{"data/clean": clean}),
        },
        "aside": {"cmd": "aside", "deps": entries(**{"data/clean": clean}), "outs": entries(aside=md5(b"aside"))},
        "fit": {
            "cmd": "fit",
            "deps": entries(
                **{"data/clean/a.csv": md5(b"a"), "requirements.lock": md5(b"torch"), "src/fit.py": md5(b"fit")}
            ),
            "params": {"params.yaml": {"fit": {"rate": rate}}},
            "outs": entries(**{"models/candidate": model}),
        },
        "infer": {
            "cmd": "infer",
            "deps": entries(**{"models/candidate": model, "data/clean": clean}),
            "outs": entries(
                **{
                    "data/predictions.parquet": predictions,
                    "metrics/decision.json": md5(Path("metrics/decision.json").read_bytes()),
                }
            ),
        },
    }
    write("dvc.lock", json.dumps({"schema": "2.0", "stages": lock}, indent=1))
    stages = (parse_source(Path("raw.dvc").read_text(), "raw.dvc"), *parse_lock(Path("dvc.lock").read_text()))
    name = ledger.run_id(stages)
    write("reports/lineage.json", json.dumps({"run": name, "bundle": bundle, "stages": [asdict(s) for s in stages]}))
    old = Path("reports/runs.jsonl").read_text() if Path("reports/runs.jsonl").exists() else ""
    made = ledger.Run(name, bundle, "withheld", ("2010-12-01", "2011-01-02"), 1, {})
    write("reports/runs.jsonl", ledger.with_run(old, made, "ledger"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A repository with one run, committed; its first commit."""
    monkeypatch.chdir(tmp_path)
    run("git", "init", "-q", "-b", "main")
    write(".gitignore", "/raw/\n/data/\n/models/\n/aside\n")
    for path, text in {
        "raw/x.csv": "x",
        "raw.dvc": json.dumps({"outs": entries(raw=folder_md5(x_csv="x"))}),
        "data/clean/a.csv": "a",
        "data/clean/b.csv": "b",
        "aside": "aside",
        "requirements.lock": "torch",
        "src/clean.py": "clean",
        "src/fit.py": "fit",
    }.items():
        write(path, text)
    write_run(0.5)
    return commit("first")


def test_the_chain_leads_from_the_raw_files_and_holds_every_hash(project: str) -> None:
    found = trace.trace("models/candidate")
    assert [stage.name for stage in found.stages] == ["raw.dvc", "clean", "fit"], "not what lies aside or behind"
    raw, clean, fit = found.stages
    assert (raw.cmd, raw.outs) == ("", {"raw": folder_md5(x_csv="x")})
    assert clean.cmd == "python clean"
    assert clean.deps == {"raw": raw.outs["raw"], "src/clean.py": md5(b"clean")}
    assert fit.params == {"fit": {"rate": 0.5}}
    assert found.environment == md5(b"torch")
    assert found.md5 == folder_md5(manifest_json=MANIFEST)
    assert (found.commit, found.rev, found.dirty) == (project, "", False)
    assert found.committed_at == run("git", "log", "-1", "--format=%cI")
    assert (found.outcome, found.gates) == ("released", (GATE,))
    assert found.run == json.loads(Path("reports/lineage.json").read_text())["run"]
    assert (found.verified, found.differences) == (True, ())
    record = found.record()
    assert json.loads(json.dumps(record))["environment"] == md5(b"torch")


TAMPERED = {
    "an output": ("data/clean/a.csv", "other", "data/clean", "the workspace"),
    "a source": ("raw/x.csv", "other", "raw", "the workspace"),
    "weights": ("models/candidate/manifest.json", "other", "models/candidate", "the workspace"),
    "code": ("src/fit.py", "other", "src/fit.py", "the workspace"),
    "packages": ("requirements.lock", "numpy", "requirements.lock", "the workspace"),
    "a dial": ("params.yaml", "seed: 3\nfit: {rate: 0.7}\n", "params.yaml: fit", "the workspace"),
    "a dial that is gone": ("params.yaml", "fit: {rate: 0.5}\n", "params.yaml: seed", "the workspace"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_was_edited_since_the_run_is_named(project: str, what: str) -> None:
    file, text, path, place = TAMPERED[what]
    write(file, text)
    found = trace.trace("models/candidate")
    assert found.verified is False
    assert (path, place) in {(d.path, d.place) for d in found.differences}
    assert found.dirty == (run("git", "ls-files", file) != "")
    assert trace.trace("models/candidate", verify=False).verified is None
    assert trace.trace("models/candidate", "HEAD").verified is True, "the commit is as it was"


def test_a_file_that_is_gone_is_named(project: str) -> None:
    Path("data/clean/a.csv").unlink()
    lost = {d.path: d.found for d in trace.trace("models/candidate").differences}
    assert lost.pop("data/clean/a.csv") is None
    assert lost == {"data/clean": folder_md5(b_csv="b")}


def test_an_edited_metrics_file_is_named_also_once_committed(project: str) -> None:
    text = Path("metrics/decision.json").read_text()
    write("metrics/decision.json", text.replace("0.5", "0.1"))
    (found,) = trace.trace("metrics/decision.json").differences
    assert (found.path, found.recorded, found.found) == (
        "metrics/decision.json",
        md5(text.encode()),
        md5(text.replace("0.5", "0.1").encode()),
    )
    commit("a better figure")
    (found,) = trace.trace("metrics/decision.json", "HEAD").differences
    assert (found.path, found.place) == ("metrics/decision.json", "HEAD")
    assert trace.trace("HEAD~1:metrics/decision.json").verified is True


@pytest.mark.parametrize("part", ["outs", "deps"])
def test_a_hand_edited_lock_is_told_by_the_stages_and_the_record(project: str, part: str) -> None:
    """At a revision too, where the model's bytes are not at hand."""
    lock = json.loads(Path("dvc.lock").read_text())
    (entry,) = (
        e for e in lock["stages"]["fit" if part == "outs" else "infer"][part] if e["path"] == "models/candidate"
    )
    entry["md5"] = "0" * 32 + ".dir"
    write("dvc.lock", json.dumps(lock))
    commit("a lock by hand")
    found = trace.trace("data/predictions.parquet", "HEAD")
    places = {d.place for d in found.differences if d.path == "models/candidate"}
    assert places == {"stage infer", "reports/lineage.json"}


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ('"python clean"', '"python dirty"', "clean: cmd"),
        ('"rate": 0.5', '"rate": 0.6', "fit"),
        ('"run": "', '"run": "0', "reports/lineage.json"),
        ('"stages": [', '"stages": [3, ', "reports/lineage.json"),
    ],
)
def test_an_edited_record_is_told(project: str, old: str, new: str, path: str) -> None:
    text = Path("reports/lineage.json").read_text()
    assert old in text
    write("reports/lineage.json", text.replace(old, new))
    found = trace.trace("models/candidate")
    assert found.verified is False
    assert path in {d.path for d in found.differences}


def test_a_run_without_a_record_can_be_traced(project: str) -> None:
    Path("reports/lineage.json").unlink()
    found = trace.trace("models/candidate")
    assert (found.run, found.verified) == (None, True)


def test_targets_may_be_spelt_in_several_ways(project: str) -> None:
    run("git", "tag", "price-model@v1")
    for target in ("models/candidate/", "./models/candidate", str(Path("models/candidate").absolute())):
        assert trace.trace(target).path == "models/candidate"
    for target in ("HEAD", "main", project[:9], "price-model@v1", "price-model@v1:models/candidate"):
        found = trace.trace(target)
        assert (found.path, found.commit) == ("models/candidate", project)
        assert found.rev == target.split(":")[0]
    inner = trace.trace("data/clean/b.csv")
    assert (inner.stages[-1].name, inner.md5) == ("clean", md5(b"b"))
    assert trace.trace("raw/x.csv").stages == (inner.stages[0],)


@pytest.mark.parametrize(
    ("target", "rev", "said"),
    [
        ("models/other", "", "or an output in the workspace, such as models/candidate; looked at 6 outputs"),
        ("models/other", "HEAD", "models/other: must be a git revision, a lineage id, or an output at HEAD"),
        ("src/fit.py", "", "src/fit.py: must be"),
        ("data", "", "data: must be"),
        ("data/clean/c.csv", "", "data/clean/c.csv: must be"),
        ("HEAD:nothing", "", "nothing: must be an output of a stage at HEAD ("),
        ("nowhere:models/candidate", "", "must be a commit, branch or tag that git knows, got 'nowhere'"),
        ("models/candidate", "nowhere", "nowhere"),
        ("0123456789ab-000001", "", "1 runs of reports/runs.jsonl and 1 commits of reports/lineage.json"),
        (f"{BUNDLE[:12]}-000003", "", "lineage id: must name one of the 3 rows of data/predictions.parquet"),
        (f"{BUNDLE[:12]}-000001", "HEAD", "lineage id: tells its run by itself"),
    ],
)  # fmt: skip
def test_an_unknown_target_is_one_line_with_what_was_sought(project: str, target: str, rev: str, said: str) -> None:
    with pytest.raises(PricetrailError) as caught:
        trace.trace(target, rev)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_id_leads_to_its_row_and_later_to_its_commit(project: str) -> None:
    old = f"{BUNDLE[:12]}-000002"
    here = trace.trace(old)
    assert (here.path, here.rev, here.prediction) == ("data/predictions.parquet", "", {"lineage_id": old, "units": 0.5})

    write_run(0.9, '{"sha256": {"new": "bundle"}}')
    second = commit("second")
    there = trace.trace(old)
    assert (there.commit, there.stages, there.prediction) == (project, here.stages, None)
    assert there.notes == (
        f"data/predictions.parquet here is not that run's: `git checkout {project[:12]}` and `dvc checkout` "
        "or `pricetrail replay` would bring the row",
    )
    new = json.loads(Path("reports/lineage.json").read_text())["bundle"]
    assert trace.trace(f"{new[:12]}-000002").commit == second

    Path("data/predictions.parquet").write_bytes(b"")
    assert "`dvc checkout` or `pricetrail replay`" in trace.trace(f"{new[:12]}-000002").notes[0]
    Path("models/candidate/manifest.json").unlink()
    assert trace.trace(f"{new[:12]}-000002").rev == "", "the record names the bundle where the model is not pulled"


def test_a_run_that_was_never_committed_is_told_by_the_ledger(project: str) -> None:
    write_run(0.9, '{"sha256": {"never": "committed"}}')
    lost = json.loads(Path("reports/lineage.json").read_text())
    write_run(0.5)
    with pytest.raises(
        LineageError, match=f"is of run {lost['run']}, which no commit holds: looked at the workspace, 2 runs"
    ):
        trace.trace(f"{lost['bundle'][:12]}-000000")
    write("reports/runs.jsonl", "{}\n")
    with pytest.raises(PricetrailError, match=r"^reports/runs\.jsonl: line 1: run must be whole"):
        trace.trace(f"{lost['bundle'][:12]}-000000")


def test_a_lock_that_runs_in_a_circle_ends(project: str) -> None:
    stages = {
        "a": {"cmd": "a", "deps": entries(y="1"), "outs": entries(x="2")},
        "b": {"cmd": "b", "deps": entries(x="2"), "outs": entries(y="1")},
    }
    write("dvc.lock", json.dumps({"stages": stages}))
    assert {stage.name for stage in trace.trace("x", verify=False).stages} == {"a", "b"}


def test_files_of_a_revision_are_read_as_git_has_them(project: str) -> None:
    Path("odd name\u00e9").write_bytes(bytes(range(256)))
    Path("link").symlink_to("params.yaml")
    Path("away").symlink_to("/nowhere/at all")
    commit("odd")
    Path("params.yaml").write_text("changed")
    asked = ["missing", "odd name\u00e9", "src", "away", "a b missing", "link", "raw.dvc/x", "src/fit.py"]
    assert {path: found for path in asked if (found := Commit.at("HEAD").read(path)) is not None} == {
        "odd name\u00e9": bytes(range(256)),
        "link": b"seed: 3\nfit: {rate: 0.5}\n",
        "src/fit.py": b"fit",
    }


@pytest.mark.parametrize(
    "target", ["models/candidate", "HEAD~4:data/predictions.parquet", "HEAD", f"{BUNDLE[:12]}-000002"]
)
def test_a_trace_visits_git_four_times_at_most(
    project: str, target: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the number of commits that are looked at; it was 14 visits once, and one more a commit."""
    for number in range(5):
        write_run(0.6, f'{{"sha256": {{"run": "{number}"}}}}')
        commit(f"run {number}")
    folder = tmp_path_factory.mktemp("bin")
    log, git = folder / "log", folder / "git"
    git.write_text(f'#!/bin/sh\necho "$1" >> {log}\nexec {shutil.which("git")} "$@"\n')
    git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    trace.trace(target)
    assert 1 < len(log.read_text().split()) <= 4, log.read_text()


def test_the_process_that_reads_git_ends_with_its_commit(project: str) -> None:
    found = Commit.at("HEAD")
    pid = found.objects._process.pid
    assert found.stages
    assert Path(f"/proc/{pid}").exists()
    del found
    assert not Path(f"/proc/{pid}").exists()


def test_no_repository_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LineageError, match=r"^git cat-file: must succeed: fatal: not a git repository"):
        Commit.at("HEAD", tmp_path)


def shown(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["trace", *arguments], env={"COLUMNS": "200"})


def test_the_command_shows_the_chain_and_warns(project: str) -> None:
    text = shown("data/predictions.parquet").output
    for part in (
        "infer",
        "fit",
        "clean",
        "source tracked by raw.dvc",
        "$ python clean",
        project[:12],
        md5(b"torch")[:12],
    ):
        assert part in text, part
    assert "drift gate open: share is 0.4; overridden: Christmas" in text
    assert "verified: files" in text
    assert "src/fit.py" not in text
    assert f"src/fit.py {md5(b'fit')}" in shown("data/predictions.parquet", "--full").output
    assert (text.count("$ python clean"), text.count("clean, see above")) == (1, 1), "it lies on two ways"

    write("src/fit.py", "[red]edited")
    edited = shown("models/candidate")
    assert (edited.exit_code, edited.stderr) == (1, "")
    line = f"src/fit.py: the lock says {md5(b'fit')}, the workspace has {md5(b'[red]edited')}"
    assert "NOT VERIFIED: 1 difference\n" in edited.stdout
    assert edited.stdout.count(line) == 1
    in_file = shown("models/candidate", "--output", "trace.txt")
    assert (in_file.exit_code, in_file.stdout, in_file.stderr) == (1, "", f"warning: {line}\n")
    assert "not verified" in shown("models/candidate", "--no-verify").stdout

    wrong = shown("nothing/here")
    assert wrong.exit_code == 1
    assert wrong.stderr.startswith("error: nothing/here: must be a git revision")


@pytest.mark.parametrize("form", ["tree", "json", "prov", "openlineage"])
def test_the_command_writes_what_it_would_show(project: str, form: str) -> None:
    told = shown("models/candidate", "--format", form)
    assert told.exit_code == 0
    written = shown("models/candidate", "--format", form, "--output", "deep/trace.out")
    assert (written.exit_code, written.stdout) == (0, "")
    text = Path("deep/trace.out").read_text()
    if form == "tree":
        assert "source tracked by raw.dvc" in text
    else:
        assert text == told.stdout
        assert [json.loads(line) for line in (text.splitlines() if form == "openlineage" else [text])]
    assert shown("HEAD", "--format", form).stdout == shown("HEAD", "--format", form).stdout
