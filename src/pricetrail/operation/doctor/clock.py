"""The check of this machine's clock: S3 refuses signatures of another time."""

from __future__ import annotations

import email.utils
import ssl
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from pricetrail.base.errors import OperationError
from pricetrail.lineage.git import git
from pricetrail.operation.doctor.findings import Outcome, failed, ok, warning
from pricetrail.operation.doctor.remote import CONNECT_SECONDS, default_remote
from pricetrail.operation.servers.s3 import HOST

SKEW_FAILS: Final = 900  # S3 refuses signatures that are older
SKEW_WARNS: Final = 60
AWS: Final = "https://s3.amazonaws.com"


def clock(project: Path) -> Outcome:
    """This machine's clock against the S3 server's, or against git's newest commit.

    Raises:
        OperationError: there is no remote.
        httpx.HTTPError: the server does not answer.
    """
    remote = default_remote(project)
    if remote.is_s3:
        endpoint = str(remote.settings.get("endpointurl") or AWS)
        ahead, measured = _ahead_of(endpoint, remote.settings.get("ssl_verify", True)), endpoint
    else:
        newest = git("for-each-ref", "--sort=-creatordate", "--count=1", "--format=%(creatordate:unix)", folder=project)
        ahead, measured = max(0.0, float(newest or 0) - time.time()) * -1, "git's newest commit"
    found = f"{abs(ahead):.0f} s {'behind' if ahead < 0 else 'ahead of'} {measured}"
    advice = "set the clock: `timedatectl set-ntp true`; S3 refuses signatures that are 15 minutes off"
    if abs(ahead) >= SKEW_FAILS:
        return failed(found, advice)
    return warning(found, advice) if abs(ahead) >= SKEW_WARNS else ok(found)


def _ahead_of(url: str, verify: object) -> float:
    """Seconds that this clock is ahead of a server's, give or take one.

    Raises:
        httpx.HTTPError: it does not answer.
        OperationError: it tells no date.
    """
    context = ssl.create_default_context(cafile=verify) if isinstance(verify, str) else verify is not False
    here = urlsplit(url).hostname == HOST
    started = time.time()
    with httpx.Client(timeout=CONNECT_SECONDS, verify=context, trust_env=not here) as client:
        said = client.head(url).headers.get("date")
    if said is None:
        raise OperationError(url, "must tell its date")
    middle = (started + time.time()) / 2
    return middle - (email.utils.parsedate_to_datetime(said).timestamp() + 0.5)  # a date has whole seconds
