"""An ingest that is killed, two at once, and files that come by ``dvc update`` from a bucket."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from clone import environment
from house import ROOT
from pricetrail.errors import ContractError, OperationError
from pricetrail.operation.updates import check_update
from source_project import FOLDER, POINTER, Project, folder_hash, make_project, week

pytestmark = pytest.mark.slow
W48 = week("2011-11-28", "2011-11-29", "2011-11-30")
W48_MENDED = week("2011-11-28", "2011-11-29", "2011-11-30", units=9)
W49 = week("2011-12-05", "2011-12-06", "2011-12-09")
W50 = week("2011-12-12", "2011-12-13")
INGEST = ("python", "-m", "pricetrail.cli", "ingest")


@pytest.fixture(scope="module")
def one_week(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("faults") / "project")
    project.must(*INGEST, project.give("w48.csv", W48), "--commit")
    return project


@pytest.fixture
def project(one_week: Project, tmp_path: Path) -> Project:
    shutil.copytree(one_week.root, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project")


DIE = "os.kill(os.getpid(), signal.SIGKILL)"
KILLS = {  # what is replaced before the command runs; each ends the process as `kill -9` does
    "half of a file copied": f"""
def half(source, target, *rest):
    target.write(source.read(100)); target.flush(); {DIE}
shutil.copyfileobj = half""",
    "before the first rename": f"""
def before(self, target, rename=Path.replace):
    {DIE} if str(self).endswith(".csv") else rename(self, target)
Path.replace = before""",
    "after the first rename": f"""
def after(self, target, rename=Path.replace):
    rename(self, target)
    if str(self).endswith(".csv"): {DIE}
Path.replace = after""",
    "before dvc add": f"ingestion.dvc = lambda *a: {DIE}",
    "after dvc add": f"""
def after(*arguments, dvc=ingestion.dvc):
    dvc(*arguments); {DIE}
ingestion.dvc = after""",
    "before the commit": f"""
def before(*arguments, git=repository.git):
    if arguments[0] == "commit": {DIE}
    return git(*arguments)
