"""The rooms of the scheduled run: programs with a limit, the folder of a run, the store, the engine, the message."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pricetrail.base.errors import OperationError, ParamsError
from pricetrail.base.params import parse_params
from pricetrail.base.params_edit import with_settings
from pricetrail.cli.weekly import _ended_by_sigterm
from pricetrail.operation.servers import s3
from pricetrail.operation.servers.programs import Done, UnreachableError, must, run
from pricetrail.operation.weekly import clone, steps
from pricetrail.operation.weekly.clone import Clone
from pricetrail.operation.weekly.message import MOST, message, metrics_table, subject
from pricetrail.operation.weekly.outcome import Ending, Outcome, notify
from pricetrail.operation.weekly.retrying import Foreground
from pricetrail.operation.weekly.run import _page
from pricetrail.operation.weekly.steps import _cause, plan_tuning
from support.source_tree import ROOT
from support.tiny_project import WHO, TinyProject, make_tiny_project

pytestmark = pytest.mark.usefixtures("fast_dvc")

PARAMS = (ROOT / "params.yaml").read_text()
WEEKLY = parse_params(PARAMS).weekly


def weekly(**dials: object) -> object:
    return WEEKLY.model_copy(update=dials)


# programs


@pytest.mark.long
def test_a_program_past_its_limit_dies_with_all_it_started(tmp_path: Path) -> None:
    script = "sleep 60 & echo $! > child; echo started; wait"
    start = time.monotonic()
    with pytest.raises(UnreachableError, match=r"bash .*: must end within 0\.01 minutes"):
        run(["bash", "-c", script], tmp_path, minutes=0.01)
    assert time.monotonic() - start < 20
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]


def test_children_of_a_dead_program_do_not_hold_it_open(tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(UnreachableError):
        run(["bash", "-c", "sleep 60 & exit 0"], tmp_path, minutes=0.01)
    assert time.monotonic() - start < 20


def test_a_url_in_a_reason_keeps_its_password(tmp_path: Path) -> None:
    done = run(["bash", "-c", "echo \"fatal: unable to access 'https://bot:s3cret@git.shop/x'\"; exit 1"], tmp_path)
    assert done.reason == "fatal: unable to access 'https://***@git.shop/x'"


def test_lines_are_told_as_they_come_and_both_streams_are_one(tmp_path: Path) -> None:
    told = list[str]()
    done = run(["bash", "-c", "echo a; echo b >&2; echo; exit 3"], tmp_path, tell=told.append)
    assert (done.code, told) == (3, ["a", "b"])


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("noise", "ERROR: failed to push: 503", "more"), "failed to push: 503"),
        (("fatal: repository 'x' does not exist",), "fatal: repository 'x' does not exist"),
        (("To /x", "error: failed to push some refs", "remote: no"), "remote: no"),
        (("only this", ""), "only this"),
        ((), "it ended with code 1, and said nothing"),
    ],
)
def test_the_reason_of_a_failure_is_its_own_word(lines: tuple[str, ...], reason: str) -> None:
    assert Done(1, lines).reason == reason


def test_a_program_that_must_succeed_names_itself(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="git clone: must succeed: fatal: repository"):
        must(["git", "clone", "--quiet", "/nowhere", "x"], tmp_path)


def test_a_failed_stage_is_told_by_its_own_last_words() -> None:
    lines = (
        "Running stage 'etl_pipeline':",
        "> python -m pricetrail.stages.etl_pipeline",
        "09:00:00 ERROR   etl_pipeline: a.csv.gz: must be readable: it ends early",
        "ERROR: failed to reproduce 'etl_pipeline': failed to run: python, exited with 1",
    )
    assert _cause(Done(255, lines)) == lines[2]


# the run's folder


def test_a_killed_run_is_reaped_and_a_living_one_is_not(tmp_path: Path) -> None:
    code = (
        "import subprocess, time; from pathlib import Path; from pricetrail.operation.weekly.clone import run_folder\n"
        "with run_folder(Path()) as folder:\n"
        "    (folder / 'clone').mkdir()\n"
        "    child = subprocess.Popen(['sleep', '300'], cwd=folder / 'clone', start_new_session=True)\n"
        "    print(child.pid, flush=True); time.sleep(300)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    killed = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    orphan = int(killed.stdout.readline())
    with clone.run_folder(tmp_path) as living:
        assert clone.reap(tmp_path) == ()
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
        assert Path(f"/proc/{orphan}").exists()
        assert len(clone.reap(tmp_path)) == 1
        assert list((tmp_path / clone.RUNS).iterdir()) == [living]
    assert not any((tmp_path / clone.RUNS).iterdir())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{orphan}/cwd").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{orphan}/cwd").exists()


def test_a_process_of_the_same_number_is_not_the_owner(tmp_path: Path) -> None:
    folder = tmp_path / clone.RUNS / "0123456789ab"
    folder.mkdir(parents=True)
    (folder / "owner").write_text(f"{os.getpid()} 1")
    assert clone.reap(tmp_path) == ("0123456789ab",)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    return make_tiny_project(tmp_path_factory.mktemp("operation") / "w")


def test_a_clone_has_the_projects_cache_and_keys_and_is_clean(project: TinyProject, tmp_path: Path) -> None:
    s3.edit_local_config(project.folder, {"remote.store.jobs": "3"})
    place = clone.make(project.folder, weekly(repository="origin"), tmp_path / "clone")  # type: ignore[arg-type]
    assert place.base == project.must("git", "rev-parse", "HEAD")
    assert place.branch == "main"
    assert not project.must("git", "status", "--porcelain", folder=place.folder)
    assert Path(project.must("dvc", "cache", "dir", folder=place.folder)) == project.folder / ".dvc/cache"
    assert "remote.store.jobs=3" in project.must("dvc", "config", "--list", "--local", folder=place.folder)
    assert (place.folder / ".dvc/config.local").stat().st_mode & 0o077 == 0
    project.must("dvc", "checkout", "-q", folder=place.folder)
    assert (place.folder / "data.txt").read_text() == "one\n"


def test_a_dirty_project_is_not_published_into(project: TinyProject, tmp_path: Path) -> None:
    note = project.folder / "data.txt.dvc"
    before = note.read_text()
    note.write_text(before + "# mine\n")
    try:
        with pytest.raises(OperationError, match="must have no uncommitted change"):
            clone.make(project.folder, WEEKLY, tmp_path / "clone")
    finally:
        note.write_text(before)


def test_a_branch_that_is_not_there_is_one_line(project: TinyProject, tmp_path: Path) -> None:
    with pytest.raises(OperationError, match="must have branch nowhere, and has main") as caught:
        clone.make(project.folder, weekly(branch="nowhere"), tmp_path / "clone")  # type: ignore[arg-type]
    assert not isinstance(caught.value, UnreachableError), "no retry makes it"


def test_a_snapshot_that_failed_after_its_clone_is_made_again(project: TinyProject, tmp_path: Path) -> None:
    first = clone.make(project.folder, WEEKLY, tmp_path / "clone")
    (first.folder / "half.txt").write_text("of a source that did not answer\n")
    assert clone.make(project.folder, WEEKLY, tmp_path / "clone") == first
    assert not (first.folder / "half.txt").exists()


def test_a_relative_remote_is_the_same_in_the_clone(project: TinyProject, tmp_path: Path) -> None:
    """Else the objects would go into the run's own folder, and be gone with it."""
    shutil.copytree(project.folder.parent, tmp_path / "w", symlinks=True)
    own = TinyProject(tmp_path / "w/project", tmp_path / "w/bare.git", tmp_path / "w/remote")
    own.must("dvc", "remote", "modify", "store", "url", "../remote")
    assert "../remote" in (own.folder / ".dvc/config").read_text()
    own.must("git", *WHO, "commit", "-qam", "name the remote from here")
    shutil.rmtree(own.remote)
    place = clone.make(own.folder, WEEKLY, own.folder / ".pricetrail/runs/0123456789ab/clone")
    own.must("dvc", "push", "-q", folder=place.folder)
    assert sum(path.is_file() for path in own.remote.rglob("*")) == 1


