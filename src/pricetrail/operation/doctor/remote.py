"""Checks of the DVC remote: who can read its keys, a probe object, what of the lock is there."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dvc.config import Config

from pricetrail.base import files
from pricetrail.base.errors import LineageError
from pricetrail.base.params import FILE
from pricetrail.lineage.commit import LOCK, Commit
from pricetrail.lineage.dvc_cache import cache_folder, dvc_config, object_at
from pricetrail.lineage.lock import is_of_other_lines
from pricetrail.operation.doctor.findings import Outcome, State, worst
from pricetrail.operation.releases.kept import Lost, lost_of_releases
from pricetrail.operation.releases.make import missing_in_remote
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.releases.remote import Objects
from pricetrail.operation.releases.remote_probe import PROBE_BYTES, fault_of, opened

SECRETS: Final = ("access_key_id", "secret_access_key", "session_token", "password", "connection_string", "account_key")
DEMO_LOCK: Final = "demo/dvc.lock"
TOLD: Final = 5  # releases that are told of by name
COPY: Final = "`pricetrail releases --copy-from {}`"
GONE_ADVICE: Final = (
    "bring the bucket back from a copy, or `dvc push --all-tags` where a cache still has them; "
    "and clean up by `dvc gc` only with --all-tags or --all-commits: docs/releases.md"
)
FIRST_RUN: Final = "dvc repro, and commit dvc.lock"


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
    with opened(project) as remote:
        fault = fault_of(remote)
    if fault is not None:
        return Outcome(State.FAILED, fault.found, fault.advice)
    return Outcome(State.OK, f"{remote.url}: {PROBE_BYTES} bytes came back the same")


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
