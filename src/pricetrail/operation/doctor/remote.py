"""Checks of the DVC remote: who can read its keys, a probe object, what of the lock is there."""

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import botocore.exceptions
from dvc.config import Config

from pricetrail.base import files
from pricetrail.base.errors import LineageError, OperationError
from pricetrail.base.params import FILE
from pricetrail.lineage.commit import LOCK, Commit
from pricetrail.lineage.dvc_cache import cache_folder, dvc_config, object_at
from pricetrail.lineage.lock import is_of_other_lines
from pricetrail.operation.doctor.findings import Outcome, State, cause, worst
from pricetrail.operation.releases.kept import Lost, lost_of_releases
from pricetrail.operation.releases.make import missing_in_remote
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.releases.remote import Objects, Remote, open_remote
from pricetrail.operation.servers.s3 import ensure_running

SECRETS: Final = ("access_key_id", "secret_access_key", "session_token", "password", "connection_string", "account_key")
PROBE_BYTES: Final = 4096
DEMO_LOCK: Final = "demo/dvc.lock"
TOLD: Final = 5  # releases that are told of by name
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
COPY: Final = "`pricetrail releases --copy-from {}`"
GONE_ADVICE: Final = (
    "bring the bucket back from a copy, or `dvc push --all-tags` where a cache still has them; "
    "and clean up by `dvc gc` only with --all-tags or --all-commits: docs/releases.md"
)
REGION_ADVICE: Final = "set the bucket's own region: `dvc remote modify --local NAME region REGION`"
CLOCK_ADVICE: Final = "set the clock: `timedatectl set-ntp true`; S3 refuses signatures that are 15 minutes off"
FIRST_RUN: Final = "dvc repro, and commit dvc.lock"
# S3 refuses a bulk delete inside its answer, which s3fs does not read: so does `dvc gc --cloud` seem to work
DELETE_ADVICE: Final = "allow DeleteObject, docs/aws.md, and delete it; or leave it so, and never `dvc gc --cloud`"


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


def keys(project: Path) -> Outcome:
    """That nobody else can read the remote's keys: they are in no file that git tracks, or of too wide a mode."""
    found = [Outcome(State.OK, "no key in .dvc/config")]
    sections = Config(dvc_dir=str(project / ".dvc"), validate=False).load_one("repo").get("remote", {})
    if tracked := sorted({key for settings in sections.values() for key in settings if key in SECRETS}):
        advice = "take them out, `dvc remote modify --local` puts them where git does not look; then make new keys"
        found = [Outcome(State.FAILED, f".dvc/config, which git tracks, holds {', '.join(tracked)}", advice)]
    local = project / ".dvc" / "config.local"
    if local.exists() and (mode := local.stat().st_mode & 0o777) & 0o077:
        advice = "chmod 600 .dvc/config.local"
        found.append(Outcome(State.FAILED, f"others may read .dvc/config.local, mode {mode:o}", advice))
    return worst(found)


def probe(project: Path) -> Outcome:
    """Write an object to the remote, read it back, compare, delete it, with DVC's own file system."""
    content = secrets.token_bytes(PROBE_BYTES)
    with opened(project) as remote:
        fs = remote.handle.fs
        path = fs.join(remote.handle.path, "probes", secrets.token_hex(16))
        try:
            back = _there_and_back(remote, path, content)
            with _step(remote, "deleted"):
                fs.remove(path)
                left = fs.exists(path)
        except OperationError as error:
            with suppress(Exception):
                fs.remove(path)
            return Outcome(State.FAILED, str(error), _advice(error.__cause__))
    if back != content:
        return Outcome(State.FAILED, f"{remote.url} gave other bytes back", "do not push there: ask who runs it")
    if left:
        return Outcome(State.FAILED, f"{path} is still there after it was deleted", DELETE_ADVICE)
    return Outcome(State.OK, f"{remote.url}: {PROBE_BYTES} bytes came back the same")


def refusal(project: Path) -> str:
    """Why the remote refuses an object, and what to do, where no later try will mend it; empty where one may.

    S3 does not say why it refuses a HEAD, with which DVC begins; of a PUT it does.

    Raises:
        OperationError, ReleaseError: the same as of ``opened``.
    """
    with opened(project) as remote:
        path = remote.handle.fs.join(remote.handle.path, "probes", secrets.token_hex(16))
        try:
            _there_and_back(remote, path, b"probe")
        except OperationError as error:
            return f"{error}; {_advice(error.__cause__)}" if _is_final(error.__cause__) else ""
        finally:
            with suppress(Exception):
                remote.handle.fs.remove(path)
    return ""


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


