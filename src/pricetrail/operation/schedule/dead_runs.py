"""Putting right what Prefect still believes of runs whose processes were killed while nobody watched them.

Such a run stays Running for ever, and with a limit of one run no later one would ever start. Runs that were due while
nothing served pile up too, as do those of a machine that was suspended: one of them is enough.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId, FlowRunFilter, FlowRunFilterState
from prefect.client.schemas.filters import FlowRunFilterStateType as OfType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelled, Crashed

from pricetrail.base.processes import matching

UNDER_WAY: Final = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
ENGINE: Final = "prefect.engine"
RUN_ID: Final = "PREFECT__FLOW_RUN_ID"
PAGE: Final = 200
LATER: Final = "A later run was due before this one could begin; that one stands for it."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """A run that has not ended, as Prefect knows it.

    Attributes:
        due: when it was to start.
        is_by_clock: the schedule has made it, not a person.
    """

    id: UUID
    state: StateType
    due: datetime
    is_by_clock: bool = True


@dataclass(frozen=True)
class Judged:
    """What is to be done about runs.

    Attributes:
        dead: under way for Prefect, but without a process.
        surplus: late ones but for the newest.
        alive: under way, with a process.
    """

    dead: tuple[UUID, ...]
    surplus: tuple[UUID, ...]
    alive: tuple[UUID, ...]


def judge(runs: Sequence[Known], processes: frozenset[UUID], now: datetime) -> Judged:
    """Tell runs that have a process from those that lost it, and late ones that one run stands for.

    Args:
        runs: those that have not ended.
        processes: the runs that a process of this machine works on.
        now: with its time zone.
    """
    under_way = [run.id for run in runs if run.state in UNDER_WAY]
    late = sorted((run.due, run.id) for run in runs if run.state == StateType.SCHEDULED and run.due <= now)
    return Judged(
        dead=tuple(run for run in under_way if run not in processes),
        surplus=tuple(run for _, run in late[:-1]),
        alive=tuple(run for run in under_way if run in processes),
    )


def reap(client: SyncPrefectClient, deployment: DeploymentResponse) -> Judged:
    """Judge a deployment's runs, and have Prefect's records say so; slots of dead runs are free again.

    Only before it is served, and by the only one who serves it: a run that is just being started has no process yet.
    """
    judged = judge(_unended(client, deployment.id), running_here(), datetime.now(UTC))
    for run in judged.dead:
        log.warning("run %s had lost its process: now Crashed", run)
        told = "Its process was gone when the schedule started again; the next run repairs what it left."
        client.set_flow_run_state(run, Crashed(message=told), force=True)
    for run in judged.surplus:
        log.info("run %s was due while nothing served: Cancelled, the latest one stands for it", run)
        told = "Due while nothing served; the latest such run stands for it."
        client.set_flow_run_state(run, Cancelled(message=told), force=True)
    if limit := deployment.global_concurrency_limit:
        slots = GlobalConcurrencyLimitUpdate(active_slots=min(len(judged.alive), limit.limit))
        client.update_global_concurrency_limit(limit.name, slots)
    return judged


def gives_way(own: FlowRun) -> bool:
    """Whether a run that begins is late, and a later one is due: that one runs, and those between are Cancelled, too.

    A schedule that was stopped, or a machine that slept, has them start one after the other. Runs that people started
    stay.
    """
    if not own.auto_scheduled or own.deployment_id is None:
        return False
    began, now = own.expected_start_time or datetime.now(UTC), datetime.now(UTC)
    with get_client(sync_client=True) as client:
        runs = _unended(client, own.deployment_id)
        due = [run for run in runs if run.state == StateType.SCHEDULED and run.is_by_clock and began < run.due <= now]
        for run in sorted(due, key=lambda run: run.due)[:-1]:
            client.set_flow_run_state(run.id, Cancelled(message=LATER), force=True)
    return bool(due)


def _unended(client: SyncPrefectClient, deployment: UUID) -> list[Known]:
    states = [*UNDER_WAY, StateType.SCHEDULED]
    found = list[FlowRun]()
    while True:
        page = client.read_flow_runs(
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=OfType(any_=states))),
            sort=FlowRunSort.EXPECTED_START_TIME_ASC,
            limit=PAGE,
            offset=len(found),
        )
        found += page
        if len(page) < PAGE:
            break
    now = datetime.now(UTC)
    return [
        Known(run.id, run.state.type, run.expected_start_time or now, run.auto_scheduled) for run in found if run.state
    ]


def running_here() -> frozenset[UUID]:
    """The flow runs that processes of this machine work on."""
    found = set[UUID]()
    for process in matching(lambda process: any(ENGINE in word for word in process.cmdline())):
        with suppress(psutil.Error, KeyError, ValueError):  # it has ended, or runs no flow run
            found.add(UUID(process.environ()[RUN_ID]))
    return frozenset(found)
