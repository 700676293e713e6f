"""How a run can end, what it says of itself, and telling a webhook."""

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

import httpx

WEBHOOK_SECONDS: Final = 10.0
WEBHOOK: Final = "PRICETRAIL_WEBHOOK_URL"

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """The normal endings; anything else is a fault, and publishes nothing."""

    RELEASED = "Released"  # results published, and a new release serves
    PUBLISHED = "Published"  # results published, the candidate is the one that serves already
    WITHHELD = "Withheld"  # results published, a gate is closed
    UNCHANGED = "Unchanged"  # nothing new: nothing published
    SUPERSEDED = "Superseded"  # the branch holds other inputs or results by now: nothing published


@dataclass(frozen=True)
class Ending:
    """One run that came to an end.

    Attributes:
        headline: one sentence.
        base: the commit it started from.
        commit: the commit it published; ``base`` where it published none.
        version: of the release it made; empty for none.
        objects, object_bytes: new ones of this run, all of them in the remote.
        message: of the commit; empty where there was none.
        seconds: by step.
    """

    outcome: Outcome
    headline: str
    base: str
    commit: str
    version: str = ""
    objects: int = 0
    object_bytes: int = 0
    message: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)


def notify(url: str, ending: Ending | str) -> None:
    """Post an ending, or the cause of a fault, as JSON with a ``text`` that Slack and Mattermost show.

    A webhook that does not answer is logged, and no fault of the run.

    Args:
        url: empty for none; the environment's ``PRICETRAIL_WEBHOOK_URL`` goes before it.
        ending: of the run, or the cause of its fault.
    """
    url = os.environ.get(WEBHOOK, url)
    if not url:
        return
    if isinstance(ending, Ending):
        body: dict[str, Any] = {"text": f"Weekly run: {ending.outcome}. {ending.headline}", **asdict(ending)}
    else:
        body = {"text": f"Weekly run: Failed. {ending}", "outcome": "Failed", "headline": ending}
    try:
        httpx.post(url, json=body, timeout=WEBHOOK_SECONDS).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("webhook: must take the message of the run: %s", error)
