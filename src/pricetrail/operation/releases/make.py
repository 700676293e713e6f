"""Making a release: from a commit that every gate let through to its two tags."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pricetrail.base.errors import LineageError, ReleaseError
from pricetrail.checks.decision import headline
from pricetrail.lineage.commit import DECISION, RECORD, Commit
from pricetrail.operation.releases import tags
from pricetrail.operation.releases.built import bundle_bytes, bundle_md5, decision_of, objects_of
from pricetrail.operation.releases.evidence import Evidence, manifest_sha256, sha256
from pricetrail.operation.releases.kept import named_with_members
from pricetrail.operation.releases.keys import PUBLIC, KeyPair
from pricetrail.operation.releases.records import Record, release_message
from pricetrail.operation.releases.registry import Registry, Version
from pricetrail.operation.releases.remote import Objects, Remote, open_remote
from pricetrail.operation.releases.sbom import environment_sbom, sbom_name
from pricetrail.operation.releases.signing import require_signed, sign
from pricetrail.operation.releases.tags import ARTIFACT
from pricetrail.operation.releases.trust import Trust, trusted
from pricetrail.operation.releases.verify import require_verified


@dataclass(frozen=True)
class Release:
    """A release that was made: what it is, the tag of its version, and the tag that puts it into production."""

    record: Record
    tag: str
    stage_tag: str


def is_release_due(folder: Path, rev: str, trust: Trust | None = None) -> bool:
    """Whether a revision's candidate may be released and never was, withdrawn or not; only signed tags count.

    Raises:
        LineageError: git knows no such revision.
        ReleaseError: which release serves is not signed.
        DataError: its decision or its lock is damaged.
    """
    commit = Commit.of(rev, folder)
    try:
        commit.content(DECISION)
        md5 = bundle_md5(commit)
    except (LineageError, ReleaseError):  # the run stopped at the drift gate
        return False
    if decision_of(commit).outcome != "released":
        return False
    return _registry(folder, trust).served_with(md5) is None


def require_releasable(folder: Path, rev: str, trust: Trust | None = None) -> tuple[Commit, Registry]:
    """A revision's commit and the releases so far, once every gate let it through and it is not released yet.

    Raises:
        ReleaseError: a gate is closed, or its bundle is released already; it names them.
    """
    commit = Commit.of(rev, folder)
    md5, decision = bundle_md5(commit), decision_of(commit)
    if decision.outcome != "released":
        raise ReleaseError(f"{DECISION} at {commit.hash[:12]}", f"must be released. {headline(decision)}")
    registry = _registry(folder, trust)
    if made := registry.served_with(md5):
        raise ReleaseError(f"bundle {md5}", f"must not be released yet, and is, as {made.tag.name}")
    return commit, registry


def _registry(folder: Path, trust: Trust | None) -> Registry:
    registry = Registry.read(folder, trust)
    registry.warn()
    registry.require_signed_stage()
    return registry


def tag_release(folder: Path, rev: str, author: str, keys: KeyPair, cache: Path, trust: Trust | None = None) -> Release:
    """Make a release of a revision: bill of materials into the remote, then both tags in this git; nothing is pushed.

    A release that was cut off between its two tags is finished by the next call.

    Args:
        folder: of the project; its git gets the tags.
        rev: whose lock built the bundle.
        author: of the tags, ``Name <mail>``.
        keys: that sign; the public half must be in git at the revision.
        cache: DVC's.
        trust: the keys that count; None for those of the project.

    Raises:
        ReleaseError: it may not be released (``require_releasable``), its objects are not all there, or the key is not
            the one in git, or not trusted.
    """
    tags.parted(author)
    trust = trust or trusted(folder)
    commit, registry = require_releasable(folder, rev, trust)
    md5 = bundle_md5(commit)
    if made := registry.of_bundle(md5):
        trust.require(keys.fingerprint, str(keys.public))
        require_verified(folder, made.name, cache, trust)
        return Release(made.record, made.tag.name, registry.assign(folder, made, author, keys))
    _require_public_key(commit, keys)
    trust.require(keys.fingerprint, str(keys.public))
    with open_remote(folder) as remote:
        objects = Objects(cache, remote)
        bundle = named_with_members(frozenset({md5}), objects)
        _require_none(remote, remote.missing(bundle), len(bundle), "bundle")
        evidence, record = _evidence(commit, md5, objects.folder(md5, bundle_bytes(commit)), registry.next_version)
        remote.keep(sbom_name(record.sbom_sha256), evidence.sbom)
    with evidence.as_folder() as signed:
        signature = sign(signed, keys)
        require_signed(signed, signature, trust)
    name = f"{ARTIFACT}@{record.version}"
    tag = tags.make_tag(folder, name, record.commit, release_message(record, signature), author)
    try:
        version = Version(tag, record, keys.fingerprint)
        return Release(record, tag.name, registry.assign(folder, version, author, keys))
    except BaseException:
        with contextlib.suppress(LineageError):
            tags.drop(folder, tag.name)
        raise


def require_in_remote(folder: Path, rev: str, cache: Path) -> int:
    """Hold a revision's locks against the remote; the number of objects that they name.

    Raises:
        ReleaseError: objects are not in the remote, or cannot be told.
    """
    with open_remote(folder) as remote:
        wanted, missing = missing_in_remote(folder, rev, cache, remote)
    _require_none(remote, missing, len(wanted), "lock")
    return len(wanted)


def missing_in_remote(folder: Path, rev: str, cache: Path, remote: Remote) -> tuple[list[str], tuple[str, ...]]:
    """The objects that a revision's locks name, those inside folders too, and those that the remote does not have.

    Raises:
        ReleaseError: it cannot be told.
    """
    wanted = named_with_members(objects_of(Commit.of(rev, folder)), Objects(cache, remote))
    return sorted(wanted), remote.missing(wanted)


def _require_none(remote: Remote, missing: Sequence[str], count: int, what: str) -> None:
    if missing:
        raise ReleaseError(what, f"must be in {remote.url}: {len(missing)} of {count} objects are not; run `dvc push`")


def _require_public_key(commit: Commit, keys: KeyPair) -> None:
    """A release must be verifiable from its own commit."""
    rule = f"must be committed, the public half of {keys.private}"
    content = commit.read(PUBLIC.as_posix())
    if content is None:
        raise ReleaseError(str(PUBLIC), f"{rule}; it is not in git at {commit.hash[:12]}")
    if content != keys.public.read_bytes():
        raise ReleaseError(str(PUBLIC), f"{rule}; another key is in git at {commit.hash[:12]}")


def _evidence(commit: Commit, md5: str, bundle: dict[str, bytes], version: str) -> tuple[Evidence, Record]:
    sbom = environment_sbom()
    record = Record(
        artifact=ARTIFACT,
        version=version,
        commit=commit.hash,
        run=str(commit.record.get("run")),
        bundle_md5=md5,
        manifest_sha256=manifest_sha256(bundle),
        sbom_sha256=sha256(sbom),
    )
    signed = Evidence(record.text().encode(), bundle, sbom, commit.content(DECISION), commit.content(RECORD))
    return signed, record