def _there_and_back(remote: Remote, path: str, content: bytes) -> bytes:
    """Write a file, and what is read of it then."""
    fs = remote.handle.fs
    with _step(remote, "written"):
        fs.makedirs(fs.parent(path))
        fs.pipe_file(path, content)
    with _step(remote, "read"):
        return bytes(fs.cat_file(path))


@contextmanager
def _step(remote: Remote, done: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise OperationError(remote.url, f"must let an object be {done}: {cause(error)}") from error


def _advice(error: BaseException | None) -> str:
    """What to do about an error of the remote's file system."""
    if "request time" in str(error):
        return CLOCK_ADVICE
    if "region" in str(error):
        return REGION_ADVICE
    return next((advice for kind, advice in ADVICES.items() if isinstance(error, kind)), ADVICE)


def verifying(project: Path) -> Outcome:
    """That DVC hashes what it downloads: without it a damaged object is taken for good."""
    config: dict[str, Any] = dvc_config(project)
    name = config["core"].get("remote")
    if config["remote"].get(name, {}).get("verify") is True:
        return Outcome(State.OK, f"verify is true for {name}")
    return Outcome(State.FAILED, f"{name} accepts damaged objects", f"dvc remote modify {name} verify true")


def lock_in_remote(project: Path) -> Outcome:
    """How many objects of HEAD's locks the remote has not: each is asked for, also those inside folders.

    ``dvc status -c`` trusts a folder that it once saw there, so it misses an object lost later.
    """
    cache = cache_folder(project)
    try:
        commit = Commit.at("HEAD", project)
    except LineageError:
        return Outcome(State.WARNING, "nothing is committed yet", FIRST_RUN)
    with opened(project) as remote:
        wanted, missing = missing_in_remote(project, "HEAD", cache, remote)
        unread = remote.missing(_of_demo_shop(commit).difference(wanted))
    if not wanted:
        return Outcome(State.WARNING, "HEAD has no dvc.lock that names an object", FIRST_RUN)
    if lost := [md5 for md5 in missing if object_at(cache, md5) is None]:
        tracked = {md5 for source in commit.sources for md5 in source.outs.values()}
        path = files.read_params(project / FILE).data.path
        if is_of_other_lines(commit.locks.get(LOCK, ()), path) and tracked.isdisjoint(lost):
            found = f"the lock is of other lines than data.path names, and {len(lost)} of its objects are nowhere"
            return Outcome(State.WARNING, found, "nothing: the next run makes it anew")
        found = f"{len(lost)} of {len(wanted)} objects are neither in {remote.url} nor in the cache, first {lost[0]}"
        return Outcome(State.FAILED, found, "dvc pull, and `dvc repro` where that does not find them")
    if missing:
        return Outcome(State.WARNING, f"{len(missing)} of {len(wanted)} objects are not in {remote.url}", "dvc push")
    if unread:
        found = f"all {len(wanted)} objects are in {remote.url}, and not the demo shop's, for which `dvc pull` fails"
        return Outcome(State.WARNING, found, "pricetrail detach-demo --commit")
    return Outcome(State.OK, f"all {len(wanted)} objects are in {remote.url}")


def _of_demo_shop(commit: Commit) -> frozenset[str]:
    """The objects of the demo shop's lock, which DVC pulls whoever reads them."""
    return frozenset(md5 for stage in commit.locks.get(DEMO_LOCK, ()) for md5 in stage.outs.values())


def releases_in_remote(project: Path) -> Outcome:
    """That every release can still be verified, served and replayed from the remote."""
    cache = cache_folder(project)
    with opened(project) as remote:
        objects = Objects(cache, remote)
        lost = lost_of_releases(project, objects, remote)
        registry = Registry.read(project)
    if not registry.versions:
        return Outcome(State.OK, "none in this git; `git fetch --tags` brings those that others made")
    if not lost:
        return Outcome(State.OK, f"all {len(registry.versions)} have their objects in {remote.url}")
    serves = registry.production.version if registry.production else ""
    is_serving = any(one.version == serves and not one.is_usable for one in lost)
    found = f"in {remote.url} {'; '.join(map(str, lost[:TOLD]))}{f'; and {len(lost) - TOLD} more' * (len(lost) > TOLD)}"
    return Outcome(State.FAILED if is_serving else State.WARNING, found, _advice_on(project, lost, cache))


def _advice_on(project: Path, lost: Sequence[Lost], cache: Path) -> str:
    """How what releases lack comes back."""
    config = dvc_config(project)
    if others := sorted(set(config["remote"]) - {config["core"].get("remote")}):
        return f"{' or '.join(map(COPY.format, others))} copies what is there still; else {GONE_ADVICE}"
    md5s = [md5 for one in lost for md5 in (*one.serving, *one.others)]
    if md5s and all(object_at(cache, md5) for md5 in md5s) and not any(one.sbom for one in lost):
        return "dvc push --all-tags"
    return GONE_ADVICE
