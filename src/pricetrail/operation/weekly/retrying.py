"""Running the steps of a run in this process, without Prefect."""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from pricetrail.base.params_schema import Weekly
from pricetrail.operation.servers.programs import UnreachableError

T = TypeVar("T")
JITTER: Final = 0.5  # share of a delay that is drawn at random, so that two runs do not knock together

log = logging.getLogger(__name__)


class Foreground:
    """An engine that retries with growing, jittered delays."""

    def __init__(self, weekly: Weekly) -> None:
        self._weekly = weekly

    def step(self, name: str, work: Callable[[], T], retried: bool = False) -> T:
        """Run a step."""
        log.info("%s", name)
        if not retried:
            return work()
        delay = self._weekly.retry_delay_seconds

        def tell(state: RetryCallState) -> None:
            failed = state.outcome.exception() if state.outcome else None
            log.warning("%s: %s; again in %.0f s", name, failed, state.next_action.sleep if state.next_action else 0)

        retrying = Retrying(
            stop=stop_after_attempt(1 + self._weekly.retries),
            wait=wait_exponential(multiplier=delay) + wait_random(0, JITTER * delay),
            retry=retry_if_exception_type(UnreachableError),
            before_sleep=tell,
            reraise=True,
        )
        return retrying(work)
