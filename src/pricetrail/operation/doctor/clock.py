"""Checks of what runs by the clock: when the weekly run is due, and Prefect's server, its database and its login."""

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from pricetrail.base import files
from pricetrail.base.params import FILE
from pricetrail.operation.doctor.findings import Outcome, State, worst
from pricetrail.operation.schedule import prefect_server
from pricetrail.operation.schedule.database import database_of, revision_of

SECONDS = 5.0  # for a server to answer


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
    found = list[Outcome]()
    if (file := database_of(project, os.environ)) is None:
        found.append(Outcome(State.OK, "its database is where the environment says"))
    elif revision := revision_of(file):
        found.append(Outcome(State.OK, f"its database has revision {revision}"))
    login = project / prefect_server.LOGIN
    if login.exists() and not prefect_server.is_secret(login):
        advice = f"rm {prefect_server.LOGIN}: the next `pricetrail schedule` makes a new one"
        found.append(Outcome(State.FAILED, f"others may read its login, {prefect_server.LOGIN}", advice))
    return worst(found or [Outcome(State.OK, "not used yet here")])


def _of_ones_own(api: str) -> Outcome:
    with suppress(httpx.HTTPError, httpx.InvalidURL):
        answer = httpx.get(f"{api.rstrip('/')}/admin/version", timeout=SECONDS)
        if answer.status_code == httpx.codes.OK:
            advice = (
                'set PREFECT_SERVER_API_AUTH_STRING there, and PREFECT_API_AUTH_STRING here: docs/schedule.md, "Login"'
            )
            return Outcome(State.WARNING, f"{api} asks for no login: who reaches it runs commands here", advice)
        return Outcome(State.OK, f"{api} answers {answer.status_code} to who has no login")
    return Outcome(State.WARNING, f"{api} does not answer", "start that server, or unset PREFECT_API_URL")
