"""The schedule without a server: when it runs, which runs are put right, what a fault says, who is told."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import prefect
import pytest
from alembic.script import ScriptDirectory
from markdown_it import MarkdownIt
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.schedules import CronSchedule
from prefect.server.database.alembic_commands import alembic_config
from prefect.server.schemas.schedules import CronSchedule as ServerCron
from prefect.states import Failed
from ruamel.yaml import YAML
from typer.testing import CliRunner

import pricetrail.operation.schedule.flow
from pricetrail.base.errors import OperationError
from pricetrail.base.params import parse_params
from pricetrail.base.params_schema import Weekly
from pricetrail.cli.app import app
from pricetrail.operation.doctor import clock
from pricetrail.operation.doctor.findings import State
from pricetrail.operation.schedule import artifacts
from pricetrail.operation.schedule.artifacts import links
from pricetrail.operation.schedule.database import MIGRATIONS, _known, revision_of
from pricetrail.operation.schedule.dead_runs import Known, judge, running_here
from pricetrail.operation.schedule.deployment import FULL_NAME, deployment, next_run
from pricetrail.operation.schedule.flow import is_worth_a_retry, weekly_lineage
from pricetrail.operation.schedule.prefect_server import (
    LOGIN,
    MARK,
    OURS,
    WANTED,
    Server,
    is_secret,
    login_of,
    settings,
)
from pricetrail.operation.schedule.serve_project import schedule
from pricetrail.operation.servers.programs import UnreachableError
from pricetrail.operation.weekly.outcome import Ending, Outcome, notify
from pricetrail.operation.weekly.run import Report
from support.clone import edit_params
from support.hostile import TEXTS
from support.http_server import served
from support.other_user import NOBODY
from support.source_tree import ROOT

PLAIN = {"", "p", "ul", "li", "code", "table", "thead", "tbody", "tr", "th", "td"}  # elements of ours
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DIALS = (ROOT / "params.yaml").read_text()


def weekly(**changes: Any) -> Weekly:
    return parse_params(edit_params(DIALS, {f"weekly.{key}": value for key, value in changes.items()})).weekly


def clock_of(**changes: Any) -> CronSchedule:
    found = deployment(weekly(**changes), Path("/shop")).schedules
    assert found
    assert len(found) == 1
    assert isinstance(found[0].schedule, CronSchedule)
    return found[0].schedule


def test_nine_in_london_stays_nine_when_clocks_change() -> None:
    """Independent oracle: Mondays counted by the calendar, 09:00 put into the zone by zoneinfo."""
    found = clock_of(cron="0 9 * * 1", timezone="Europe/London")
    start = datetime(2027, 3, 16, tzinfo=UTC)
    dates = asyncio.run(ServerCron(cron=found.cron, timezone=found.timezone).get_dates(4, start))
    mondays = [datetime(2027, 3, 22, 9, tzinfo=ZoneInfo("Europe/London")) + timedelta(days=7 * n) for n in range(4)]
    assert [date.astimezone(UTC) for date in dates] == [monday.astimezone(UTC) for monday in mondays]
    assert [date.astimezone(UTC).hour for date in dates] == [9, 8, 8, 8]  # the clocks go forward on 28 March 2027


def test_the_deployment_has_one_run_at_a_time_of_this_project() -> None:
    made = deployment(weekly(), Path("/shop"))
    assert made.parameters == {"project": "/shop"}
    assert made.concurrency_limit == 1
    assert made.concurrency_options is not None
    assert made.concurrency_options.collision_strategy == "ENQUEUE"
    assert made.entrypoint == "pricetrail.operation.schedule.flow.weekly_lineage"
    assert not made.paused


def test_the_next_run_is_told_in_the_zone_of_the_schedule() -> None:
    """The oracle is the calendar: the first Monday 09:00 of London that has not begun."""
    due = next_run(weekly(cron="0 9 * * 1", timezone="Europe/London"))
    now = datetime.now(ZoneInfo("Europe/London"))
    assert (due.weekday(), due.hour, due.minute) == (0, 9, 0)
    assert str(due.tzinfo) == "Europe/London"
    assert timedelta(0) < due - now <= timedelta(days=7, hours=1)


def test_the_schedule_says_when_it_runs_and_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    due = datetime(2027, 3, 29, 9, tzinfo=ZoneInfo("Europe/London"))
    api, login = "http://127.0.0.1:4200/api", Path("/shop/.pricetrail/prefect-login")
    monkeypatch.setattr("pricetrail.cli.schedule.operation.schedule", lambda _, tell: tell(api, login, due))
    told = CliRunner().invoke(app, ["schedule"]).stdout.splitlines()
    assert told[0].startswith("Prefect: http://127.0.0.1:4200 ")
    assert told[1] == f"its login: the line in {login}, which only you can read"
    assert told[2] == "next run: Monday 2027-03-29 09:00, Europe/London"
    asked = f'PREFECT_API_AUTH_STRING="$(cat {login})"'
    assert told[3] == f"start one now: PREFECT_API_URL={api} {asked} prefect deployment run {FULL_NAME}"


def test_prefect_yaml_says_what_params_yaml_says() -> None:
    deployed = YAML(typ="safe").load(ROOT / "prefect.yaml")["deployments"][0]
    dials = YAML(typ="safe").load(DIALS)["weekly"]
    assert deployed["schedules"] == [{"cron": dials["cron"], "timezone": dials["timezone"]}]
    assert deployed["entrypoint"] == deployment(weekly(), Path("/shop")).entrypoint
    assert deployed["name"] != "weekly"  # that of `pricetrail schedule`, whose reaper looks at this machine only


def known(state: StateType, minutes: int = 0) -> Known:
    return Known(uuid4(), state, NOW + timedelta(minutes=minutes))


def test_only_runs_without_a_process_are_dead() -> None:
    lost = [known(StateType.RUNNING), known(StateType.PENDING), known(StateType.CANCELLING)]
    lives, future = known(StateType.RUNNING), known(StateType.SCHEDULED, 1)
    found = judge([*lost, lives, future], frozenset({lives.id, uuid4()}), NOW)
    assert set(found.dead) == {run.id for run in lost}
    assert found.alive == (lives.id,)
    assert not found.surplus


def test_of_runs_that_piled_up_the_latest_is_kept() -> None:
    late = [known(StateType.SCHEDULED, minutes) for minutes in (-3, 0, -20)]
    future = [known(StateType.SCHEDULED, minutes) for minutes in (1, 60)]
    found = judge([*late, *future], frozenset(), NOW)
    assert set(found.surplus) == {late[0].id, late[2].id}
    assert not found.dead


def process(flow_run: UUID, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", *arguments],
        env={**os.environ, "PREFECT__FLOW_RUN_ID": str(flow_run)},
    )


def test_a_run_is_alive_by_its_engine_not_by_what_it_left() -> None:
    engine, orphan = uuid4(), uuid4()
    started = [process(engine, "-m", "prefect.engine"), process(orphan, "-m", "dvc", "repro")]
    try:
        end = time.monotonic() + 10
        while engine not in running_here() and time.monotonic() < end:
            time.sleep(0.05)
        assert engine in running_here()
        assert orphan not in running_here()
    finally:
        for one in started:
            one.kill()
            one.wait()
    assert engine not in running_here()


def test_only_what_could_not_be_reached_is_tried_again() -> None:
    def worth(error: Exception) -> bool:
        return is_worth_a_retry(None, None, Failed(data=error))  # type: ignore[arg-type]

    assert worth(UnreachableError("git clone", "must succeed"))
    assert not worth(OperationError("stage etl_pipeline", "must succeed"))
    assert not worth(OSError("disk full"))


@dataclass
class Hook:
    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def hook() -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            made.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

    with served(Handler) as address:
        made = Hook(f"{address}/weekly")
        yield made


@pytest.mark.filterwarnings("ignore:Logger .* attempted to send logs to the API without a flow run id")
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (KeyError("week"), "KeyError: 'week'"),
        (ValueError("two\nlines"), "ValueError: two lines"),
        (OperationError("git push", "must be accepted"), "git push: must be accepted"),
    ],
)
def test_a_fault_fails_with_its_cause_and_tells_the_webhook(
    error: Exception, cause: str, hook: Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise error

    (tmp_path / "params.yaml").write_text(edit_params(DIALS, {"weekly.webhook_url": hook.url}))
    monkeypatch.setattr(pricetrail.operation.schedule.flow, "weekly_run", fails)
    state = weekly_lineage.fn(str(tmp_path))
    assert (state.type, state.name, state.message) == (StateType.FAILED, "Failed", cause)
    assert [body["text"] for body in hook.bodies] == [f"Weekly run: Failed. {cause}"]


def test_a_cron_line_that_means_nothing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        OperationError, match=r"^params\.yaml: weekly\.cron must be a cron line: .*, got '0 25 \* \* 1'$"
    ):
        deployment(parse_params(edit_params(DIALS, {"weekly.cron": "0 25 * * 1"})).weekly, tmp_path)


def test_a_webhook_that_is_a_secret_stays_out_of_params(hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICETRAIL_WEBHOOK_URL", hook.url)
    notify("", "S3 is down")
    notify("http://127.0.0.1:9/not-this-one", "S3 is down")
    assert [body["text"] for body in hook.bodies] == ["Weekly run: Failed. S3 is down"] * 2


@pytest.mark.filterwarnings("ignore:Logger .* attempted to send logs to the API without a flow run id")
@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_normal_ending_is_completed_by_its_own_name(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params.yaml").write_text(DIALS)
    ending = Ending(outcome, "The gates say so.", base="a", commit="b")
    monkeypatch.setattr(pricetrail.operation.schedule.flow, "weekly_run", lambda *_: ending)
    state = weekly_lineage.fn(str(tmp_path))
    assert (state.type, state.name, state.message) == (StateType.COMPLETED, outcome.value, "The gates say so.")


def test_links_lead_to_the_commit_and_never_show_a_password() -> None:
    ending = Ending(Outcome.PUBLISHED, "", base="a" * 40, commit="b" * 40)
    url = "https://bot:s3cret@git.example.com/shop/prices.git"
    text = links(ending, url)
    assert f"(https://git.example.com/shop/prices/commit/{'b' * 40})" in text
    assert "s3cret" not in text
    assert f"`{'b' * 12}` in /srv/prices\n" in links(ending, "/srv/prices")
    assert f"/blob/{'b' * 40}/my%20shops/gifts/reports/model_card.md)" in links(ending, url, "my shops/gifts")


HOSTILE = {
    **{name: TEXTS[name] for name in ("script", "image", "link")},
    "cell": "a | b\n| c | d |\n\n# e",
    "markdown": "[click](javascript:alert(1)) ![](https://evil.example/i.png) <https://evil.example>",
    "code": "`a` ``` *b* _c_ ~~d~~",
}


@pytest.mark.attack
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_text_from_data_is_text_in_prefects_pages(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by another parser of Markdown, with HTML on, as Prefect's pages read it: each cell says just that text."""
    left: dict[str, str] = {}
    monkeypatch.setattr(artifacts, "create_markdown_artifact", lambda key, markdown: left.update({key: markdown}))
    monkeypatch.setattr(
        artifacts, "create_table_artifact",
        lambda key, table, description: left.update({key: description, **{row["what"]: row["value"] for row in table}}),
    )  # fmt: skip
    ending = Ending(Outcome.WITHHELD, text, base="a" * 40, commit="b" * 40, version=text)
    told = Report(ending, {"drift.reason": "old"}, {"drift.reason": text}, "")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    artifacts.leave_artifacts(told, tmp_path, weekly(repository=f"/srv/{text}"))
    reader = MarkdownIt("commonmark", {"html": True}).enable("table")
    plain = " ".join(text.split())
    for key, wanted in {"weekly-run": plain, "release": plain, "weekly-decision": plain, "weekly-metrics": plain,
                        "weekly-links": f"/srv/{plain}"}.items():  # fmt: skip
        tokens = [part for token in reader.parse(str(left[key])) for part in [token, *(token.children or [])]]
        assert {token.tag for token in tokens if token.type not in {"text", "inline"}} <= PLAIN
        assert wanted in "".join(token.content for token in tokens if token.type in {"text", "text_special"})


