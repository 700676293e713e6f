"""An ingest that is killed, two at once, and files that come by ``dvc update`` from a bucket."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import boto3
import pytest

from pricetrail.base.errors import ContractError, OperationError
from pricetrail.base.params import parse_params
from pricetrail.operation.ingest import add_files
from pricetrail.operation.ingest.dvc_update import check_update
from pricetrail.operation.ingest.released_days import released
from pricetrail.operation.releases import trust
from pricetrail.operation.releases.keys import make_keys
from pricetrail.operation.weekly import clone, steps
from pricetrail.stages import etl_pipeline
from support.commands import environment
from support.source_project import FOLDER, POINTER, Project, folder_hash, ingest, make_project, week

pytestmark = pytest.mark.slow
W48 = week("2011-11-28", "2011-11-29", "2011-11-30")
W48_MENDED = week("2011-11-28", "2011-11-29", "2011-11-30", units=9)
W49 = week("2011-12-05", "2011-12-06", "2011-12-09")
W50 = week("2011-12-12", "2011-12-13")


@pytest.fixture
def project(one_week: Project, tmp_path: Path) -> Project:
    shutil.copytree(one_week.root, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


def die() -> None:
    """As ``kill -9`` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def half_copied() -> None:
    def copy(source: BinaryIO, target: BinaryIO) -> None:
        target.write(source.read(100))
        target.flush()
        die()

    shutil.copyfileobj = copy  # type: ignore[assignment]


def around_rename(*, after: bool) -> Callable[[], None]:
    def harm() -> None:
        rename = Path.replace

        def replace(self: Path, target: Path) -> Path:
            if self.suffix == ".csv" and not after:
                die()
            done = rename(self, target)
            if self.suffix == ".csv":
                die()
            return done

        Path.replace = replace  # type: ignore[assignment, method-assign]

    return harm


def before_dvc_add() -> None:
    add_files.dvc = lambda *_: die()  # type: ignore[assignment]


def after_dvc_add() -> None:
    add = add_files.dvc

    def dvc(*arguments: str) -> str:
        add(*arguments)
        die()
        return ""

    add_files.dvc = dvc  # type: ignore[assignment]


def before_commit() -> None:
    git = add_files.git
    add_files.git = lambda *a, **k: die() if a[0] == "commit" else git(*a, **k)  # type: ignore[assignment]


KILLS: dict[str, Callable[[], None]] = {
    "half of a file copied": half_copied,
    "before the first rename": around_rename(after=False),
    "after the first rename": around_rename(after=True),
    "before dvc add": before_dvc_add,
    "after dvc add": after_dvc_add,
    "before the commit": before_commit,
}


def started(project: Project, *arguments: str, fault: Callable[[], None] = lambda: None) -> int:
    """The pid of a process of its own that ingests; a fork, since imports take most of a command's time."""
    pid = os.fork()
    if pid == 0:
        code = 70
        try:
            os.chdir(project.root)
            fault()
            done = ingest(*arguments)
            (project.root / f".pricetrail/said{os.getpid()}").write_text(done.output)
            code = done.exit_code
        finally:
            os._exit(code)
    return pid


