"""The weekly Prefect flow ``weekly_lineage``: each step of ``operation.weekly`` is a task, its results are artifacts.

A closed gate is a normal ending: the run is Completed, by the name of its outcome (``Withheld``, ``Released``, …), and
nothing is tried again. A fault is Failed, with its cause in one line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from prefect import Task, flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from pricetrail import files
from pricetrail.errors import PricetrailError
from pricetrail.operation.message import metrics_table
from pricetrail.operation.notify import notify
from pricetrail.operation.programs import UnreachableError
from pricetrail.operation.weekly import Report, weekly_run
from pricetrail.params import Weekly

T = TypeVar("T")
JITTER = 0.5


class PrefectEngine:
    """Runs each step as a task run, its retries seen by Prefect."""

    def __init__(self, weekly: Weekly) -> None:
        self._weekly = weekly

    def step(self, name: str, work: Callable[[], T], retried: bool = False) -> T:
        """Run a step."""
        delays = [self._weekly.retry_delay_seconds * 2**n for n in range(self._weekly.retries)]
        decorate = task(
            name=name,
            task_run_name=name,
            retries=len(delays) if retried else 0,
            retry_delay_seconds=delays,
            retry_jitter_factor=JITTER,
            retry_condition_fn=_is_unreachable,
            persist_result=False,
            cache_policy=NO_CACHE,
        )
        return decorate(work)()


def _is_unreachable(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
    """Whether trying again may help; a closed gate or wrong data will not become right by it."""
    result = state.result(raise_on_failure=False)
    return isinstance(result, UnreachableError)


@flow(name="weekly_lineage", log_prints=False, persist_result=False)
def weekly_lineage(project: str = ".") -> State[Any]:
    """Run the pipeline on the branch's newest commit and data, and publish what comes of it.

    Args:
        project: the folder of the project, whose params.yaml has the dials of the run (section ``weekly``).
    """
    home = Path(project).absolute()
    try:
        weekly = files.read_params(home / "params.yaml").weekly
        with _logging_to_prefect():
            ending = weekly_run(home, PrefectEngine(weekly), lambda told: report(told, weekly))
    except PricetrailError as error:
        notify_of_fault(home, str(error))
        return Failed(message=str(error))
    return Completed(name=ending.outcome.value, message=ending.headline)


def report(told: Report, weekly: Weekly) -> None:
    """Leave the run's results where people look: artifacts in Prefect, and the webhook."""
    ending = told.ending
    rows: list[dict[str, Any]] = [
        {"what": "outcome", "value": ending.outcome.value},
        {"what": "commit", "value": ending.commit},
        {"what": "release", "value": ending.version or "none"},
        {"what": "new objects", "value": ending.objects},
        {"what": "their bytes", "value": ending.object_bytes},
    ]
    create_table_artifact(key="weekly-run", table=rows, description=ending.headline)
    create_markdown_artifact(key="weekly-metrics", markdown=metrics_table(told.before, told.after))
    create_markdown_artifact(key="weekly-decision", markdown=told.decision or ending.headline)
    notify(weekly.webhook_url, ending)


def notify_of_fault(home: Path, cause: str) -> None:
    """Tell the webhook of a fault, as far as params.yaml can be read."""
    try:
        weekly = files.read_params(home / "params.yaml").weekly
    except PricetrailError:
        return
    notify(weekly.webhook_url, cause)


@contextmanager
def _logging_to_prefect() -> Iterator[None]:
    """Pass on what this package logs to the flow run, so that `dvc repro` is seen live in the UI."""
    try:
        run_logger = get_run_logger()
    except MissingContextError:
        yield
        return

    class Bridge(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            run_logger.log(record.levelno, record.getMessage())

    ours, bridge = logging.getLogger("pricetrail"), Bridge()
    level = ours.level
    ours.addHandler(bridge)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.removeHandler(bridge)
        ours.setLevel(level)
