"""How a run can end, what it says of itself, and telling a webhook."""

import logging
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

import httpx

from pricetrail.base.redaction import hide

WEBHOOK_SECONDS: Final = 10.0
SECRET_PART: Final = re.compile(r"[^/?&=]{16,}")  # of an address: less is a word
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

    A webhook that does not answer within 10 seconds in all is logged by its status, and no fault of the run. Nothing
    of its answer is read but the status, and no redirect is followed.

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
    hide(url, *SECRET_PART.findall(url.partition("://")[2].partition("/")[2]))
    told = list[str]()
    # A thread, since neither httpx nor a name server has a limit of the whole; a late one ends with this process.
    posting = threading.Thread(target=lambda: told.append(_post(url, body)), daemon=True)
    posting.start()
    posting.join(WEBHOOK_SECONDS)
    if said := told[0] if told else f"no answer within {WEBHOOK_SECONDS:g} s":
        log.warning("webhook: must take the message of the run: %s", said)


def _post(url: str, body: dict[str, Any]) -> str:
    """Post once, to this address alone; what went wrong, without the address, which may be a secret."""
    try:
        with httpx.Client(timeout=WEBHOOK_SECONDS) as client, client.stream("POST", url, json=body) as answer:
            code = answer.status_code
            if answer.is_redirect:
                return f"{code}, a redirect, which is not followed: set the address that it leads to"
            return "" if answer.is_success else f"{code} {httpx.codes.get_reason_phrase(code)}"
    except Exception as error:  # of a proxy's address, too: its words may be a secret
        return type(error).__name__