def ended(pid: int) -> int:
    """The exit code of a process, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name != "half of a file copied" else ()) for name in KILLS]
)
def test_the_next_ingest_completes_a_killed_one(project: Project, name: str) -> None:
    command = (project.give("w48.csv", W48_MENDED), project.give("w49.csv", W49))
    options = ("--restate", "till 3 was wrong", "--commit")
    before = project.named()
    assert ended(started(project, *command, *options, fault=KILLS[name])) == -signal.SIGKILL

    whole = {"w48.csv": {W48.encode(), W48_MENDED.encode()}, "w49.csv": {W49.encode()}}
    wanted = {"w48.csv": W48_MENDED.encode(), "w49.csv": W49.encode()}
    found = project.lines()
    assert all(content in whole[name] for name, content in found.items())
    assert project.named() in {before, folder_hash(wanted)}
    assert found["w48.csv"] == W48.encode() or "w48.csv" in project.restated()
    assert not [line for line in project.must("git", "status", "--porcelain").splitlines() if "incoming" in line]

    assert ended(started(project, *command, *options)) == 0
    assert project.lines() == wanted
    assert project.named() == folder_hash(wanted)
    assert project.restated() == {"w48.csv": "till 3 was wrong"}
    assert project.must("git", "status", "--porcelain") == ""
    assert project.must("git", "log", "-2", "--format=%s").splitlines()[1].startswith("Ingest 1 file, 2011-11-28")
    assert sorted(path.name for path in (project.root / "data").iterdir()) == [".gitignore", "lines", "lines.dvc"]


def test_the_ingest_of_another_file_completes_a_killed_one(project: Project) -> None:
    assert ended(started(project, project.give("w49.csv", W49), fault=before_dvc_add)) == -signal.SIGKILL
    assert ended(started(project, project.give("w50.csv", W50))) == 0
    assert set(project.lines()) == {"w48.csv", "w49.csv", "w50.csv"}
    assert project.named() == folder_hash(project.lines())


@pytest.mark.long
def test_of_two_ingests_at_once_one_waits_and_no_file_is_lost(project: Project) -> None:
    given = (project.give("a.csv", W49), project.give("b.csv", W50))
    with (project.root / ".pricetrail/ingest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        both = [started(project, path, "--commit") for path in given]
        time.sleep(1.5)
        assert [os.waitpid(pid, os.WNOHANG)[0] for pid in both] == [0, 0]
        assert project.lines() == {"w48.csv": W48.encode()}
        fcntl.flock(lock, fcntl.LOCK_UN)  # the forked processes hold the same file open
    assert [ended(pid) for pid in both] == [0, 0]
    assert project.lines() == {"w48.csv": W48.encode(), "a.csv": W49.encode(), "b.csv": W50.encode()}
    assert project.named() == folder_hash(project.lines())
    assert project.must("git", "log", "--format=%s").count("Ingest 1 file") == 3


@dataclass(frozen=True)
class Bucket:
    """A bucket of a local S3 server."""

    url: str
    client: Any
    keys: Mapping[str, str]  # variables of whoever may read it

    def put(self, name: str, text: str) -> None:
        self.client.put_object(Bucket="shop", Key=f"lines/{name}", Body=text.encode())


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    (tmp_path / "s3/shop").mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    keys = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "a secret of the test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    env = {**environment(), "NANIO_ACCESS_KEY": "key", "NANIO_SECRET_KEY": keys["AWS_SECRET_ACCESS_KEY"]}
    command = ["nanio", "serve", "--data-dir", str(tmp_path / "s3"), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    url = f"http://127.0.0.1:{port}"
    yield Bucket(url, boto3.client("s3", endpoint_url=url), keys)
    server.kill()
    server.wait()


def rows_of_etl() -> tuple[int, list[str]]:
    """What the stage reads of the source: rows and days."""
    etl_pipeline.main()
    tree = json.loads(Path("metrics/etl.json").read_text())
    return tree["rows_read"], tree["days"]


@pytest.mark.long
def test_an_imported_source_is_held_against_the_release(
    tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "project")
    monkeypatch.chdir(project.root)
    bucket.put("w48.csv", W48)
    project.must("dvc", "remote", "add", "-q", "src", "s3://shop")
    project.must("dvc", "remote", "modify", "src", "endpointurl", bucket.url)
    (project.root / "data").mkdir()
    project.must("dvc", "import-url", "-q", "remote://src/lines", FOLDER, **bucket.keys)
    assert rows_of_etl() == (6, ["2011-11-28", "2011-11-30"])
    project.release(1, "2011-11-30")

    bucket.put("w49.csv", W49)
    project.must("dvc", "update", "-q", POINTER, **bucket.keys)
    assert project.lines() == {"w48.csv": W48.encode(), "w49.csv": W49.encode()}
    assert [(file.name, file.counts.rows) for file in check_update(released())] == [("w49.csv", 6)]
    assert rows_of_etl() == (12, ["2011-11-28", "2011-12-09"])
    refused = ingest(project.give("w50.csv", W50))
    assert refused.exit_code == 1
    assert f"get them by `dvc update {POINTER}`" in refused.stderr
    project.commit()
    assert check_update(released()) == ()

    bucket.put("w48.csv", W48_MENDED)
    bucket.put("w50.csv", W50.replace("2011-12-13", "2011-13-13"))
    bucket.client.delete_object(Bucket="shop", Key="lines/w49.csv")
    project.must("dvc", "update", "-q", POINTER, **bucket.keys)
    told = [
        (OperationError, r"data/lines/w49.csv: must not go, since data/lines.dvc named it", "w49.csv: sent twice"),
        (ContractError, r"data/lines/w50.csv: row 4: invoiced_at must be a date and time", ""),
        (OperationError, r"data/lines/w48.csv: must not rewrite history: 2011-11-28 is already", "w48.csv: till 3"),
    ]
    named: list[str] = []
    for error, rule, reason in told:
        with pytest.raises(error, match=rule):
            check_update(released())
        if not reason:  # what breaks the contract has to be mended where it comes from
            bucket.put("w50.csv", W50)
            project.must("dvc", "update", "-q", POINTER, **bucket.keys)
            continue
        named.append(reason)
        params = (project.root / "params.yaml").read_text()
        text = re.sub(r"restated: \{.*?\}", f"restated: {{{', '.join(named)}}}", params)
        (project.root / "params.yaml").write_text(text)


@pytest.mark.long
@pytest.mark.attack
@pytest.mark.parametrize("day", ["2010-12-02", "2012-12-31"])
@pytest.mark.parametrize("named", [False, True], ids=["pins", "a named folder"])
def test_a_weekly_run_asks_whom_its_home_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, day: str, named: bool
) -> None:
    """The branch brings a stranger's key, and the clone, where it is checked out, has no pins."""
    project, given = make_project(tmp_path / "project"), tmp_path / "lines"
    given.mkdir()
    (given / "w48.csv").write_text(W48)
    (project.root / "data").mkdir()
    project.must("dvc", "import-url", "-q", str(given), FOLDER)
    project.release(1, "2011-11-30")
    if named:
        shutil.copytree(project.root / "keys", tmp_path / "trusted")
        monkeypatch.setenv(trust.VARIABLE, str(tmp_path / "trusted"))
    stranger = make_keys(tmp_path / "stranger")
    (project.root / "keys/new.pub.pem").write_bytes(stranger.public.read_bytes())
    project.release(99, day, stranger)
    weekly = parse_params((project.root / "params.yaml").read_text()).weekly.model_copy(update={"repository": "."})
    made = clone.make(project.root, weekly, tmp_path / "clone")
    if day < "2011-11-30":
        (given / "late.csv").write_text(week("2011-11-30", units=1))
        with pytest.raises(OperationError, match=r"2011-11-30 is already released \(price-model@v1\.0\.0 has the days"):
            steps.update_sources(made, 1)
    else:
        (given / "w49.csv").write_text(W49)
        assert steps.update_sources(made, 1) == (POINTER,)
        assert (made.folder / FOLDER / "w49.csv").read_text() == W49
    assert "price-model#production#99" in caplog.text
    assert not trust.pins_file(made.folder).exists()
