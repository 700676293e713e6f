"""Whether the DVC remote takes an object and gives it back, and what to do where it does not."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import botocore.exceptions

from pricetrail.base.errors import cause_of
from pricetrail.lineage.dvc_cache import dvc_config
from pricetrail.operation.releases.remote import Remote, open_remote
from pricetrail.operation.servers.s3 import ensure_running

PROBE_BYTES: Final = 4096
LIMITS: Final = {"connect_timeout": 5, "read_timeout": 20}  # seconds
ATTEMPTS: Final = "AWS_MAX_ATTEMPTS"
ADVICE: Final = "see `dvc remote list` and docs/aws.md"
ADVICES: Final[Mapping[type[BaseException], str]] = {  # the first that fits
    botocore.exceptions.NoCredentialsError: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `aws configure`, or "
    "`dvc remote modify --local NAME access_key_id KEY` and the same for secret_access_key",
    PermissionError: "see that the keys are right, and allow Get, Put, DeleteObject and ListBucket: docs/aws.md",
    FileNotFoundError: "make the bucket or folder, or correct the remote's url",
    botocore.exceptions.BotoCoreError: "start that server, or correct the remote's url and endpointurl",
}
REGION_ADVICE: Final = "set the bucket's own region: `dvc remote modify --local NAME region REGION`"
CLOCK_ADVICE: Final = "set the clock: `timedatectl set-ntp true`; S3 refuses signatures that are 15 minutes off"
# S3 refuses a bulk delete inside its answer, which s3fs does not read: so does `dvc gc --cloud` seem to work
DELETE_ADVICE: Final = "allow DeleteObject, docs/aws.md, and delete it; or leave it so, and never `dvc gc --cloud`"


@dataclass(frozen=True)
class Fault:
    """Why a remote is no good one.

    Attributes:
        found: what went wrong, with the remote's URL.
        advice: what to do about it.
        stops_runs: it refuses what a run needs, and no later try will mend that.
    """

    found: str
    advice: str
    stops_runs: bool = False


@contextmanager
def opened(project: Path) -> Iterator[Remote]:
    """The default remote, the embedded server started; a dead server is told in seconds.

    Raises:
        OperationError: the embedded server does not start.
        ReleaseError: there is no remote.
    """
    ensure_running(project)
    config = dvc_config(project)
    name = config["core"].get("remote")
    own = config["remote"].get(name, {})
    is_s3 = str(own.get("url", "")).startswith("s3://")
    limits = {key: seconds for key, seconds in LIMITS.items() if is_s3 and key not in own}
    before = os.environ.get(ATTEMPTS)
    os.environ[ATTEMPTS] = before or "1"
    try:
        with open_remote(project, settings={"remote": {name: limits}} if limits else None) as remote:
            yield remote
    finally:
        if before is None:
            del os.environ[ATTEMPTS]


def fault_of(remote: Remote) -> Fault | None:
    """Write an object, read it back, compare, delete it, with DVC's own file system; None where all of it works.

    S3 does not say why it refuses a HEAD, with which DVC begins; of a PUT it does.
    """
    fs, content = remote.handle.fs, secrets.token_bytes(PROBE_BYTES)
    path, step = fs.join(remote.handle.path, "probes", secrets.token_hex(16)), "written"
    try:
        fs.makedirs(fs.parent(path))
        fs.pipe_file(path, content)
        step = "read"
        back = bytes(fs.cat_file(path))
        step = "deleted"
        fs.remove(path)
        is_left = fs.exists(path)
    except Exception as error:
        with suppress(Exception):
            fs.remove(path)
        told = f"{remote.url}: must let an object be {step}: {cause_of(error)}"
        return Fault(told, _advice(error), step != "deleted" and _is_final(error))
    if back != content:
        return Fault(f"{remote.url} gave other bytes back", "do not push there: ask who runs it")
    return Fault(f"{path} is still there after it was deleted", DELETE_ADVICE) if is_left else None


def _is_final(error: BaseException | None) -> bool:
    """Whether a store refused, with an answer other than that it is busy; or there are no keys to ask it with."""
    while error is not None:
        if isinstance(error, botocore.exceptions.ClientError):
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return bool(300 <= status < 500 and status not in {408, 429})
        if isinstance(error, PermissionError | FileNotFoundError | botocore.exceptions.NoCredentialsError):
            return True
        error = error.__cause__
    return False


def _advice(error: BaseException) -> str:
    if "request time" in str(error):
        return CLOCK_ADVICE
    if "region" in str(error):
        return REGION_ADVICE
    return next((advice for kind, advice in ADVICES.items() if isinstance(error, kind)), ADVICE)
