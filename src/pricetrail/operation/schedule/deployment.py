"""The served deployment ``weekly_lineage/weekly``: when it runs, one run at a time, and what is put right before."""

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx
from prefect import serve as prefect_serve
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.responses import DeploymentResponse
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.schedules import Cron, Schedule
from prefect.server.schemas.schedules import CronSchedule
from prefect.types.entrypoint import EntrypointType

from pricetrail.base.errors import OperationError
from pricetrail.base.params_schema import Weekly
from pricetrail.operation.schedule.dead_runs import reap
from pricetrail.operation.schedule.flow import weekly_lineage

NAME: Final = "weekly"
FULL_NAME: Final = f"{weekly_lineage.name}/{NAME}"


def deployment(weekly: Weekly, project: Path) -> RunnerDeployment:
    """The deployment of a project's settings: its cron in its time zone, at most one run at a time, the next one waits.

    Raises:
        OperationError: ``weekly.cron`` means nothing.
    """
    return RunnerDeployment.from_flow(
        weekly_lineage,
        name=NAME,
        schedule=_cron(weekly),
        parameters={"project": str(project.absolute())},
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def next_run(weekly: Weekly) -> datetime:
    """When the schedule is due next, in its own time zone.

    Raises:
        OperationError: ``weekly.cron`` means nothing, or no day.
    """
    _cron(weekly)
    try:
        (due,) = asyncio.run(CronSchedule(cron=weekly.cron, timezone=weekly.timezone).get_dates(1))
    except ValueError:  # of the years that croniter looks at: as for 31 February
        rule = "weekly.cron must come due: there is no such day; set another, such as '0 9 * * 1'"
        raise OperationError("params.yaml", rule, weekly.cron) from None
    return due


def serve(weekly: Weekly, project: Path) -> None:
    """Put right what killed runs left, then run what is due, until told to stop.

    Raises:
        OperationError: ``weekly.cron`` means nothing, Prefect does not answer, or has another project's
            schedule by this name.
    """
    try:
        with get_client(sync_client=True) as client:
            if found := _deployed(client):
                _require_own(found, project)
                reap(client, found)
        prefect_serve(deployment(weekly, project), limit=1, pause_on_shutdown=False, print_starting_message=False)
    except (PrefectException, httpx.HTTPError, RuntimeError, ExceptionGroup) as error:
        raise OperationError(_api(), f"must serve as Prefect's API: {type(error).__name__}: {error}") from None


def _cron(weekly: Weekly) -> Schedule:
    try:
        return Cron(weekly.cron, timezone=weekly.timezone)
    except ValueError as error:  # the settings' own check counts the words of the line, no more
        raise OperationError("params.yaml", f"weekly.cron must be a cron line: {error}", weekly.cron) from None


def _deployed(client: SyncPrefectClient) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(FULL_NAME)
    except ObjectNotFound:
        return None


def _require_own(found: DeploymentResponse, project: Path) -> None:
    """Refuse a name that another project's schedule, or a work pool, has on a server that they share."""
    theirs = str(found.parameters.get("project"))
    if found.work_pool_name or (theirs != str(project.absolute()) and Path(theirs).is_dir()):
        raise OperationError(_api(), f"must have {FULL_NAME} for this project alone", found.work_pool_name or theirs)


def _api() -> str:
    return os.environ.get("PREFECT_API_URL", "Prefect")
