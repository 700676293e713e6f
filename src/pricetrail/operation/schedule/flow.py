"""The weekly Prefect flow ``weekly_lineage``: each step of ``operation.weekly`` is a task, its results are artifacts.

A closed gate is a normal ending: the run is Completed, by the name of its outcome (``Withheld``, ``Released``, …), and
nothing is tried again. A fault is Failed, with its cause in one line.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from prefect import Task, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.logging.handlers import APILogHandler
from prefect.states import Cancelled, Completed, Failed

from pricetrail.base import files
from pricetrail.base.errors import PricetrailError, cause_of
from pricetrail.base.params_schema import Weekly
from pricetrail.base.redaction import redact_logs
from pricetrail.operation.schedule.artifacts import leave_artifacts
from pricetrail.operation.schedule.dead_runs import LATER, gives_way
from pricetrail.operation.servers.programs import UnreachableError
from pricetrail.operation.weekly.outcome import notify
from pricetrail.operation.weekly.retrying import JITTER
from pricetrail.operation.weekly.run import Report, weekly_run

T = TypeVar("T")

log = logging.getLogger(__name__)


@flow(name="weekly_lineage", persist_result=False)
def weekly_lineage(project: str = ".") -> State[None]:
    """Run the pipeline on the branch's newest commit and data, and publish what comes of it.

    Args:
        project: the folder of the project, whose params.yaml has the settings of the run (section ``weekly``).
    """
    home = Path(project).absolute()

    def report(told: Report) -> None:
        leave_artifacts(told, home, weekly)
        notify(weekly.webhook_url, told.ending)

    with _logging_to_prefect():
        try:
            if (context := FlowRunContext.get()) and context.flow_run and gives_way(context.flow_run):
                return Cancelled(message=LATER)
            weekly = files.read_params(home / "params.yaml").weekly
            ending = weekly_run(home, PrefectEngine(weekly), report)
        except Exception as error:
            cause = cause_of(error)
            log.error("%s", cause, exc_info=None if isinstance(error, PricetrailError) else error)
            with suppress(PricetrailError):  # params.yaml itself may be the cause
                notify(files.read_params(home / "params.yaml").weekly.webhook_url, cause)
            return Failed(message=cause)
    return Completed(name=ending.outcome.value, message=ending.headline)


class PrefectEngine:
    """Runs each step as a task run, its retries seen by Prefect."""

    def __init__(self, weekly: Weekly) -> None:
        self._weekly = weekly

    def step(self, name: str, work: Callable[[], T], retried: bool = False) -> T:
        """Run a step."""
        delays = [self._weekly.retry_delay_seconds * 2**n for n in range(self._weekly.retries if retried else 0)]
        decorate = task(
            name=name,
            task_run_name=name,
            retries=len(delays),
            retry_delay_seconds=delays,
            retry_jitter_factor=JITTER,
            retry_condition_fn=is_worth_a_retry,
            persist_result=False,
            cache_policy=NO_CACHE,
        )
        return decorate(work)()


def is_worth_a_retry(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    """Whether a failed task may do better later; a closed gate or wrong data will not become right by it."""
    return isinstance(state.result(raise_on_failure=False), UnreachableError)


@contextmanager
def _logging_to_prefect() -> Iterator[None]:
    """Send what this package logs to the run's logs, so that `dvc repro` is seen live in the UI."""
    redact_logs(os.environ)
    ours, handler = logging.getLogger("pricetrail"), APILogHandler()
    level = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        ours.setLevel(level)
