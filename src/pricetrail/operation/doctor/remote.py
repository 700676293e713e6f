"""Checks of the DVC remote: credentials, a probe object, what of the lock is there."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import botocore.exceptions
import botocore.session
from dvc.config import Config
from dvc.repo import Repo

from pricetrail.base.errors import OperationError
from pricetrail.lineage.dvc_cache import dvc, listing, object_at
from pricetrail.operation.doctor.findings import Outcome, cause, failed, ok, warning, worst
from pricetrail.operation.servers.s3 import KEY_PREFIX, dvc_config, ensure_running
from pricetrail.operation.weekly.remote_check import PIPELINE

SECRETS: Final = ("access_key_id", "secret_access_key", "session_token", "password", "connection_string", "account_key")
CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 20
PROBE_BYTES: Final = 4096


@dataclass(frozen=True)
class Remote:
    """The default remote of a project.

    Attributes:
        settings: as in DVC's files, all levels merged.
    """

    name: str
    settings: Mapping[str, Any]

    @property
    def url(self) -> str:
        """Where its objects are."""
        return str(self.settings["url"])

    @property
    def is_s3(self) -> bool:
        """Whether S3's rules hold."""
        return urlsplit(self.url).scheme == "s3"


def default_remote(project: Path) -> Remote:
    """The remote that ``dvc push`` takes, the embedded server's keys made where it has none.

    Raises:
        OperationError: there is none, or the embedded server does not start.
    """
    ensure_running(project)
    config = dvc_config(project)
    name = config["core"].get("remote")
    if not name or name not in config["remote"]:
        raise OperationError(".dvc/config", "must name a default remote: `dvc remote add --default NAME URL`", name)
    return Remote(str(name), config["remote"][name])


