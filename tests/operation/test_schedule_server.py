"""`pricetrail schedule` as people run it: one real server and schedule for all tests, asked over Prefect's HTTP API."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import psutil
import pytest

from pricetrail.base.processes import is_running
from support.clone import Clone
from support.commands import environment
from support.real_schedule import ENDED, Run, Schedule, environment_of_schedule, start, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.xdist_group("schedule")]
STEPS = {"snapshot", "reproduce", "push", "verify", "publish", "report"}


@pytest.fixture(scope="module")
def schedule(shop: Clone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Schedule]:
    folder = tmp_path_factory.mktemp("schedule") / "project"
    shutil.copytree(shop.folder, folder, symlinks=True)
    project = Clone(folder)
    project.params(weekly__cron="* * * * *", weekly__timezone="UTC", weekly__retry_delay_seconds=0.5)
    project.commit()
    running = start(project.folder)
    yield running
    if running.process.poll() is None:  # a test has failed: the last one ends it
        running.process.terminate()
        running.process.wait(60)
    subprocess.run([sys.executable, "-m", "pricetrail.cli", "s3", "stop"], cwd=folder, env=environment(), check=True)


def test_the_clock_starts_a_run_and_all_of_it_can_be_seen(schedule: Schedule) -> None:
    def first() -> Run | None:
        runs = schedule.post("flow_runs/filter", sort="EXPECTED_START_TIME_ASC")
        return next((run for run in runs if run["state_type"] in {"RUNNING", *ENDED}), None)

    run = wait_for(first)
    schedule.post(f"deployments/{schedule.deployment}/pause_deployment")  # one run is enough
    assert run["auto_scheduled"]
    assert run["expected_start_time"][17:19] == "00"
    run = schedule.ended(run)
    assert (run["state_type"], run["state_name"]) == ("COMPLETED", "Released"), run["state"]["message"]
    tasks = wait_for(lambda: found if len(found := schedule.of("task_runs", run)) == len(STEPS) else [])
    assert {task["name"]: task["state_type"] for task in tasks} == dict.fromkeys(STEPS, "COMPLETED")

    head = Clone(schedule.folder).must("git", "rev-parse", "HEAD").strip()
    assert "Weekly run: released" in Clone(schedule.folder).must("git", "log", "-1", "--format=%s")
    artifacts = {found["key"]: str(found["data"]) for found in schedule.of("artifacts", run)}
    assert set(artifacts) == {"weekly-run", "weekly-metrics", "weekly-decision", "weekly-links"}
    assert head in artifacts["weekly-run"]
    assert head[:12] in artifacts["weekly-links"]
    assert artifacts["weekly-decision"] == (schedule.folder / "reports/decision.md").read_text()
    lines = [log["message"] for log in schedule.of("logs", run)]
    assert "no stage has to run" in lines


def test_only_what_was_out_of_reach_is_tried_again(schedule: Schedule) -> None:
    """Also: a server that was killed is there again, at its old address, for the runs that need it."""
    os.kill(schedule.server, signal.SIGKILL)
    wait_for(lambda: schedule.get("health"))
    params = schedule.folder / "params.yaml"
    before = params.read_text()
    try:
        Clone(schedule.folder).params(weekly__retries=2, weekly__repository="/nowhere", weekly__branch="main")
        away = schedule.ended(schedule.start_run())
        Clone(schedule.folder).params(weekly__repository=".")
        dirty = schedule.ended(schedule.start_run())
    finally:
        params.write_text(before)
    assert (away["state_type"], dirty["state_type"]) == ("FAILED", "FAILED")
    assert (
        away["state"]["message"]
        == "git ls-remote: must succeed: fatal: '/nowhere' does not appear to be a git repository"
    )
    assert dirty["state"]["message"].endswith("commit or stash")
    tries = {}
    for name, run in (("away", away), ("dirty", dirty)):
        (task,) = wait_for(lambda run=run: schedule.of("task_runs", run))  # type: ignore[misc]
        tries[name] = task["run_count"]
    assert tries == {"away": 3, "dirty": 1}


def test_the_next_start_repairs_a_killed_schedule_and_run(schedule: Schedule) -> None:
    killed = schedule.start_run()
    wait_for(lambda: schedule.get(f"flow_runs/{killed['id']}")["state_type"] == "RUNNING")
    wait_for(lambda: schedule.of("task_runs", killed))
    own = psutil.Process(schedule.process.pid)
    engines = [child for child in own.children() if "prefect.engine" in " ".join(child.cmdline())]
    assert engines
    for process in (own, *engines):
        process.kill()
    schedule.process.wait()
    server = psutil.Process(schedule.server)
    late = [schedule.start_run() for _ in range(3)]
    assert schedule.get(f"flow_runs/{killed['id']}")["state_type"] == "RUNNING"  # as Prefect leaves it by itself

    again = start(schedule.folder)
    schedule.process = again.process
    assert again.api == schedule.api  # for a run that lives: its server is a new one, which asks for the login
    assert wait_for(lambda: not is_running(server))
    states = [schedule.ended(run) for run in (killed, *late)]
    assert [run["state_name"] for run in states] == ["Crashed", "Cancelled", "Cancelled", "Unchanged"]
    assert "Its process was gone" in states[0]["state"]["message"]
    assert not list((schedule.folder / ".pricetrail/runs").iterdir())


def test_a_second_schedule_is_refused_and_sigterm_ends_all(schedule: Schedule) -> None:
    env = environment_of_schedule()
    second = subprocess.run(
        [sys.executable, "-m", "pricetrail.cli", "schedule"],
        cwd=schedule.folder, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert "another schedule serves this project" in second.stderr
    server = psutil.Process(schedule.server)
    schedule.process.terminate()
    assert schedule.process.wait(60) == 0
    assert wait_for(lambda: not is_running(server))
    with pytest.raises(httpx.ConnectError):
        schedule.get("health")