repository.git = before""",
}
MAIN = """
import os, shutil, signal, sys
from pathlib import Path
from pricetrail import repository
from pricetrail.operation import ingestion
{fault}
from pricetrail.cli import app
app(sys.argv[1:])
"""


@pytest.mark.parametrize("fault", KILLS.values(), ids=KILLS)
def test_a_killed_ingest_leaves_whole_files_and_the_next_completes_it(project: Project, fault: str) -> None:
    command = ("ingest", project.give("w49.csv", W49), project.give("w48.csv", W48_MENDED))
    options = ("--restate", "till 3 was wrong", "--commit")
    before = project.named()
    done = project.run(sys.executable, "-c", MAIN.format(fault=fault), *command, *options)
    assert done.returncode == -signal.SIGKILL, done.stderr

    whole = {"w48.csv": {W48.encode(), W48_MENDED.encode()}, "w49.csv": {W49.encode()}}
    wanted = {"w48.csv": W48_MENDED.encode(), "w49.csv": W49.encode()}
    found = project.lines()
    assert all(content in whole[name] for name, content in found.items())
    assert project.named() in {before, folder_hash(wanted)}
    assert found == {"w48.csv": W48.encode()} or "w48.csv" in project.restated()
    assert not [line for line in project.must("git", "status", "--porcelain").splitlines() if "incoming" in line]

    project.must(sys.executable, "-c", MAIN.format(fault=""), *command, *options)
    assert project.lines() == wanted
    assert project.named() == folder_hash(wanted)
    assert project.restated() == {"w48.csv": "till 3 was wrong"}
    assert project.must("git", "status", "--porcelain") == ""
    assert project.must("git", "log", "-2", "--format=%s").splitlines()[1].startswith("Ingest 1 file, 2011-11-28")
    assert sorted(path.name for path in (project.root / "data").iterdir()) == [".gitignore", "lines", "lines.dvc"]


def test_the_ingest_of_another_file_completes_a_killed_one(project: Project) -> None:
    command = ("ingest", project.give("w49.csv", W49))
    done = project.run(sys.executable, "-c", MAIN.format(fault=KILLS["before dvc add"]), *command)
    assert done.returncode == -signal.SIGKILL
    project.must(*INGEST, project.give("w50.csv", W50))
    assert set(project.lines()) == {"w48.csv", "w49.csv", "w50.csv"}
    assert project.named() == folder_hash(project.lines())


def start(project: Project, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*INGEST, *arguments],
        cwd=project.root,
        env=environment(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_of_two_ingests_at_once_one_waits_and_no_file_is_lost(project: Project) -> None:
    with (project.root / ".pricetrail/ingest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        both = [start(project, project.give(name, text), "--commit") for name, text in (("a.csv", W49), ("b.csv", W50))]
        time.sleep(4)
        assert [process.poll() for process in both] == [None, None]
        assert project.lines() == {"w48.csv": W48.encode()}
    for process in both:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert project.lines() == {"w48.csv": W48.encode(), "a.csv": W49.encode(), "b.csv": W50.encode()}
    assert project.named() == folder_hash(project.lines())
    assert project.must("git", "log", "--format=%s").count("Ingest 1 file") == 3


@dataclass(frozen=True)
class Bucket:
    """A bucket of a local S3 server."""

    url: str
    client: Any

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
    env = {**environment(ROOT), "NANIO_ACCESS_KEY": "key", "NANIO_SECRET_KEY": keys["AWS_SECRET_ACCESS_KEY"]}
    command = ["nanio", "serve", "--data-dir", str(tmp_path / "s3"), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    url = f"http://127.0.0.1:{port}"
    yield Bucket(url, boto3.client("s3", endpoint_url=url))
    server.kill()
    server.wait()


def rows_of_etl(project: Project) -> tuple[int, list[str]]:
    """What the stage reads of the source: rows and days."""
    project.must("python", "-m", "pricetrail.stages.etl_pipeline")
    tree = json.loads((project.root / "metrics/etl.json").read_text())
    return tree["rows_read"], tree["days"]


def test_an_imported_source_is_updated_and_held_against_the_release(
    one_week: Project, tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "project")
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("PATH", environment(ROOT)["PATH"])
    bucket.put("w48.csv", W48)
    project.must("dvc", "remote", "add", "-q", "src", "s3://shop")
    project.must("dvc", "remote", "modify", "src", "endpointurl", bucket.url)
    (project.root / "data").mkdir()
    project.must("dvc", "import-url", "-q", "remote://src/lines", FOLDER)
    assert rows_of_etl(project) == (6, ["2011-11-28", "2011-11-30"])
    project.release("price-model#production#1", "2011-11-30")

    bucket.put("w49.csv", W49)
    project.must("dvc", "update", "-q", POINTER)
    assert project.lines() == {"w48.csv": W48.encode(), "w49.csv": W49.encode()}
    assert [(file.name, file.rows) for file in check_update()] == [("w49.csv", 6)]
    assert rows_of_etl(project) == (12, ["2011-11-28", "2011-12-09"])
    refused = project.run(*INGEST, project.give("w50.csv", W50))
    assert refused.returncode == 1
    assert f"get them by `dvc update {POINTER}`" in refused.stderr
    project.commit()
    assert check_update() == ()

    bucket.put("w48.csv", W48_MENDED)
    project.must("dvc", "update", "-q", POINTER)
    with pytest.raises(OperationError, match=r"data/lines/w48.csv: must not rewrite history: 2011-11-28 is already"):
        check_update()
    params = project.root / "params.yaml"
    params.write_text(params.read_text().replace("restated: {}", "restated: {w48.csv: till 3 was wrong}"))
    assert [file.name for file in check_update()] == ["w48.csv"]

    bucket.client.delete_object(Bucket="shop", Key="lines/w49.csv")
    bucket.put("w50.csv", W50.replace("2011-12-13", "2011-13-13"))
    project.must("dvc", "update", "-q", POINTER)
    with pytest.raises(OperationError, match=r"data/lines/w49.csv: must not go, since data/lines.dvc named it"):
        check_update()
    (project.root / FOLDER / "w48.csv").unlink()
    params.write_text(params.read_text().replace("{w48.csv", "{w49.csv: sent by mistake, w48.csv"))
    with pytest.raises(ContractError, match=r"data/lines/w50.csv: row 4: invoiced_at must be a date and time"):
        check_update()