def test_one_schedule_a_project(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(DIALS)
    (tmp_path / ".pricetrail").mkdir()
    with (tmp_path / ".pricetrail/schedule.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OperationError, match=r"schedule\.lock: must be free: another schedule serves this project"):
            schedule(tmp_path, lambda *_: None)


def test_telemetry_is_off_and_what_the_environment_says_stays() -> None:
    alone = settings(Path("/shop"), {})
    assert alone["PREFECT_HOME"] == "/shop/.pricetrail/prefect"
    for environ in ({}, {"PREFECT_API_URL": "http://prefect:4200/api"}):
        made = settings(Path("/shop"), environ)
        assert (made["DO_NOT_TRACK"], made["PREFECT_SERVER_ANALYTICS_ENABLED"]) == ("1", "false")
    assert settings(Path("/shop"), {"PREFECT_API_URL": ""}) == alone  # as `serve_project` reads it: none
    assert "PREFECT_HOME" not in settings(Path("/shop"), {"PREFECT_HOME": "/srv/prefect"})


def test_a_server_is_ours_only_while_its_process_says_so(tmp_path: Path) -> None:
    """A number that now belongs to another program, or to another project's server, is never stopped."""
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    ours = subprocess.Popen(sleep, env={**os.environ, MARK: str(tmp_path)})
    theirs = subprocess.Popen(sleep, env={**os.environ, MARK: str(tmp_path.parent)})
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            (tmp_path / "prefect-server").write_text(f"{ours.pid} 4200")
            if Server(tmp_path, 4200).pid() == ours.pid:
                break
            time.sleep(0.05)
        assert Server(tmp_path, 4200).pid() == ours.pid
        (tmp_path / "prefect-server").write_text(f"{theirs.pid} 4200")
        assert Server(tmp_path, 4200).pid() is None
        Server(tmp_path, 4200).stop()
        assert theirs.poll() is None
    finally:
        for one in (ours, theirs):
            one.kill()
            one.wait()


@pytest.mark.operation_case
@pytest.mark.parametrize("cron", ["0 0 31 2 *", "0 0 30 2 *", "0 9 31 4,6,9,11 *"])
def test_a_day_that_never_comes_is_refused(cron: str) -> None:
    with pytest.raises(OperationError, match=r"^params\.yaml: weekly\.cron must come due: .* got '0 "):
        next_run(weekly(cron=cron))


@pytest.mark.attack
@pytest.mark.parametrize("kind", ["readable", "writable", "link", "another owner's"])
def test_a_login_that_others_may_know_is_made_anew(kind: str, tmp_path: Path) -> None:
    first, file = login_of(tmp_path, {})
    assert file == tmp_path / LOGIN
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert login_of(tmp_path, {}) == (first, file)
    file.parent.chmod(0o755)
    if kind == "link":
        file.rename(tmp_path / "elsewhere")
        file.symlink_to(tmp_path / "elsewhere")
    elif kind == "another owner's":
        if os.geteuid() != 0:
            pytest.skip("needs root for another uid")
        os.chown(file, NOBODY, NOBODY)
    else:
        file.chmod(0o644 if kind == "readable" else 0o620)
    second, _ = login_of(tmp_path, {})
    assert second not in {first, ""}
    assert is_secret(file)
    assert (file.read_text(), file.parent.stat().st_mode & 0o777) == (second, 0o700)


@pytest.mark.attack
def test_a_login_is_kept_in_no_folder_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / ".pricetrail").symlink_to("theirs")
    with pytest.raises(OperationError, match=r"\.pricetrail: must be a folder of its own, no link"):
        login_of(tmp_path, {})
    assert not list((tmp_path / "theirs").iterdir())


@pytest.mark.attack
def test_each_project_has_its_own_login_and_never_none(tmp_path: Path) -> None:
    made = {login_of(tmp_path / name, {WANTED: "", OURS: ""})[0] for name in ("a", "b")}
    assert len(made) == 2
    for login in made:
        assert re.fullmatch(r"pricetrail:[\w-]{43}", login)
    assert login_of(tmp_path / "a", {WANTED: "me:mine"}) == ("me:mine", None)


def sqlite(file: Path, revision: str) -> Path:
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as made:
        made.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        made.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        made.commit()
    return file


@pytest.mark.operation_case
@pytest.mark.parametrize("who", ["schedule", "doctor"])
def test_a_newer_prefects_database_is_told_as_that(who: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    (tmp_path / "params.yaml").write_text(DIALS)
    file = sqlite(tmp_path / ".pricetrail/prefect/prefect.db", "ffffffffffff")
    told = (
        rf"^{re.escape(str(file))}: was made by a newer Prefect \(revision ffffffffffff\) than the installed 3\.8\.8: "
    )
    with pytest.raises(OperationError, match=told):
        schedule(tmp_path, lambda *_: None) if who == "schedule" else clock.prefect(tmp_path)
    assert sqlite3.connect(file).execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


@pytest.mark.operation_case
def test_a_database_that_is_none_is_told_as_that(tmp_path: Path) -> None:
    sqlite(file := tmp_path / ".pricetrail/prefect/prefect.db", "a3b9c7d2e5f1")
    assert revision_of(tmp_path, {}) == "a3b9c7d2e5f1"
    assert revision_of(tmp_path / "new", {}) == ""
    assert revision_of(tmp_path, {"PREFECT_API_URL": "http://prefect:4200/api"}) is None
    file.write_bytes(b"SQLite format 3" + bytes(300))
    with pytest.raises(OperationError, match=r"must be a database that SQLite can read: .*; or move the file"):
        clock.prefect(tmp_path)


def test_the_revisions_are_those_that_alembic_knows() -> None:
    """Alembic's own reading of Prefect's migrations is the oracle."""
    config = alembic_config()
    config.set_main_option("version_locations", str(Path(prefect.__file__).parents[1] / MIGRATIONS))
    assert {one.revision for one in ScriptDirectory.from_config(config).walk_revisions()} == set(_known())


@pytest.mark.attack
def test_the_doctor_tells_what_is_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Hook) -> None:
    login_of(tmp_path, {})
    assert clock.prefect(tmp_path).state == State.OK
    (tmp_path / LOGIN).chmod(0o644)
    assert clock.prefect(tmp_path).found == "others may read its login, .pricetrail/prefect-login"
    monkeypatch.setenv("PREFECT_API_URL", hook.url)
    assert "asks for no login: who reaches it runs commands here" in clock.prefect(tmp_path).found
