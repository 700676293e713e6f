"""Telling a webhook how a run ended, as JSON with a ``text`` that Slack and Mattermost show."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from typing import Any, Final

import httpx

from pricetrail.operation.weekly.outcome import Ending

SECONDS: Final = 10.0
VARIABLE: Final = "PRICETRAIL_WEBHOOK_URL"

log = logging.getLogger(__name__)


def notify(url: str, ending: Ending | str) -> None:
    """Post an ending, or the cause of a fault; a webhook that does not answer is logged, and no fault of the run.

    Args:
        url: empty for none; the environment's ``PRICETRAIL_WEBHOOK_URL`` goes before it.
        ending: of the run, or the cause of its fault.
    """
    url = os.environ.get(VARIABLE, url)
    if not url:
        return
    if isinstance(ending, Ending):
        body: dict[str, Any] = {"text": f"Weekly run: {ending.outcome}. {ending.headline}", **asdict(ending)}
    else:
        body = {"text": f"Weekly run: Failed. {ending}", "outcome": "Failed", "headline": ending}
    try:
        httpx.post(url, json=body, timeout=SECONDS).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        log.warning("webhook: must take the message of the run: %s", error)