def test_a_release_key_that_is_not_committed_is_named(project: TinyProject, tmp_path: Path) -> None:
    (project.folder / "keys").mkdir()
    (project.folder / "keys/release.pub.pem").write_text("public\n")
    try:
        with pytest.raises(OperationError, match=r"^keys: must be committed"):
            clone.make(project.folder, WEEKLY, tmp_path / "clone")
    finally:
        shutil.rmtree(project.folder / "keys")


def test_a_run_stopped_by_drift_shows_no_old_decision(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/decision.md").write_text("# Released\n")
    place = Clone(tmp_path, tmp_path, "", "main", "", is_here=True)
    assert _page(place, "the share of drifted inputs is 0.5") == ""
    assert _page(place, "") == "# Released\n"


def test_sigterm_is_no_fault_that_anything_tries_again() -> None:
    def patient() -> None:
        for _ in range(3):
            with suppress(Exception):  # as what talks to a remote does
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(OperationError, match="must not be stopped: got SIGTERM"), _ended_by_sigterm():
        patient()


# what the remote holds


def read_back(project: TinyProject, base: str, pushed: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pricetrail.operation.weekly.remote_check", base, str(pushed)]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(command, cwd=project.folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_a_new_object_is_read_back_repaired_or_refused(tmp_path: Path) -> None:
    project = make_tiny_project(tmp_path / "w")
    base = project.must("git", "rev-parse", "HEAD")
    (project.folder / "data.txt").write_text("two\n")
    project.must("dvc", "add", "-q", "data.txt")
    project.must("dvc", "push", "-q")
    assert json.loads(read_back(project, base).stdout) == {"objects": 1, "object_bytes": 4, "repaired": [], "lost": ""}
    md5 = "c193497a1a06b2c72230e6146ff47080"  # md5sum of "two\n"
    stored, cached = (
        root / "files/md5" / md5[:2] / md5[2:] for root in (project.remote, project.folder / ".dvc/cache")
    )
    stored.chmod(0o644)
    stored.write_text("tow\n")
    assert json.loads(read_back(project, base).stdout)["repaired"] == [md5]
    assert stored.read_text() == "two\n"
    assert json.loads(read_back(project, base).stdout)["repaired"] == []
    project.commit("data.txt.dvc", (project.folder / "data.txt.dvc").read_text())
    stored.unlink()
    lost = json.loads(read_back(project, "HEAD").stdout)
    assert (lost["objects"], lost["repaired"]) == (0, [md5]), "an old one that was lost is sent again"
    assert stored.read_text() == "two\n"
    old = project.remote / "files/md5/5b/bf5a52328e7439ae6e719dfe712200"  # md5sum of "one\n", of the base
    old.unlink()
    assert json.loads(read_back(project, base).stdout)["repaired"] == [], "the lock does not name it any more"
    for place in (stored, cached):
        place.chmod(0o644)
        place.write_text("tow\n")
    refused = read_back(project, base)
    assert refused.returncode == 1
    assert f"remote object {md5}: must have the bytes that its name says" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.long
def test_all_is_read_back_if_the_remote_lacks_what_was_published(tmp_path: Path) -> None:
    """A new bucket, or the embedded one of a fresh clone."""
    project = make_tiny_project(tmp_path / "w")
    assert json.loads(read_back(project, "HEAD").stdout)["objects"] == 0
    shutil.rmtree(project.remote)
    shutil.rmtree(project.folder / ".dvc/tmp")
    place = Clone(project.folder, project.folder, str(project.bare), "main", "HEAD", is_here=False)
    assert steps.push(place, 1) == 1
    (stored,) = (path for path in (project.remote / "files").rglob("*") if path.is_file())
    stored.chmod(0o644)
    stored.write_text("noe\n")
    told = json.loads(read_back(project, "HEAD", pushed=1).stdout)
    assert (told["objects"], told["object_bytes"], len(told["repaired"])) == (1, 4, 1)
    assert stored.read_text() == "one\n"
    assert steps.push(place, 1) == 0
    assert json.loads(read_back(project, "HEAD", pushed=0).stdout)["objects"] == 0


@pytest.mark.long
def test_lost_objects_are_a_fault_only_where_needed(tmp_path: Path) -> None:
    """A clone with lines of its own has the demo shop, and the run on it, in its lock and nowhere else."""
    project = make_tiny_project(tmp_path / "w")
    (project.folder / "demo").mkdir()
    (project.folder / "demo/lines").write_text("demo\n")
    command = "mkdir out && cp data.txt out/made"
    (project.folder / "dvc.yaml").write_text(
        f"stages:\n  etl:\n    cmd: {command}\n    deps: [data.txt]\n    outs: [out]\n"
    )

    def reproduce() -> str:
        project.must("dvc", "add", "-q", "demo", "data.txt")
        project.must("dvc", "repro", "-q")
        project.must("dvc", "push", "-q")
        project.must("git", "add", "-A")
        project.must("git", *WHO, "commit", "-q", "-m", "a run")
        return project.must("git", "rev-parse", "HEAD")

    def lose_all() -> None:
        for root in (project.remote, project.folder / ".dvc/cache"):
            shutil.rmtree(root / "files")

    base = reproduce()
    lose_all()
    (project.folder / "data.txt").write_text("two\n")
    project.must("dvc", "add", "-q", "data.txt")
    project.must("dvc", "repro", "-q")
    project.must("dvc", "push", "-q")
    found = json.loads(read_back(project, base).stdout)
    assert (found["objects"], found["repaired"]) == (2, []), "the new data, which out/made is too, and the list of out"
    lose_all()
    refused = read_back(project, base)
    assert refused.returncode == 1
    assert "ERROR: remote: must give back what was pushed" in refused.stderr
    assert "'out'" in refused.stderr


# the embedded store


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / ".dvc").mkdir()
    with socket.socket() as taken:  # so that the store has to find a port of its own
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        section = "['remote \"s3\"']"
        text = (
            f"[core]\n    remote = s3\n{section}\n    url = s3://shop/dvc\n    endpointurl = http://127.0.0.1:{port}\n"
        )
        (tmp_path / ".dvc/config").write_text(text)
        found = s3.embedded(tmp_path)
        assert found is not None
        assert found.port != port
    yield tmp_path
    found = s3.embedded(tmp_path)
    assert found is not None
    found.stop()


def test_the_stores_keys_stay_and_only_its_owner_reads_them(shop: Path) -> None:
    first, second = s3.embedded(shop), s3.embedded(shop)
    assert first == second
    assert first is not None
    assert len(first.secret_key) >= 32
    assert (shop / ".dvc/config.local").stat().st_mode & 0o777 == 0o600
    assert first.secret_key not in (shop / ".dvc/config").read_text()


def test_the_store_is_started_once_survives_kill_9_and_stops(shop: Path) -> None:
    running = s3.ensure_running(shop)
    assert running is not None
    (process,) = running._processes()
    s3.ensure_running(shop)
    assert running._processes() == (process,)
    (running.objects / "shop/kept").write_text("kept")
    process.kill()
    process.wait()
    assert not running.is_running()
    s3.ensure_running(shop)
    assert running.is_running()
    assert (running.objects / "shop/kept").read_text() == "kept"
    assert running.stop()
    assert not running.stop()


def test_two_that_need_keys_at_once_make_one_pair(shop: Path) -> None:
    (shop / ".dvc/config.local").unlink()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: s3.embedded(shop), range(4)))
    assert len({one.secret_key for one in found if one}) == 1


