"""A real `pricetrail schedule` of a project, asked over Prefect's HTTP API with the project's login."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from support.commands import environment

PATIENCE = 240.0  # seconds, of a busy machine
ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
Run = dict[str, Any]
T = TypeVar("T")


def wait_for(what: Callable[[], T]) -> T:
    """The first true value, asked for again and again."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if found := what():
                return found
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    raise AssertionError("waited in vain")


@dataclass
class Schedule:
    """A `pricetrail schedule` of a project."""

    folder: Path
    process: subprocess.Popen[str]
    api: str

    def post(self, path: str, **body: Any) -> Any:
        answer = httpx.post(f"{self.api}/{path}", json=body, auth=self.login, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        answer = httpx.get(f"{self.api}/{path}", auth=self.login, timeout=30)
        answer.raise_for_status()
        return answer.json()

    @property
    def login(self) -> tuple[str, str] | None:
        file = self.folder / ".pricetrail/prefect-login"
        if not file.exists():
            return None
        user, _, password = file.read_text().partition(":")
        return user, password

    @property
    def deployment(self) -> str:
        return str(self.get("deployments/name/weekly_lineage/weekly")["id"])

    def start_run(self) -> Run:
        """A new run; asked again where Prefect's SQLite is busy, which is a 503."""
        return wait_for(lambda: dict(self.post(f"deployments/{self.deployment}/create_flow_run")))

    def ended(self, run: Run) -> Run:
        found = wait_for(
            lambda: next((r for r in [self.get(f"flow_runs/{run['id']}")] if r["state_type"] in ENDED), None)
        )
        return dict(found)

    def of(self, kind: str, run: Run) -> list[Run]:
        """Task runs, artifacts or logs of a flow run."""
        if kind == "logs":
            return list(self.post("logs/filter", logs={"flow_run_id": {"any_": [run["id"]]}}, sort="TIMESTAMP_ASC"))
        return list(self.post(f"{kind}/filter", flow_runs={"id": {"any_": [run["id"]]}}))

    @property
    def server(self) -> int:
        return int((self.folder / ".pricetrail/prefect-server").read_text().split()[0])


def environment_of_schedule() -> dict[str, str]:
    """This working tree's code, nothing of the caller's Prefect, and a runner that looks often."""
    return {**environment(), "PREFECT_RUNNER_POLL_FREQUENCY": "2"}


def start(folder: Path, **extra: str) -> Schedule:
    """Start one, with more variables, and wait until its server answers; its log is beside the project."""
    env = {**environment_of_schedule(), **extra}
    told = folder.parent / "schedule.log"
    with told.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pricetrail.cli", "schedule"],
            cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Prefect: http://127.0.0.1:"), told.read_text()
    return Schedule(folder, process, f"{line.split()[1]}/api")
