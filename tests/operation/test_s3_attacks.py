"""Who takes the embedded server's port, or plants something where it works, gets nothing and does nothing."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nanio.errors import InvalidRequest

from pricetrail.operation.servers import s3, s3_app, tls
from support.commands import environment, free_port, must, run
from support.other_user import as_other, fake_server, needs_root
from support.small_project import make_project, pricetrail

KINDS = ("plain", "tls", "copy")  # copy: of the command line, too


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("pristine") / "project")


@pytest.fixture
def project(pristine: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy with a port of its own, in a folder that others may enter."""
    for name, value in {**environment(), "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    copy = shutil.copytree(pristine, open_folder / "project", symlinks=True)
    config = copy / ".dvc/config"
    config.write_text(re.sub(r"(endpointurl = https://127.0.0.1:).*", rf"\g<1>{free_port()}", config.read_text()))
    must(copy, "git", "commit", "-qam", "A port of its own")
    yield copy
    folder = copy / ".s3"
    if folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.geteuid():
        store = s3.embedded(copy)
        assert store is not None
        store.stop()


def used_once(project: Path) -> s3.Store:
    """The server has run and is down."""
    store = s3.ensure_running(project)
    assert store is not None
    assert store.stop()
    return store


def taken(store: s3.Store, kind: str) -> object:
    """Another user takes its port."""
    copied = (sys.executable, "-m", "nanio", "serve", "--data-dir", str(store.objects), str(store.folder / tls.KEY))
    return fake_server("plain" if kind == "copy" else kind, store.port, copied if kind == "copy" else ())


@pytest.mark.attack
@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_who_takes_the_port_gets_nothing_of_a_run(project: Path, kind: str) -> None:
    store = used_once(project)
    with taken(store, kind) as fake:
        done = pricetrail(project, "weekly")
        assert not fake.got_a_request, fake.received
    assert done.returncode == 1
    assert f"127.0.0.1:{store.port}: must be free for the embedded S3: another server, of user nobody" in done.stderr
    assert "dvc remote modify --local s3 endpointurl https://127.0.0.1:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
@pytest.mark.attack
@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_who_takes_the_port_gets_nothing_of_a_push_by_hand(project: Path, kind: str) -> None:
    """Nothing of ours runs: DVC itself asks for the certificate. So it does when the server is replaced in a push."""
    store = used_once(project)
    with taken(store, kind) as fake:
        done = run(project, "dvc", "push")
        assert not fake.got_a_request, fake.received
    assert done.returncode != 0


@needs_root
@pytest.mark.long
def test_the_fake_server_can_be_pushed_to(project: Path) -> None:
    """What the attacks would have got, so that they can fail: without TLS, as it was once."""
    store = used_once(project)
    s3.edit_local_config(project, {"remote.s3.endpointurl": f"http://127.0.0.1:{store.port}"})
    with fake_server("plain", store.port) as fake:
        run(project, "dvc", "push")
        assert b"PUT /pricetrail/dvc/files/md5" in fake.received


@pytest.mark.long
@pytest.mark.attack
@needs_root
def test_a_fresh_clone_pushes_to_no_stranger(project: Path, tmp_path: Path) -> None:
    """Before any of our commands ran there, with keys of AWS in the environment."""
    must(tmp_path, "git", "clone", "-q", str(project), "clone")
    shutil.copytree(project / ".dvc/cache", tmp_path / "clone/.dvc/cache")
    port = int((project / ".dvc/config").read_text().partition("https://127.0.0.1:")[2].split()[0])
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "of-aws"}
    with fake_server("tls", port) as fake:
        done = run(tmp_path / "clone", "dvc", "push", **keys)
        assert not fake.got_a_request, fake.received
    assert done.returncode != 0


@pytest.mark.attack
def test_another_server_of_the_same_user_gets_nothing(project: Path) -> None:
    store = used_once(project)
    with fake_server("plain", store.port, user=os.geteuid()) as fake:
        done = pricetrail(project, "s3", "start")
        assert not fake.got_a_request
        assert not store.stop()
        assert fake.is_alive
    assert done.returncode == 1
    assert "another server, of user " in done.stderr


