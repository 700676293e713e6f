"""The doctor: each thing that can be wrong is made wrong, and told with what to do about it."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from pricetrail.operation.doctor import checks, machine
from pricetrail.operation.doctor.findings import Check, Finding, State, examined
from pricetrail.operation.releases.remote_probe import LIMITS, opened
from pricetrail.operation.servers import s3
from support.commands import environment, free_port, must
from support.http_server import served
from support.small_project import OBJECTS, make_project, pricetrail
from support.tiny_project import make_tiny_project

pytestmark = pytest.mark.usefixtures("fast_dvc")

MINE = {"access_key_id": "mine", "secret_access_key": "mine-and-nobody-elses"}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("pristine") / "project")


@pytest.fixture
def project(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy whose embedded server, where one was started, is stopped."""
    for name in set(os.environ) - set(environment()):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    copy = shutil.copytree(pristine, tmp_path / "project", symlinks=True)
    endpoint(copy, free_port())
    yield copy
    found = s3.embedded(copy) if (copy / ".dvc/config").exists() else None
    if found is not None:
        found.stop()


def endpoint(project: Path, port: int) -> None:
    file = project / ".dvc/config"
    file.write_text(re.sub(r"endpointurl = .*", f"endpointurl = http://127.0.0.1:{port}", file.read_text()))


def found(name: str, project: Path) -> Finding:
    return examined(next(check for check in checks.CHECKS if check.name == name), project)


def use_folder(project: Path, folder: Path) -> None:
    (project / ".dvc/config").write_text(f"[core]\n    remote = shelf\n['remote \"shelf\"']\n    url = {folder}\n")