@contextmanager
def opened(project: Path, remote: Remote) -> Iterator[Repo]:
    """The project as DVC's own object; one attempt a request, so that a dead server is told in seconds."""
    patience = {"connect_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS} if remote.is_s3 else {}
    limits = {key: value for key, value in patience.items() if key not in remote.settings}
    before = os.environ.get("AWS_MAX_ATTEMPTS")
    os.environ["AWS_MAX_ATTEMPTS"] = before or "1"
    try:
        with Repo(str(project), config={"remote": {remote.name: limits}}) as repo:
            yield repo
    finally:
        if before is None:
            del os.environ["AWS_MAX_ATTEMPTS"]


def credentials(project: Path) -> Outcome:
    """That there are keys, where from, and that nobody else can read them.

    Raises:
        OperationError: there is no remote.
    """
    remote = default_remote(project)
    return worst([_source(remote), *_exposed(project)])


def _source(remote: Remote) -> Outcome:
    if not remote.is_s3:
        return ok(f"not looked for: {urlsplit(remote.url).scheme or 'a folder'} is no S3")
    key = str(remote.settings.get("access_key_id", ""))
    if key and remote.settings.get("secret_access_key"):
        return ok("keys of the embedded S3" if key.startswith(KEY_PREFIX) else "keys in DVC's settings")
    if remote.settings.get("allow_anonymous_login"):
        return warning("allow_anonymous_login is set: nothing can be pushed", f"dvc remote modify {remote.name} …")
    session = botocore.session.Session(profile=remote.settings.get("profile"))
    for setting, variable in (("credentialpath", "credentials_file"), ("configpath", "config_file")):
        if remote.settings.get(setting):
            session.set_config_variable(variable, remote.settings[setting])
    found = session.get_credentials()
    if found is None:
        return failed(
            f"no keys for {remote.url}",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `aws configure`, or "
            f"`dvc remote modify --local {remote.name} access_key_id KEY` and the same for secret_access_key",
        )
    return ok(f"keys from {found.method}")


def _exposed(project: Path) -> list[Outcome]:
    """Keys that others can read: in a file that git tracks, or of a mode that is too wide."""
    found: list[Outcome] = []
    sections = Config(dvc_dir=str(project / ".dvc"), validate=False).load_one("repo").get("remote", {})
    tracked = sorted({key for settings in sections.values() for key in settings if key in SECRETS})
    if tracked:
        advice = "take them out, `dvc remote modify --local` puts them where git does not look; then make new keys"
        found.append(failed(f".dvc/config, which git tracks, holds {', '.join(tracked)}", advice))
    local = project / ".dvc" / "config.local"
    if local.exists():
        mode = local.stat().st_mode & 0o777
        wide = bool(mode & 0o077)
        found.append(
            failed(f"others may read .dvc/config.local, mode {mode:o}", "chmod 600 .dvc/config.local")
            if wide
            else ok(f".dvc/config.local has mode {mode:o}")
        )
    return found


def probe(project: Path) -> Outcome:
    """Write an object to the remote, read it back, compare, delete it, with DVC's own file system."""
    remote = default_remote(project)
    content, name = secrets.token_bytes(PROBE_BYTES), secrets.token_hex(16)
    took: list[str] = []

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        except Exception as error:
            raise OperationError(remote.url, f"must let an object be {step}: {cause(error)}") from error
        took.append(f"{step} {1000 * (time.monotonic() - started):.0f} ms")

    with opened(project, remote) as repo:
        storage = repo.cloud.get_remote()
        fs, path = storage.fs, storage.fs.join(storage.path, "probes", name)
        try:
            with timed("written"):
                fs.makedirs(fs.parent(path))
                fs.pipe_file(path, content)
            with timed("read"):
                back = fs.cat_file(path)
            with timed("deleted"):
                fs.remove(path)
                left = fs.exists(path)
        except OperationError as error:
            with suppress(Exception):
                fs.remove(path)
            return failed(str(error), _advice(error.__cause__))
    if back != content:
        return failed(f"{remote.url} gave other bytes back than were written", "do not push there: ask who runs it")
    if left:
        return failed(f"{path} is still there after it was deleted", DELETE_ADVICE)
    return ok(f"{remote.url}: {PROBE_BYTES} bytes came back the same; {', '.join(took)}")


def _advice(error: BaseException | None) -> str:
    """What to do about an error of the remote's file system."""
    if isinstance(error, PermissionError):
        return "see that the keys are right, and allow Get, Put, DeleteObject and ListBucket: docs/aws.md"
    if isinstance(error, FileNotFoundError):
        return "make the bucket or folder, or correct the remote's url"
    if isinstance(error, botocore.exceptions.BotoCoreError):
        return "start that server, or correct the remote's url and endpointurl"
    return REMOTE_ADVICE


# S3 refuses a bulk delete inside its answer, which s3fs does not read: so does `dvc gc --cloud` seem to work
DELETE_ADVICE: Final = "allow DeleteObject, docs/aws.md, and delete it; or leave it so, and never `dvc gc --cloud`"
REMOTE_ADVICE: Final = "see `dvc remote list` and docs/aws.md"


def verifying(project: Path) -> Outcome:
    """That DVC hashes what it downloads: without it a damaged object is taken for good.

    Raises:
        OperationError: there is no remote.
    """
    remote = default_remote(project)
    if remote.settings.get("verify") is True:
        return ok(f"verify is true for {remote.name}")
    return failed(f"{remote.name} accepts damaged objects", f"dvc remote modify {remote.name} verify true")


def lock_against_remote(project: Path) -> Outcome:
    """How many objects of the locks the remote has not: each is asked for, also those inside folders.

    ``dvc status -c`` trusts a folder that it once saw there, so it misses an object lost later.
    """
    remote = default_remote(project)
    with opened(project, remote) as repo:
        odb = repo.cloud.get_remote_odb()
        cache = Path(repo.cache.local.path)
        read = {dep.fs_path for stage in repo.index.stages if stage.path_in_repo == PIPELINE for dep in stage.deps}
        heads = {
            out.hash_info.value
            for out in repo.index.outs
            if (out.stage.path_in_repo == PIPELINE or out.stage.is_data_source or out.fs_path in read)
            and out.use_cache
            and out.can_push
            and out.hash_info
            and not out.stage.is_repo_import
            and not out.remote
        }
        if odb.fs.protocol != "local":
            odb.fs.fs.invalidate_cache()
        listed = {head: _members(head, cache, odb) for head in heads if head.endswith(".dir")}
        wanted = heads.union(*(members or () for members in listed.values()))
        missing = sorted(wanted - set(odb.oids_exist(wanted)))
    lost = [oid for oid in missing if object_at(cache, oid) is None]
    lost += [head for head, members in listed.items() if members is None and head not in lost]
    if not wanted:
        return warning("dvc.lock names no object yet", "dvc repro")
    if lost:
        found = f"{len(lost)} of {len(wanted)} objects are neither in {remote.name} nor in the cache, first {lost[0]}"
        return failed(found, "dvc pull, and `dvc repro` where that does not find them")
    if missing:
        return warning(f"{len(missing)} of {len(wanted)} objects are not in {remote.name}", "dvc push")
    return ok(f"all {len(wanted)} objects are in {remote.name}")


def _members(head: str, cache: Path, odb: Any) -> tuple[str, ...] | None:  # noqa: ANN401  DVC has no types
    """Hashes of the files of a folder, from the cache or else the remote; None where neither has its list."""
    inside = listing(cache, head)
    if inside is not None:
        return tuple(inside.values())
    try:
        return tuple(str(entry["md5"]) for entry in json.loads(odb.fs.cat_file(odb.oid_to_path(head))))
    except FileNotFoundError:
        return None


def lock_against_workspace(project: Path) -> Outcome:
    """Which stages `dvc repro` would run.

    Raises:
        LineageError: DVC fails.
    """
    changed = json.loads(dvc("status", "--json", folder=project))
    if not changed:
        return ok("dvc.lock is that of the files on disk")
    names = list(changed)
    return warning(f"{len(names)} stages or files changed, first {names[0]}", "dvc repro")
