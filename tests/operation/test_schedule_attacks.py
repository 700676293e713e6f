"""Attacks on the schedule's Prefect server: by another user of the machine, and by a page in the owner's browser."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from pricetrail.operation.schedule.dead_runs import LATER
from support.browser import CHROMIUM, Tab, tab
from support.commands import must
from support.http_server import served
from support.other_user import as_other, needs_root
from support.real_schedule import Schedule, start, wait_for
from support.source_tree import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.xdist_group("schedule_attacks")]
attack = pytest.mark.attack
in_browser = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")
STEP = {"prefect.deployments.steps.run_shell_script": {"script": "id > /tmp/pwned"}}


@dataclass
class Proxy:
    """Of the machine's environment: everything that is sent through it is recorded."""

    url: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            made.asked.append(f"{self.command} {self.path} {self.headers}")
            self.send_error(502)

        do_GET = do_POST = do_PATCH = do_CONNECT = answer  # noqa: N815

    with served(Handler) as address:
        made = Proxy(address)
        yield made


@pytest.fixture(scope="module")
def schedule(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Schedule]:
    """A schedule of a project in a folder that everybody may enter."""
    folder = tmp_path_factory.mktemp("attacked") / "project"
    folder.mkdir()
    for path in (folder, *list(folder.parents)[:3]):
        path.chmod(0o755)
    shutil.copy(ROOT / "params.yaml", folder)
    must(folder, "git", "init", "-q")
    must(folder, "dvc", "init", "-q")
    made = start(folder, HTTP_PROXY=proxy.url, http_proxy=proxy.url)
    try:
        wait_for(lambda: made.deployment)
        yield made
    finally:
        made.process.terminate()
        made.process.wait(60)


def as_nobody(code: str) -> str:
    """What a program of another user says; the last line of its error where it fails."""
    done = as_other("/usr/bin/python3", "-I", "-c", code, cwd="/", timeout=60)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def asked(schedule: Schedule, method: str, path: str, body: Any = None, **headers: str) -> str:
    """The status that another user gets."""
    headers = {"Content-Type": "application/json", **headers}
    return as_nobody(f"""
import json, urllib.error, urllib.request
data = None if {body!r} is None else json.dumps({body!r}).encode()
ask = urllib.request.Request({f"{schedule.api}/{path}"!r}, data, {headers!r}, method={method!r})
try:
    print(urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(ask, timeout=30).status)
except urllib.error.HTTPError as error:
    print(error.code)
""")


@attack
@needs_root
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        pytest.param("POST", "deployments/filter", {}, id="reads deployments"),
        pytest.param("PATCH", "deployments/{id}", {"pull_steps": [STEP]}, id="runs a shell at each run"),
        pytest.param("POST", "deployments/{id}/create_flow_run", {}, id="starts a run"),
        pytest.param("POST", "deployments/{id}/pause_deployment", {}, id="stops the schedule"),
        pytest.param("POST", "logs/filter", {}, id="reads logs"),
        pytest.param("GET", "admin/settings", None, id="reads settings"),
        pytest.param("POST", "admin/database/clear", {"confirm": True}, id="clears the database"),
        pytest.param("GET", "health/../admin/settings", None, id="goes round by the health check"),
    ],
)
def test_another_user_is_refused(schedule: Schedule, method: str, path: str, body: Any) -> None:
    before = schedule.get(f"deployments/{schedule.deployment}")
    assert asked(schedule, method, path.format(id=schedule.deployment), body) in {"401", "404"}
    after = schedule.get(f"deployments/{schedule.deployment}")
    assert (after["pull_steps"], after["paused"]) == (before["pull_steps"], before["paused"])
    assert not [run for run in schedule.post("flow_runs/filter") if not run["auto_scheduled"]]


@attack
@needs_root
@pytest.mark.parametrize("login", ["", ":", "pricetrail:", "pricetrail:None", "admin:pass"])
def test_no_guess_is_the_login(schedule: Schedule, login: str) -> None:
    header = f"Basic {base64.b64encode(login.encode()).decode()}"
    assert asked(schedule, "POST", "deployments/filter", {}, Authorization=header) == "401"


@attack
@needs_root
@pytest.mark.parametrize("name", ["prefect-login", "prefect/prefect.db", "prefect-server.log", "prefect-server"])
def test_another_user_reads_none_of_its_files(schedule: Schedule, name: str) -> None:
    file = schedule.folder / ".pricetrail" / name
    assert file.exists()
    assert as_nobody(f"print(len(open({str(file)!r}, 'rb').read()))").startswith("PermissionError")


def processes(schedule: Schedule) -> list[psutil.Process]:
    mine = psutil.Process(schedule.process.pid)
    return [mine, psutil.Process(schedule.server), *mine.children(recursive=True)]


