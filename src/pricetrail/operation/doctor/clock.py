"""Checks of what runs by the clock: when the weekly run is due, and Prefect's server, its database and its login."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import httpx

from pricetrail.base import files
from pricetrail.base.params import FILE
from pricetrail.operation.doctor.findings import Outcome, State
from pricetrail.operation.schedule import prefect_server
from pricetrail.operation.schedule.database import revision_of

SECONDS: Final = 5.0  # for a server to answer


def schedule(project: Path) -> Outcome:
    """When the weekly run is due, and what the clock says there.

    Raises:
        PricetrailError: params.yaml is not right, or that is never.
    """
    from pricetrail.operation.schedule.deployment import next_run  # takes seconds to import

    weekly = files.read_params(project / FILE).weekly
    now, due = datetime.now(ZoneInfo(weekly.timezone)), next_run(weekly)
    told = f"cron {weekly.cron} in {weekly.timezone}, where it is {now:%a %H:%M}"
    return Outcome(State.OK, f"{told}; next run {due:%a %Y-%m-%d %H:%M}")


def prefect(project: Path) -> Outcome:
    """That the installed Prefect can open its database, and that nobody else can use its server.

    Raises:
        OperationError: it cannot open it.
    """
    if api := os.environ.get("PREFECT_API_URL"):
        return _of_ones_own(api)
    revision = revision_of(project, os.environ)
    elsewhere = {None: "its database is where the environment says", "": "not used yet here"}
    login = project / prefect_server.LOGIN
    if login.exists() and not prefect_server.is_secret(login):
        advice = f"rm {prefect_server.LOGIN}: the next `pricetrail schedule` makes a new one"
        return Outcome(State.FAILED, f"others may read its login, {prefect_server.LOGIN}", advice)
    return Outcome(State.OK, elsewhere.get(revision, f"its database has revision {revision}"))


def _of_ones_own(api: str) -> Outcome:
    with suppress(httpx.HTTPError, httpx.InvalidURL):
        answer = httpx.get(f"{api.rstrip('/')}/admin/version", timeout=SECONDS)
        if answer.status_code == httpx.codes.OK:
            advice = f'set {prefect_server.WANTED} there, and {prefect_server.OURS} here: docs/schedule.md, "Login"'
            return Outcome(State.WARNING, f"{api} asks for no login: who reaches it runs commands here", advice)
        return Outcome(State.OK, f"{api} answers {answer.status_code} to who has no login")
    return Outcome(State.WARNING, f"{api} does not answer", "start that server, or unset PREFECT_API_URL")
