"""Replay: real git and DVC in a project of two stages, whose bytes are known by hand."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from pricetrail.base import dvc_hashes
from pricetrail.base.errors import PricetrailError
from pricetrail.base.processes import matching
from pricetrail.lineage import dvc_cache
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.lock import parse_source
from pricetrail.lineage.replay import Replay, installed_otherwise, replay
from pricetrail.lineage.replay_clone import Origin
from pricetrail.lineage.trace import trace
from pricetrail.operation.releases.make import is_release_due, require_releasable
from support.clone import Clone
from support.commands import PYTHON, environment
from support.source_tree import ROOT

pytestmark = pytest.mark.usefixtures("fast_dvc")

PIPELINE = """
stages:
  join:
    cmd: cat raw/*.csv > joined.txt
    deps: [raw, src/tool.py]
    params: [word]
    outs: [joined.txt]
  count:
    cmd: python src/tool.py
    deps: [joined.txt, src/tool.py]
    outs:
      - count.json: {cache: false}
"""
TOOL = """
import json, pathlib
lines = pathlib.Path("joined.txt").read_text().count(chr(10))
pathlib.Path("count.json").write_text(json.dumps({"lines": lines}))
"""
RAW = {"a.csv": "1\n2\n", "b.csv": "3\n"}


def md5_of(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


JOINED, COUNT = md5_of("1\n2\n3\n"), md5_of('{"lines": 3}')
RAW_LIST = [{"md5": md5_of(text), "relpath": name} for name, text in RAW.items()]
RAW_MD5 = f"{md5_of(json.dumps(RAW_LIST))}.dir"
FAILS = "import os, sys\nif {}:\n    sys.exit('out of luck')\n"


def damage(store: Path) -> None:
    """Other bytes under the name of ``b.csv``."""
    path = store / "files/md5" / md5_of("3\n")[:2] / md5_of("3\n")[2:]
    path.chmod(0o644)
    path.write_text("4\n")


class Project(Clone):
    """A tiny project; commands run this repository's code, stages that of the project."""

    def cli(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return self.run("pricetrail", *arguments, PYTHONPATH=str(ROOT / "src"), COLUMNS="200", **env)

    def replay(self, rev: str = "HEAD", **options: Any) -> Replay:
        with chdir(self.folder):
            return replay(rev, **options)

    def error(self, rev: str = "HEAD", **options: Any) -> str:
        with pytest.raises(PricetrailError) as error:
            self.replay(rev, **options)
        return str(error.value)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))


def verdicts(found: Replay) -> dict[str, str]:
    return {output.path: output.verdict for output in found.outputs}


IDENTICAL = {"joined.txt": "identical", "count.json": "identical"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "shop"
    for name, text in {"dvc.yaml": PIPELINE, "params.yaml": "word: x\n", "src/tool.py": TOOL}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "raw").mkdir()
    for name, text in RAW.items():
        (folder / "raw" / name).write_text(text)
    project = Project(folder)
    project.must("git", "init", "-q", "-b", "main")
    project.must("dvc", "init", "-q")
    project.must("dvc", "add", "-q", "raw")
    project.must("dvc", "remote", "add", "-q", "-d", "store", "../store")
    project.must("dvc", "repro", "-q")
    project.commit()
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Project:
    """A finished, committed run, whose remote is a relative path and empty."""
    shutil.copytree(template, tmp_path / "shop", symlinks=True)
    return Project(tmp_path / "shop")


def test_a_run_comes_out_again_and_nothing_else_is_touched(project: Project, tmp_path: Path) -> None:
    own = tmp_path / "temporary"  # other tests replay at the same time
    own.mkdir()
    (project.folder / "joined.txt").unlink()  # no output of the run is needed, on disk or in the cache
    shutil.rmtree(project.folder / ".dvc/cache/files/md5" / JOINED[:2])
    done = project.cli("replay", "HEAD", "--json", TMPDIR=str(own))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["outputs"] == [
        {"stage": "join", "path": "joined.txt", "recorded": JOINED, "rebuilt": JOINED, "committed": None,
         "verdict": "identical"},
        {"stage": "count", "path": "count.json", "recorded": COUNT, "rebuilt": COUNT, "committed": COUNT,
         "verdict": "identical"},
    ]  # fmt: skip
    assert (found["percent"], found["stopped_at"], found["packages"]) == (100.0, [], [])
    assert found["origins"] == [{"path": "raw", "md5": RAW_MD5, "source": "cache"}]
    assert [line.split("s  ")[1] for line in done.stderr.splitlines()][1:] == [
        "raw data raw",
        "stage join",
        "stage count",
    ]
    assert project.must("git", "status", "--porcelain") == ""
    assert not (project.folder / ".dvc/cache/files/md5" / JOINED[:2]).exists()
    assert not list(own.glob("pricetrail-replay-*"))


@pytest.mark.long
def test_a_stage_that_is_not_deterministic_is_told(project: Project) -> None:
    project.edit("dvc.yaml", "python src/tool.py", "python src/tool.py; date +%N > count.json")
    project.must("dvc", "repro", "-q")
    project.commit()
    done = project.cli("replay", "HEAD")
    assert done.returncode == 1
    assert "1 of 2 outputs" in done.stdout
    assert "(50 %)" in done.stdout
    assert "first to differ: count: same inputs, other outputs" in done.stdout
    assert verdicts(project.replay(only=["join"])) == {"joined.txt": "identical"}


def test_raw_data_comes_from_the_remote_if_the_cache_is_bad(project: Project) -> None:
    project.must("dvc", "push", "-q", "raw.dvc")
    damage(project.folder / ".dvc/cache")
    found = project.replay()
    assert verdicts(found) == IDENTICAL
    assert found.origins == (Origin("raw", RAW_MD5, "remote"),)


def test_raw_data_that_is_nowhere_is_an_error_with_path_and_hash(project: Project) -> None:
    shutil.rmtree(project.folder / ".dvc/cache")
    lost = f"raw: raw data {RAW_MD5} must be in the cache or a remote: not in the cache, and "
    assert project.error() == f"{lost}not in the remote"
    project.must("dvc", "remote", "remove", "store")
    assert project.error() == f"{lost}there is no remote"


def test_a_lock_or_an_output_that_was_edited_by_hand_is_told(project: Project) -> None:
    project.edit("dvc.lock", f"md5: {JOINED}", f"md5: {'0' * 32}")  # both where it is made and where it is read
    (project.folder / "count.json").write_text('{"lines": 4}')
    project.commit()
    found = project.replay()
    assert verdicts(found) == {"joined.txt": "differs", "count.json": "altered"}
    assert (found.percent, found.is_identical) == (0.0, False)


def test_what_cannot_be_replayed_is_one_line(project: Project) -> None:
    done = project.cli("replay", "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: revision: must be a commit, branch or tag that git knows, got 'nowhere'\n"
    assert "must record stage fit; it records count, join" in project.error(only=["fit"])
    assert "must be a new folder, or an empty one" in project.error(keep=Path("raw"))
    project.must("git", "rm", "-q", "raw.dvc")
    project.commit()
    assert "raw: must be tracked by git or DVC (dvc add) to be replayed; join reads it" in project.error()
    project.must("git", "rm", "-q", "dvc.lock")
    project.commit()
    assert "dvc.lock: must be there: no run is recorded" in project.error()


@pytest.mark.slow
@pytest.mark.long
def test_an_older_commit_runs_its_own_code_params_and_data(project: Project) -> None:
    project.must("git", "tag", "v1")
    project.edit("src/tool.py", '"lines": lines', '"lines": -lines')
    (project.folder / "raw" / "c.csv").write_text("4\n5\n")
    project.must("dvc", "add", "-q", "raw")
    project.must("dvc", "repro", "-q")
    project.commit()
    assert [output.rebuilt for output in project.replay("v1").outputs] == [JOINED, COUNT]
    expected = [md5_of("1\n2\n3\n4\n5\n"), md5_of('{"lines": -5}')]
    assert [output.rebuilt for output in project.replay().outputs] == expected


@pytest.mark.slow
@pytest.mark.long
def test_a_remote_that_is_down_or_damaged_is_an_error(project: Project) -> None:
    project.must("dvc", "push", "-q", "raw.dvc")
    shutil.rmtree(project.folder / ".dvc/cache")
    damage(project.folder.parent / "store")
    assert project.error() == f"raw: must have the bytes that raw.dvc names: {RAW_MD5}"
    project.must("dvc", "remote", "add", "-q", "-d", "far", "s3://nowhere/dvc")
    project.must("dvc", "remote", "modify", "--local", "far", "endpointurl", "http://127.0.0.1:9")
    assert "and the remote cannot be reached: failed to connect to s3" in project.error()


@pytest.mark.slow
def test_a_lock_older_than_the_code_names_the_file(project: Project) -> None:
    project.edit("src/tool.py", '"lines": lines', '"lines": lines + 1')
    project.commit()
    found = project.replay()
    assert verdicts(found) == {"joined.txt": "identical", "count.json": "differs"}
    assert [stage.causes for stage in found.difference.stages] == [("code src/tool.py",)] * 2


@pytest.mark.slow
@pytest.mark.long
def test_a_stage_that_fails_now_shows_its_last_line_and_log(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.edit("src/tool.py", "import json", FAILS.format("'FAIL' in os.environ") + "import json")
    project.must("dvc", "repro", "-q")
    project.commit()
    assert verdicts(project.replay()) == IDENTICAL
    monkeypatch.setenv("FAIL", "1")
    monkeypatch.setenv("PRICETRAIL_STAGE_VARIABLES", "FAIL")  # else no stage would know it
    head, _, log = project.error().removesuffix(")").partition(" (log: ")
    assert head == "stage count: must succeed as it did then: out of luck"
    assert "out of luck" in Path(log).read_text()
    assert project.must("git", "status", "--porcelain") == ""


@pytest.mark.slow
@pytest.mark.long
def test_a_gate_that_stops_as_recorded_is_a_faithful_replay(project: Project) -> None:
    """Of a first run that stopped, the lock has no later stage; of a later one, it has those of an earlier run."""
    project.edit("src/tool.py", "import json", FAILS.format("int(open('params.yaml').read()[6:]) > 1") + "import json")
    project.edit("dvc.yaml", "deps: [joined.txt, src/tool.py]", "deps: [joined.txt, src/tool.py]\n    params: [word]")
    project.edit("params.yaml", "word: x", "word: 2")
    (project.folder / "dvc.lock").unlink()
    assert project.run("dvc", "repro").returncode != 0
    project.commit()
    found = project.replay()
    assert (found.percent, found.stopped_at, found.earlier) == (100.0, ("count",), ())
    project.edit("params.yaml", "word: 2", "word: 1")
    project.must("dvc", "repro")
    project.edit("params.yaml", "word: 1", "word: 3")
    assert project.run("dvc", "repro").returncode != 0
    project.commit()
    found = project.replay()
    assert (found.percent, found.stopped_at, found.earlier) == (100.0, ("count",), ("count",))


@pytest.mark.slow
@pytest.mark.long
def test_a_kept_clone_holds_the_rebuilt_files_and_no_credentials(project: Project, tmp_path: Path) -> None:
    project.must("dvc", "push", "-q", "raw.dvc")
    project.must("dvc", "remote", "modify", "--local", "store", "verify", "true")
    shutil.rmtree(project.folder / ".dvc/cache")
    assert verdicts(project.replay(keep=tmp_path / "kept")) == IDENTICAL
    assert (tmp_path / "kept/joined.txt").read_text() == "1\n2\n3\n"
    assert "store" not in (tmp_path / "kept/.dvc/config.local").read_text()


@pytest.mark.slow
@pytest.mark.long
def test_a_replay_that_is_killed_leaves_no_folder_and_no_process(project: Project, tmp_path: Path) -> None:
    project.edit("dvc.yaml", "python src/tool.py", "python src/tool.py && sleep ${wait}")
    project.edit("params.yaml", "word: x", "word: x\nwait: 0.01")
    project.must("dvc", "repro", "-q")
    project.edit("dvc.yaml", "sleep ${wait}", "sleep 98.7654")
    project.commit()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = environment(project.folder, PYTHONPATH=str(ROOT / "src"), TMPDIR=str(temporary))
    command = [PYTHON, "-m", "pricetrail.cli", "replay", "HEAD"]
    process = subprocess.Popen(command, cwd=project.folder, env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "stage count" in line:
            break
    deadline = time.monotonic() + 20
    while not _sleepers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _sleepers()
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert list(temporary.rglob("*")) == []
    assert not _sleepers()


def _sleepers() -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes()
        except OSError:
            continue  # it ended between the listing and the look
        found += [file.parent.name] if command == b"sleep\x0098.7654\x00" else []
    return found


def test_packages_that_are_not_here_as_pinned_are_told() -> None:
    told = installed_otherwise("hypothesis==0.1\nno-such-package==1.0\npytest==" + pytest.__version__)
    assert [(change.name, change.kind, change.old) for change in told] == [
        ("hypothesis", "changed", "0.1"),
        ("no-such-package", "removed", "1.0"),
    ]
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    assert installed_otherwise("\n".join(line for line in lines if line.startswith(("torch==", "dvc==")))) == ()


def test_the_hash_of_a_folder_is_the_one_dvc_gives_it(project: Project) -> None:
    for name in ("a/x", "a-b/x", "a.b", "A", "a/é/z", "ab/x y", "a/é/empty"):
        path = project.folder / "many" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if name.endswith("empty") else name)
    project.must("dvc", "add", "-q", "many")
    (recorded,) = parse_source((project.folder / "many.dvc").read_text(), "many.dvc").outs.values()
    assert dvc_hashes.md5_of(project.folder / "many") == recorded
    files = dvc_cache.listing(project.folder / ".dvc/cache", recorded)
    assert files == dvc_hashes.list_folder(project.folder / "many")


@pytest.mark.slow
@pytest.mark.long
def test_a_run_of_the_shop_comes_out_again(copy: Clone) -> None:
    shutil.rmtree(copy.folder / ".dvc/cache")
    done = copy.run(sys.executable, "-m", "pricetrail.cli", "replay", "HEAD", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["percent"] == 100.0
    expected = {(stage, path): md5 for stage, outs in copy.lock().items() for path, md5 in outs.items()}
    assert {(output["stage"], output["path"]): output["rebuilt"] for output in found["outputs"]} == expected
    assert copy.must("git", "status", "--porcelain") == ""


# the code of others

HOSTILE = """
import json, os, pathlib, subprocess
loot = pathlib.Path({loot!r})
(loot / "environment").write_text(json.dumps(dict(os.environ)))
subprocess.Popen(["setsid", "env", "-i", "sh", "-c", "cd /; (while true; do sleep 0.1; done) &", {name!r}],
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()
"""
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "s",
    "GITHUB_TOKEN": "s",
    "PRICETRAIL_RELEASE_KEY": "/k",
    "PRICETRAIL_WEBHOOK_URL": "s",
}
SHADOW = "open({loot!r} + '/shadow', 'w').close()\nraise ImportError('not the real one')\n"


@pytest.fixture
def hostile(project: Project, tmp_path: Path) -> Iterator[tuple[Project, Path]]:
    """A project that knows a branch of somebody else, with what is to be told of it; raw data is in the remote."""
    loot = tmp_path / "loot"
    loot.mkdir()
    project.must("dvc", "push", "-q", "raw.dvc")
    project.must("git", "checkout", "-q", "-b", "theirs")
    hidden = f"daemon-of-{tmp_path}"
    (project.folder / "src/tool.py").write_text(HOSTILE.format(loot=str(loot), name=hidden) + TOOL)
    (project.folder / "dvc").mkdir()
    (project.folder / "dvc/__init__.py").write_text(SHADOW.format(loot=str(loot)))
    project.commit()
    project.must("git", "checkout", "-q", "main")
    shutil.rmtree(project.folder / ".dvc/cache")
    yield Project(project.folder, fast=False), loot
    for process in matching(lambda process: hidden in process.cmdline()):
        process.kill()


@pytest.mark.attack
@pytest.mark.slow
@pytest.mark.parametrize("rev", ["theirs", "theirs~0"])
def test_code_of_another_history_does_not_run_unasked(rev: str, hostile: tuple[Project, Path]) -> None:
    project, loot = hostile
    done = project.cli("replay", rev)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: replay: must be told to run code that is not in the history of HEAD: add --yes, got '{rev}'\n"
    )
    assert not list(loot.iterdir())


@pytest.mark.attack
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("answer", ["n", "y"])
def test_a_person_is_asked_before_others_code_runs(answer: str, hostile: tuple[Project, Path]) -> None:
    project, loot = hostile
    keys, terminal = pty.openpty()
    os.write(keys, f"{answer}\n".encode())
    command, env = [PYTHON, "-m", "pricetrail.cli", "replay", "theirs"], environment(ROOT)
    done = subprocess.run(command, cwd=project.folder, env=env, stdin=terminal, capture_output=True, text=True)
    assert "Replay runs the code of 'theirs' with your rights" in done.stderr, done.stderr
    assert (loot / "environment").exists() == (answer == "y")
    assert answer == "y" or (done.returncode == 1 and "Traceback" not in done.stderr)


@pytest.mark.attack
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("what", [*SECRETS, "shadow", "daemon"])
def test_a_replay_gives_no_secret_and_leaves_nobody(what: str, hostile: tuple[Project, Path]) -> None:
    project, loot = hostile
    done = project.cli("replay", "theirs", "--yes", **SECRETS)
    assert (loot / "environment").exists(), done.stderr
    if what == "daemon":
        assert not matching(lambda process: f"daemon-of-{loot.parent}" in process.cmdline())
    elif what == "shadow":
        assert not (loot / "shadow").exists()
    else:
        assert what not in json.loads((loot / "environment").read_text())


@pytest.mark.attack
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("command", ["trace theirs:count.json", "trace count.json --rev theirs", "why HEAD theirs"])
def test_looking_at_a_revision_runs_none_of_its_code(command: str, hostile: tuple[Project, Path]) -> None:
    project, loot = hostile
    done = project.cli(*command.split())
    assert "Traceback" not in done.stderr
    assert done.stdout
    assert not list(loot.iterdir())


@pytest.mark.parametrize(
    "look",
    [
        lambda: replay(""),
        lambda: trace(""),
        lambda: trace(":count.json"),
        lambda: Commit.of(""),
        lambda: is_release_due(Path(), ""),
        lambda: require_releasable(Path(), ""),
    ],
)
def test_no_revision_is_not_the_workspace(look: Callable[[], object], project: Project) -> None:
    with chdir(project.folder), pytest.raises(PricetrailError) as error:
        look()
    assert str(error.value) == "revision: must be a commit, branch or tag that git knows, got ''"


@pytest.mark.parametrize("command", [["trace", "--rev", ""], ["why", ""], ["replay", ""], ["release", "--rev", ""]])
def test_no_revision_is_one_line_on_the_terminal(command: list[str], project: Project) -> None:
    done = project.cli(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: revision: must be a commit, branch or tag that git knows, got ''\n"