@attack
@needs_root
@pytest.mark.parametrize("name", ["cmdline", "environ"])
def test_no_process_shows_the_login(schedule: Schedule, name: str) -> None:
    assert schedule.login
    for process in processes(schedule):
        told = as_nobody(f"print(open('/proc/{process.pid}/{name}', 'rb').read())")
        assert "pricetrail" in told or told.startswith("PermissionError"), told
        assert schedule.login[1] not in told


@attack
def test_neither_logs_nor_a_proxy_are_told_the_login(schedule: Schedule, proxy: Proxy) -> None:
    assert schedule.login
    schedule.post("logs/filter")
    for log in (schedule.folder.parent / "schedule.log", schedule.folder / ".pricetrail/prefect-server.log"):
        assert schedule.login[1] not in log.read_text()
    coded = base64.b64encode(":".join(schedule.login).encode()).decode()
    assert not [words for words in proxy.asked if "127.0.0.1" in words or coded in words]


@attack
@pytest.mark.parametrize("path", ["events/in", "events/out", "logs/out"])
@pytest.mark.parametrize("protocol", ["prefect", ""])
def test_sockets_ask_for_the_login(schedule: Schedule, path: str, protocol: str) -> None:
    spoken = [Subprotocol(protocol)] if protocol else None
    address = f"{schedule.api.replace('http', 'ws')}/{path}"
    told = list[str]()
    with suppress(ConnectionClosed, InvalidHandshake), connect(address, subprotocols=spoken, proxy=None) as opened:
        opened.send(json.dumps({"type": "auth", "token": "pricetrail:guess"}))
        opened.send(json.dumps({"type": "filter", "filter": {}}))
        for _ in range(2):
            told.append(str(opened.recv(timeout=3)))
    assert not [words for words in told if "auth_failure" not in words]


@attack
@pytest.mark.parametrize("origin", ["http://127.0.0.1:9999", "http://localhost:4200", "null", "https://evil.example"])
def test_no_other_origin_may_read_or_change(schedule: Schedule, origin: str) -> None:
    wanted = {"Origin": origin, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "x"}
    answers = [
        httpx.options(f"{schedule.api}/deployments/{schedule.deployment}", headers=wanted),
        httpx.get(f"{schedule.api}/admin/version", headers={"Origin": origin}, auth=schedule.login),
        httpx.get(f"{schedule.api}/admin/version", headers={"Origin": origin}),
    ]
    assert not [answer for answer in answers if "access-control-allow-origin" in answer.headers]
    assert answers[0].status_code == 400


@attack
@pytest.mark.parametrize("host", ["evil.example", "evil.example:4200", "localhost.evil.example"])
def test_a_name_that_leads_here_is_refused(schedule: Schedule, host: str) -> None:
    """DNS rebinding: a page's own name is made to lead to 127.0.0.1, so that its origin is the server's."""
    for path in ("", "/api/health", "/ui-settings"):
        ui = schedule.api.removesuffix("/api")
        assert httpx.get(f"{ui}{path}", headers={"Host": host}).status_code == 400


@attack
@pytest.mark.parametrize("path", ["", "/v2/deployments", "/api/health", "/api/admin/version"])
def test_each_answer_lets_a_page_ask_this_server_alone(schedule: Schedule, path: str) -> None:
    policy = httpx.get(f"{schedule.api.removesuffix('/api')}{path}").headers["content-security-policy"]
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert (allowed["default-src"], allowed["script-src"]) == ("'self'", "'self'")
    assert (allowed["frame-ancestors"], allowed["form-action"]) == ("'none'", "'self'")
    assert "//" not in policy, "no other server is named"


@attack
@needs_root
@pytest.mark.parametrize("option", ["SO_REUSEADDR", "SO_REUSEPORT"])
def test_nobody_takes_the_port_of_a_server_that_died(schedule: Schedule, option: str) -> None:
    """Who did would be told the login by the schedule's next question, and could answer it with commands to run."""
    port = int(schedule.api.split(":")[2].split("/")[0])
    died = schedule.server
    os.kill(died, signal.SIGKILL)
    code = f"""
import socket, time
end, took = time.monotonic() + 3, 0
while time.monotonic() < end and not took:
    thief = socket.socket()
    thief.setsockopt(socket.SOL_SOCKET, socket.{option}, 1)
    try:
        thief.bind(("127.0.0.1", {port})); thief.listen(); took = 1
    except OSError:
        thief.close(); time.sleep(0.005)
print("took it" if took else "in use")
"""
    assert as_nobody(code) == "in use"
    assert wait_for(lambda: schedule.get("health") and schedule.server != died)


def shown(browser: Tab, is_there: Callable[[str], bool]) -> str:
    """The text of the page, when it is there."""
    end = time.monotonic() + 60
    while not is_there(text := str(browser.evaluate("document.body ? document.body.innerText : ''"))):
        assert time.monotonic() < end, text
        time.sleep(0.2)
    return text