SKEWED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>RequestTimeTooSkewed</Code>
<Message>The difference between the request time and the current time is too large.</Message></Error>"""


class OfAnotherTime(BaseHTTPRequestHandler):
    """Answers as AWS does where the clock is 15 minutes off."""

    protocol_version = "HTTP/1.1"  # S3's clients wait for "100 Continue"

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(403)
        self.send_header("Content-Length", str(len(SKEWED)))
        self.end_headers()
        self.wfile.write(SKEWED)

    do_GET = do_PUT  # noqa: N815


@pytest.mark.long
def test_a_sound_project_passes_and_nothing_of_the_probe_is_left(project: Path) -> None:
    """A fresh clone: the embedded server starts, and only the push is missing."""
    done = pricetrail(project, "doctor", "--json")
    findings = {entry["check"]: entry for entry in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(findings) == [check.name for check in checks.CHECKS]
    assert {name for name, entry in findings.items() if entry["state"] == "failed"} == set()
    assert findings["remote"]["state"] == findings["keys"]["state"] == "ok"
    assert findings["lock"]["found"] == f"{OBJECTS} of {OBJECTS} objects are not in s3://pricetrail/dvc"
    assert findings["lock"]["advice"] == "dvc push"
    bucket = project / ".s3/data/pricetrail"
    assert [path for path in bucket.rglob("*") if path.is_file()] == []
    secret = re.search(r"secret_access_key = (\S+)", (project / ".dvc/config.local").read_text())
    assert secret
    assert secret[1] not in done.stdout + done.stderr


def test_an_object_lost_in_the_remote_is_found_though_dvc_trusts(project: Path) -> None:
    s3.ensure_running(project)
    must(project, "dvc", "push", "-q")
    assert found("lock", project).found == f"all {OBJECTS} objects are in s3://pricetrail/dvc"
    kept = project / ".s3/data/pricetrail/dvc/files/md5"
    member = next(path for path in kept.rglob("*") if path.is_file() and path.read_bytes() == b"two")
    member.unlink()
    assert "in sync" in must(project, "dvc", "status", "-c")  # why the check asks for each object
    finding = found("lock", project)
    assert (finding.state, finding.found) == (State.WARNING, f"1 of {OBJECTS} objects are not in s3://pricetrail/dvc")
    in_cache = project / ".dvc/cache/files/md5" / member.parent.name / member.name
    in_cache.unlink()
    finding = found("lock", project)
    assert finding.state == State.FAILED
    assert f"first {member.parent.name}{member.name}" in finding.found


@pytest.mark.long
def test_wrong_keys_are_told_and_not_shown(project: Path) -> None:
    s3.ensure_running(project)
    s3.edit_local_config(project, {"remote.s3.secret_access_key": "another-secret"})
    done = pricetrail(project, "doctor")
    lines = {line[9:19].strip(): line for line in done.stdout.splitlines() if not line.startswith(" ")}
    assert done.returncode == 1
    assert lines["remote"].startswith("failed")
    assert "docs/aws.md" in done.stdout
    assert lines["disk"].startswith(("ok", "warning"))  # the checks after it still ran
    assert "another-secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_foreign_server_that_is_down_is_told_in_seconds(project: Path) -> None:
    port = free_port()
    endpoint(project, port)
    s3.edit_local_config(project, {f"remote.s3.{key}": value for key, value in MINE.items()})
    started = time.monotonic()
    findings = {finding.check: finding for finding in checks.examine(project)}
    assert time.monotonic() - started < 30
    assert {name for name, f in findings.items() if f.state == State.FAILED} == {"remote", "lock", "releases"}
    assert f"127.0.0.1:{port}" in findings["remote"].found
    assert "start that server" in findings["remote"].advice
    assert not (project / ".s3").exists()
    assert findings["keys"].state == State.OK


@pytest.mark.long
def test_no_keys_for_a_bucket_elsewhere(project: Path) -> None:
    must(project, "dvc", "remote", "add", "--default", "aws", "s3://shop/dvc")
    assert found("remote", project).state == State.FAILED
    assert "AWS_ACCESS_KEY_ID" in found("remote", project).advice


def test_a_clock_that_the_server_refuses(project: Path) -> None:
    with served(OfAnotherTime) as address:
        endpoint(project, int(address.rpartition(":")[2]))
        s3.edit_local_config(project, {f"remote.s3.{key}": value for key, value in MINE.items()})
        finding = found("remote", project)
    assert finding.state == State.FAILED
    assert "set the clock" in finding.advice


@pytest.mark.long
def test_a_folder_as_remote(project: Path, tmp_path: Path) -> None:
    use_folder(project, tmp_path / "shelf")
    assert found("remote", project).state == State.OK
    assert [path for path in (tmp_path / "shelf").rglob("*") if path.is_file()] == []
    assert found("verify", project).state == State.FAILED
    must(project, *found("verify", project).advice.split())
    assert found("verify", project).state == State.OK
    must(project, *found("lock", project).advice.split())
    assert found("lock", project).state == State.OK


def test_a_store_that_gives_other_bytes_back(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_folder(project, tmp_path / "shelf")
    monkeypatch.setattr("dvc_objects.fs.base.FileSystem.cat_file", lambda *_: b"truncated")
    assert found("remote", project).state == State.FAILED
    assert "other bytes" in found("remote", project).found


def test_a_probe_that_fails_in_the_middle_leaves_nothing(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_folder(project, tmp_path / "shelf")

    def refuse(*_: object) -> bytes:
        raise PermissionError("Access Denied")

    monkeypatch.setattr("dvc_objects.fs.base.FileSystem.cat_file", refuse)
    finding = found("remote", project)
    assert finding.state == State.FAILED
    assert "must let an object be read: PermissionError: Access Denied" in finding.found
    assert [path for path in (tmp_path / "shelf").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("gib", "state"), [(9.0, State.OK), (4.9, State.WARNING), (0.9, State.FAILED)])
def test_a_full_disk(project: Path, monkeypatch: pytest.MonkeyPatch, gib: float, state: State) -> None:
    free = int(gib * 1024**3)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(free * 3, free * 2, free))
    finding = found("disk", project)
    assert (finding.state, f"{gib} GiB free" in finding.found) == (state, True)


def test_packages_against_the_lock(project: Path) -> None:
    lock = project / "requirements.lock"
    assert found("packages", project).state == State.OK
    lock.write_text(re.sub(r"(?m)^(boto\w*|rich|zc\.lockfile)==.*", r"\1==0.0.1", lock.read_text()))
    finding = found("packages", project)
    assert (finding.state, finding.found.split(",")[0]) == (State.WARNING, "3 of 282 differ")
    assert re.search(r"first botocore [\d.]+, locked 0\.0\.1", finding.found)
    lock.write_text(lock.read_text() + "not-to-be-had==1.0\n")
    assert found("packages", project).found == "4 of 283 differ, first not-to-be-had is not installed, locked 1.0"
    assert found("packages", project).state == State.FAILED


def test_the_demo_shop_is_not_missed_where_nothing_reads_it(tmp_path: Path) -> None:
    tiny = make_tiny_project(tmp_path / "w")
    entry = "hash: md5, md5: 0123456789abcdef0123456789abcdef"
    lock = "schema: '2.0'\nstages: {{{name}: {{cmd: 'true', {what}: [{{path: {path}, {entry}}}]}}}}\n"
    tiny.commit("demo/dvc.lock", lock.format(name="simulate", what="outs", path="lines.txt", entry=entry), push=False)
    assert found("lock", tiny.folder).found.startswith("all 1 objects are in ")
    tiny.commit("dvc.lock", lock.format(name="read", what="deps", path="demo/lines.txt", entry=entry), push=False)
    assert found("lock", tiny.folder).state == State.FAILED


@pytest.mark.operation_case
def test_a_lock_of_other_lines_stops_nobody(project: Path) -> None:
    """The lock that ships is of a demo shop that nobody here ever had; the next run makes it anew."""
    entry = "hash: md5, md5: 0123456789abcdef0123456789abcdef"
    stage = f"etl_pipeline: {{cmd: 'true', deps: [{{path: PATH, {entry}}}], outs: [{{path: data/x, {entry}}}]}}"
    for path, state in (("data/lines", State.WARNING), ("demo/lines", State.FAILED)):
        (project / "dvc.lock").write_text(f"schema: '2.0'\nstages: {{{stage.replace('PATH', path)}}}\n")
        must(project, "git", "commit", "-qam", path)
        assert found("lock", project).state == state


def test_tools(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("tools", project).found.startswith("git, dvc, make on the path; Python 3.")
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = found("tools", project)
    assert finding.state == State.FAILED
    assert finding.found.startswith("no git on the path; no dvc on the path; no make on the path")
    monkeypatch.setattr(machine, "PYTHON", (3, 9))
    assert "not 3.9" in found("tools", project).found


def test_params_that_are_not_right_stop_no_other_check(project: Path, tmp_path: Path) -> None:
    use_folder(project, tmp_path / "shelf")
    file = project / "params.yaml"
    file.write_text(file.read_text().replace("timezone: Europe/London", "timezone: Europe/Londinium"))
    findings = {finding.check: finding for finding in checks.examine(project)}
    assert findings["schedule"].found == (
        "params.yaml: weekly.timezone must be a time zone of the IANA list, such as Europe/London, "
        "got 'Europe/Londinium'"
    )
    assert {name for name, f in findings.items() if f.state == State.FAILED} == {
        "place",
        "repository",
        "schedule",
        "verify",
    }
    assert len(findings) == len(checks.CHECKS)


def test_whatever_a_check_raises_is_one_line(project: Path) -> None:
    def breaks(_: Path) -> object:
        raise RuntimeError("first of https://bot:s3cret@host/x\nsecond\nthird")

    finding = examined(Check("odd", breaks, "try again"), project)  # type: ignore[arg-type]
    assert finding == Finding(
        State.FAILED, "RuntimeError: first of https://***@host/x second third", "try again", check="odd"
    )


def test_keys_that_others_can_read(project: Path) -> None:
    assert found("keys", project).state == found("remote", project).state == State.OK
    local = project / ".dvc/config.local"
    assert stat.S_IMODE(local.stat().st_mode) == 0o600
    local.chmod(0o640)
    finding = found("keys", project)
    assert (finding.state, finding.advice) == (State.FAILED, "chmod 600 .dvc/config.local")
    must(project, *finding.advice.split())
    assert found("keys", project).state == State.OK
    must(project, "dvc", "remote", "modify", "s3", "secret_access_key", "told-to-everyone")
    finding = found("keys", project)
    assert finding.state == State.FAILED
    assert "secret_access_key" in finding.found
    assert "told-to-everyone" not in finding.found + finding.advice


def test_the_repository_that_a_run_publishes_to(project: Path, tmp_path: Path) -> None:
    file, text = project / "params.yaml", (project / "params.yaml").read_text()
    head = must(project, "git", "rev-parse", "--short=7", "HEAD").strip()
    assert found("repository", project).found == f". answers, branch main at {head}"
    file.write_text(text.replace('branch: ""', "branch: weekly"))
    assert found("repository", project).found == (
        ".: must have branch weekly, and has main: set weekly.branch in params.yaml, or push that branch"
    )
    must(project, "git", "clone", "-q", "--bare", ".", str(tmp_path / "origin.git"))
    must(tmp_path / "origin.git", "git", "branch", "weekly")
    file.write_text(
        text.replace('repository: "."', "repository: ../origin.git").replace('branch: ""', "branch: weekly")
    )
    told = found("repository", project)
    assert told.found.startswith(f"../origin.git answers, branch weekly at {head}; git push: must go to the branch")
    assert told.state == State.WARNING, "what is checked out is another one"
    away = f"http://bot:s3cret@127.0.0.1:{free_port()}/x.git"
    file.write_text(text.replace('repository: "."', f"repository: {away}"))
    finding = found("repository", project)
    assert finding.state == State.FAILED
    assert "s3cret" not in finding.found


@pytest.mark.operation_case
def test_a_commit_that_is_checked_out_instead_of_a_branch(project: Path) -> None:
    must(project, "git", "checkout", "-q", "--detach")
    finding = found("repository", project)
    assert finding.state == State.FAILED
    assert "must have a branch checked out" in finding.found
    assert "`git switch BRANCH`" in finding.found
    must(project, *["git", "switch", "-q", "main"])
    assert found("repository", project).state == State.OK


@pytest.mark.operation_case
@pytest.mark.parametrize("way", ["no commit", "no lock"])
def test_before_the_first_run_the_lock_is_no_fault(project: Path, tmp_path: Path, way: str) -> None:
    use_folder(project, tmp_path / "shelf")
    if way == "no commit":
        shutil.rmtree(project / ".git")
        must(project, "git", "init", "-q", "-b", "main")
    else:
        must(project, "git", "rm", "-q", "--cached", "dvc.lock")
        must(project, "git", "commit", "-qm", "No lock")
    finding = found("lock", project)
    assert (finding.state, finding.advice) == (State.WARNING, "dvc repro, and commit dvc.lock")


@pytest.mark.operation_case
def test_a_dead_remote_gets_its_limits_and_no_more(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was set for this is put back."""
    endpoint(project, free_port())
    s3.edit_local_config(project, {f"remote.s3.{key}": value for key, value in MINE.items()})
    for before in (None, "3"):
        if before:
            monkeypatch.setenv("AWS_MAX_ATTEMPTS", before)
        with opened(project) as remote:
            given = remote.handle.fs.fs.config_kwargs
            assert {key: given[key] for key in LIMITS} == {"connect_timeout": 5, "read_timeout": 20}
            assert os.environ["AWS_MAX_ATTEMPTS"] == (before or "1")
        assert os.environ.get("AWS_MAX_ATTEMPTS") == before