def test_a_server_whose_keys_were_lost_is_stopped_too(shop: Path) -> None:
    old = s3.ensure_running(shop)
    (shop / ".dvc/config.local").unlink()
    new = s3.ensure_running(shop)
    assert old is not None
    assert new is not None
    assert new.secret_key != old.secret_key
    assert new.stop()
    assert not s3.answers(old.port)
    assert not new.stop()


def test_another_server_on_the_port_is_named(shop: Path) -> None:
    found = s3.embedded(shop)
    assert found is not None
    with HTTPServer(("127.0.0.1", found.port), BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(OperationError, match="must be free for the embedded S3"):
            found.start()
        other.shutdown()


@pytest.mark.parametrize(
    "lines",
    [
        "    url = /mnt/store\n",
        "    url = s3://bucket/dvc\n",
        "    url = s3://b/dvc\n    endpointurl = https://minio.example.org\n",
        "    url = s3://b/dvc\n    endpointurl = http://127.0.0.1:9000\n    access_key_id = minio\n",
    ],
)
def test_nothing_is_started_for_a_remote_of_ones_own(tmp_path: Path, lines: str) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(f"[core]\n    remote = own\n['remote \"own\"']\n{lines}")
    assert s3.ensure_running(tmp_path) is None
    assert not (tmp_path / ".s3").exists()
    told = configparser.ConfigParser()
    told.read(tmp_path / ".dvc/config.local")
    assert told.sections() == ["core"], "where DVC keeps its state, and no key"


# the engine in the foreground


@pytest.mark.parametrize(("failures", "tries"), [(0, 1), (2, 3), (3, 4)])
def test_a_step_that_cannot_reach_its_remote_is_tried_again(failures: int, tries: int) -> None:
    calls = list[int]()

    def work() -> str:
        calls.append(1)
        if len(calls) <= failures:
            raise UnreachableError("remote", "must answer")
        return "done"

    engine = Foreground(weekly(retries=3, retry_delay_seconds=0.001))  # type: ignore[arg-type]
    assert engine.step("push", work, retried=True) == "done"
    assert len(calls) == tries


@pytest.mark.parametrize(("error", "retried"), [(UnreachableError, False), (OperationError, True)])
def test_nothing_else_is_tried_again(error: type[OperationError], retried: bool) -> None:
    calls = list[int]()

    def work() -> None:
        calls.append(1)
        raise error("stage", "must succeed")

    with pytest.raises(error):
        Foreground(weekly(retries=5, retry_delay_seconds=0.001)).step("reproduce", work, retried)  # type: ignore[arg-type]
    assert len(calls) == 1


# what it says


def test_the_message_names_outcome_reason_dials_and_figures() -> None:
    before = {"test.mse_log_quantity": 0.3, "drift.passed": True, "test.rows": 10}
    after = {"test.mse_log_quantity": 0.27, "drift.passed": False, "test.rows": 10}
    text = message(Outcome.WITHHELD, "Closed: drift.", before, after, {"tuning.method": "fixed"}, ["data/lines.dvc"])
    assert text.splitlines() == [
        "Weekly run: withheld, test MSE 0.27 (was 0.3)",
        "",
        "Closed: drift.",
        "Set tuning.method: fixed",
        "Updated data/lines.dvc",
        "",
        "test.mse_log_quantity: 0.3 -> 0.27 (-10.0 %)",
        "drift.passed: True -> False",
    ]


def test_a_long_message_says_how_much_it_leaves_out() -> None:
    after = {f"models.m{n}": float(n) for n in range(MOST + 7)}
    assert message(Outcome.RELEASED, "x", {}, after, {}, []).splitlines()[-1].startswith("… and 7 more: pricetrail why")


def test_metrics_that_did_not_move_are_no_table() -> None:
    assert metrics_table({"a.b": 1, "a.c": "x"}, {"a.b": 1, "a.c": "x"}) == "No metric moved.\n"
    assert subject(Outcome.UNCHANGED, {}, {}) == "Weekly run: unchanged"


# the webhook


def test_the_webhook_gets_the_end_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    got = list[dict[str, object]]()

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if len(got) == 1 else 500)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        notify(url, Ending(Outcome.WITHHELD, "Closed: drift.", "a" * 40, "b" * 40))
        notify(url, "stage etl_pipeline: must succeed: a.csv ends early")
    finally:
        server.shutdown()
        server.server_close()
    notify(url, "nobody listens any more")
    notify("https://host:port/x", "an address that is none")
    notify("", "nowhere")
    assert got[0]["text"] == "Weekly run: Withheld. Closed: drift."
    assert got[0]["commit"] == "b" * 40
    assert got[1]["text"] == "Weekly run: Failed. stage etl_pipeline: must succeed: a.csv ends early"
    assert len(got) == 2
    assert caplog.text.count("webhook: must take the message") == 3