@attack
@in_browser
def test_a_page_from_disk_starts_no_run(schedule: Schedule, tmp_path: Path) -> None:
    """As `dvc plots show` leaves one; a POST that needs no permission is sent, and refused."""
    runs = f"{schedule.api}/deployments/{schedule.deployment}/create_flow_run"
    script = f"""for (const mode of ["cors", "no-cors"])
      await fetch("{runs}", {{method: "POST", mode, body: new Blob(["{{}}"])}}).catch((error) => error)"""
    (tmp_path / "page.html").write_text(f"<script type=module>{script}; document.title = 'tried'</script>")
    with tab(tmp_path / "profile") as browser:
        browser.go((tmp_path / "page.html").as_uri())
        wait_for(lambda: browser.evaluate("document.title") == "tried")
        heard = [event["params"] for event in browser.events if event["method"] == "Network.responseReceived"]
        statuses = {event["response"]["status"] for event in heard}
    assert not [run for run in schedule.post("flow_runs/filter") if not run["auto_scheduled"]]
    assert statuses & {401}


@in_browser
def test_its_pages_work_after_login_and_tell_nobody_else(schedule: Schedule, tmp_path: Path) -> None:
    ui = schedule.api.removesuffix("/api")
    assert schedule.login
    with tab(tmp_path / "profile") as browser:
        browser.go(ui)
        shown(browser, lambda text: "Login" in text)
        wait_for(lambda: browser.evaluate("!!document.querySelector('input')"))
        browser.evaluate("document.querySelector('input').focus()")
        browser.send("Input.insertText", text=":".join(schedule.login))
        browser.evaluate("document.querySelector('button[type=submit]').click()")
        shown(browser, lambda text: "Deployments" in text and "Flow Runs" in text)
        browser.go(f"{ui}/v2/deployments")
        assert "weekly_lineage" in shown(browser, lambda text: "weekly_lineage" in text)
        got = [event["params"]["response"]["url"] for event in browser.events if event["method"].endswith("Received")
               and "response" in event["params"]]  # fmt: skip
    assert [url for url in got if url.startswith(f"{ui}/api/")]
    assert not [url for url in got if not url.startswith((ui, "data:", "blob:"))]


@attack
@needs_root
def test_a_server_without_login_that_was_left_is_replaced(tmp_path: Path) -> None:
    """As one of an older version, whose schedule was killed: its port is kept, it is not."""
    from pricetrail.operation.schedule.prefect_server import MARK, serving

    folder = tmp_path / ".pricetrail"
    folder.mkdir()
    code = "import socket, time; s = socket.socket(); s.setsockopt(1, 15, 1); s.bind(('127.0.0.1', 0)); s.listen();"
    code += "print(s.getsockname()[1], flush=True); time.sleep(600)"
    left = subprocess.Popen(
        ["/usr/bin/python3", "-c", code], env={MARK: str(folder)}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert left.stdout
        port = int(left.stdout.readline())
        (folder / "prefect-server").write_text(f"{left.pid} {port}")
        with serving(tmp_path, "pricetrail:secret") as server:
            assert left.wait(10) is not None
            assert server.port == port
            assert httpx.post(f"{server.api}/deployments/filter", json={}).status_code == 401
    finally:
        left.kill()
        left.wait()


@pytest.mark.operation_case
def test_of_runs_due_while_it_was_suspended_the_latest_runs(schedule: Schedule) -> None:
    """Three are made due at once in Prefect's own database, in place of minutes of waiting."""
    by_due = "EXPECTED_START_TIME_ASC"
    ahead = wait_for(lambda: found if len(found := schedule.post("flow_runs/filter", sort=by_due)) >= 3 else [])
    late = [str(run["id"]) for run in ahead[:3]]
    schedule.process.send_signal(signal.SIGSTOP)
    try:
        with closing(sqlite3.connect(schedule.folder / ".pricetrail/prefect/prefect.db", timeout=30)) as database:
            for minutes, run in zip((3, 2, 1), late, strict=True):
                due = f"{datetime.now(UTC) - timedelta(minutes=minutes):%Y-%m-%d %H:%M:%S.%f}"
                change = "UPDATE flow_run SET next_scheduled_start_time = ?, expected_start_time = ? WHERE id = ?"
                assert database.execute(change, (due, due, run)).rowcount == 1
                change = """UPDATE flow_run_state SET state_details = json_set(state_details, '$.scheduled_time', ?)
                    WHERE id = (SELECT state_id FROM flow_run WHERE id = ?)"""
                assert database.execute(change, (f"{due.replace(' ', 'T')}Z", run)).rowcount == 1
            database.commit()
    finally:
        schedule.process.send_signal(signal.SIGCONT)
    ended = [schedule.ended({"id": run}) for run in late]
    assert [run["state_name"] for run in ended] == ["Cancelled"] * 2 + ["Failed"]  # the project has no commit
    assert [run["state"]["message"] for run in ended[:2]] == [LATER] * 2
    assert sum(run["run_count"] for run in ended) == 2  # the first to begin, and the one that stands for all