@pytest.mark.attack
@needs_root
def test_a_server_that_says_nothing_holds_no_run_up(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, started = used_once(project), time.monotonic()
    monkeypatch.setattr(tls, "HANDSHAKE_SECONDS", 0.5)
    with fake_server("mute", store.port), pytest.raises(s3.UnreachableError, match="must answer within"):
        s3.ensure_running(project)
    assert time.monotonic() - started < 5


@pytest.mark.attack
def test_a_stale_pid_file_ends_no_other_process(project: Path) -> None:
    store = used_once(project)
    with subprocess.Popen(["sleep", "60"]) as other:
        (store.folder / "server.pid").write_text(str(other.pid))
        assert not store.stop()
        assert s3.ensure_running(project)
        assert store.stop()
        assert other.poll() is None
        other.kill()


@pytest.mark.attack
@needs_root
def test_a_process_of_another_user_is_not_ours_to_end(project: Path) -> None:
    store = used_once(project)
    with fake_server("plain", free_port(), [str(store.objects), str(store.folder / tls.KEY), "nanio"]) as fake:
        assert not store.stop()
        assert s3.ensure_running(project)
        assert store.stop()
        assert fake.is_alive


@pytest.mark.attack
@needs_root
@pytest.mark.parametrize("name", ["server.key", "."])
def test_nobody_else_reads_what_the_server_keeps(project: Path, name: str) -> None:
    assert s3.ensure_running(project)
    must(project, "dvc", "push", "-q")
    told = as_other("ls", "-R", str(project / ".s3" / name))
    assert "Permission denied" in told.stderr
    assert not told.stdout


@pytest.mark.attack
@needs_root
def test_a_folder_that_was_open_is_closed_and_told(project: Path) -> None:
    (project / ".s3").mkdir(mode=0o755)
    done = pricetrail(project, "s3", "start")
    assert stat.S_IMODE((project / ".s3").stat().st_mode) == 0o700
    assert ".s3: other users could enter it (mode 755): now its owner alone (700)" in done.stderr
    assert done.returncode == 0


@pytest.mark.long
def test_a_server_of_a_version_without_tls_is_replaced(project: Path) -> None:
    """What was pushed to it stays."""
    store = used_once(project)
    (store.objects / "pricetrail").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "nanio", "serve", "--data-dir", str(store.objects), "--host", "127.0.0.1"]
    keys = {"NANIO_ACCESS_KEY": store.access_key, "NANIO_SECRET_KEY": store.secret_key}
    s3.edit_local_config(project, {"remote.s3.endpointurl": f"http://127.0.0.1:{store.port}"})
    old = subprocess.Popen([*command, "--port", str(store.port)], env={**os.environ, **keys}, stderr=subprocess.DEVNULL)
    while not s3.answers(store.port):
        time.sleep(0.05)
    must(project, "dvc", "push", "-q")
    assert s3.ensure_running(project)
    assert old.wait(5) is not None
    assert "in sync" in must(project, "dvc", "status", "-c")


@pytest.mark.long
def test_bodies_come_back_as_they_were_sent(project: Path) -> None:
    """Over TLS AWS's clients send frames, which the server has to take off."""
    store = s3.ensure_running(project)
    assert store is not None
    sent = {f"three/{size}": os.urandom(size) for size in (0, 1, 65_536, 1_048_576, 9_000_001)}
    (project / "three").unlink()
    (project / "three").mkdir()
    for name, content in sent.items():
        (project / name).write_bytes(content)
    must(project, "dvc", "commit", "-fq")
    must(project, "dvc", "push", "-q")
    kept = {path.read_bytes() for path in (store.objects / "pricetrail/dvc/files/md5").rglob("*") if path.is_file()}
    assert kept >= set(sent.values())
    shutil.rmtree(project / ".dvc/cache")
    shutil.rmtree(project / "three")
    must(project, "dvc", "pull", "-q")
    assert {name: (project / name).read_bytes() for name in sent} == sent


@pytest.mark.parametrize("frames", [b"", b"3\r\non", b"-1\r\n", b"3\r\none\r\n", b"2\r\none\r\n0\r\n\r\n", b"9" * 5000])
def test_a_body_that_was_cut_off_is_no_object(frames: bytes) -> None:
    """The application's side of it: what it is given ends in an error, never in a shorter object."""
    messages = iter([{"type": "http.request", "body": frames, "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> object:
        return next(messages)

    async def read(scope: object, receive: Any, send: object) -> None:
        while (await receive())["more_body"]:
            pass

    scope = {"type": "http", "headers": [s3_app.FRAMED]}
    with pytest.raises(InvalidRequest):
        asyncio.run(s3_app.PlainBodies(read)(scope, receive, None))  # type: ignore[arg-type]