# params.yaml edited


def test_an_edit_changes_its_line_alone_and_keeps_the_comments() -> None:
    edited = with_settings(PARAMS, {"tuning.n_trials": 9, "gates.overrides": {"drift": "Christmas, as every year"}})
    assert parse_params(edited).tuning.n_trials == 9
    assert dict(parse_params(edited).gates.overrides) == {"drift": "Christmas, as every year"}
    differ = [(a, b) for a, b in zip(PARAMS.splitlines(), edited.splitlines(), strict=True) if a != b]
    assert [a.split(":")[0].strip() for a, _ in differ] == ["n_trials", "overrides"]
    assert all(b.rpartition("#")[2] == a.rpartition("#")[2] for a, b in differ)
    assert with_settings(PARAMS, {}) == PARAMS


@pytest.mark.parametrize(
    ("dials", "told"),
    [
        ({"tuning.n_trails": 3}, "tuning.n_trails must be there"),
        ({"tuning.n_trials": 0}, "tuning.n_trials must be >= 1"),
    ],
)
def test_an_edit_that_breaks_a_rule_is_refused(dials: dict[str, int], told: str) -> None:
    with pytest.raises(ParamsError, match=told):
        with_settings(PARAMS, dials)


# the tuning of the next run


def planned(
    folder: Path, tracked: str, used: str, search_every: int = 4, studied: str = "data/lines"
) -> dict[str, object]:
    lines = "../lines"
    text = with_settings(PARAMS, {"weekly.search_every": search_every, "data.path": "data/lines"})
    (folder / "data").mkdir(parents=True)
    must(["git", "init", "-q"], folder)
    (folder / "params.yaml").write_text(text)
    (folder / "data/lines.dvc").write_text(f"outs:\n- md5: {tracked}\n  path: lines\n")
    (folder / "dvc.lock").write_text(
        f"stages:\n  etl_pipeline:\n    cmd: x\n    deps:\n    - path: data/lines\n      md5: {used}\n"
    )
    (folder / "reports").mkdir()
    (folder / "metrics").mkdir()
    run_of_study = json.loads((ROOT / "reports/runs.jsonl").read_text().splitlines()[-1])
    run_of_study["params"]["data.path"] = studied
    (folder / "reports/runs.jsonl").write_text(json.dumps(run_of_study) + "\n")
    (folder / "metrics/validation.json").write_text((ROOT / "metrics/validation.json").read_text())
    place = Clone(folder, folder, lines, "main", "", False)
    return dict(plan_tuning(place))


def test_new_data_after_a_study_retrain_its_best(tmp_path: Path) -> None:
    dials = planned(tmp_path, "a1", "b2")
    assert set(dials) == {"tuning.method", "tuning.fixed"}
    tuning = parse_params((tmp_path / "params.yaml").read_text()).tuning
    assert tuning.method == "fixed"
    chosen = json.loads((ROOT / "metrics/validation.json").read_text())["chosen"][0]
    assert tuning.fixed is not None
    assert list(tuning.fixed.widths) == chosen["widths"]
    assert tuning.fixed.learning_rate == chosen["learning_rate"]


def test_a_study_of_other_data_does_not_count(tmp_path: Path) -> None:
    """A fresh clone's ledger holds the demo shop's run, whose network is none for lines of one's own."""
    assert planned(tmp_path, "a1", "b2", studied="demo/lines") == {}
    assert parse_params((tmp_path / "params.yaml").read_text()).tuning.method == "tpe"


@pytest.mark.parametrize(("tracked", "used", "every"), [("a1", "a1", 4), ("a1", "b2", 0)])
def test_the_dials_stay_without_new_data_or_without_a_rule(tmp_path: Path, tracked: str, used: str, every: int) -> None:
    assert planned(tmp_path, tracked, used, every) == {}
