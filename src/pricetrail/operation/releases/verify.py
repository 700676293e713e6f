"""Is a tag what its signature says? Every check by itself, none of them skipped."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from pricetrail.base import files
from pricetrail.base.errors import PricetrailError, ReleaseError
from pricetrail.base.json_type import Json
from pricetrail.lineage.commit import DECISION, RECORD, Commit
from pricetrail.operation.releases import tags
from pricetrail.operation.releases.built import bundle_bytes, bundle_md5, decision_of
from pricetrail.operation.releases.evidence import Evidence, manifest_sha256, sha256
from pricetrail.operation.releases.keys import SHORT
from pricetrail.operation.releases.records import Record, parts, require_own
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.releases.remote import Objects, Remote, open_remote
from pricetrail.operation.releases.sbom import sbom_name
from pricetrail.operation.releases.signing import require_signed
from pricetrail.operation.releases.tags import ARTIFACT, STAGE, STAGE_TAG, VERSION_TAG, Tag
from pricetrail.operation.releases.trust import Trust, trusted

T = TypeVar("T")
CHECKS = ("tag", "commit", "lock", "bundle", "manifest", "decision", "lineage", "sbom", "signature")


@dataclass(frozen=True)
class Check:
    """One check: what held, or what did not."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Verification:
    """All checks of a tag.

    Attributes:
        tag: of the version.
        record: what the release says that it is; None where there is none.
        evidence: the files that were verified; None where one is not there.
        checks: in the order of ``CHECKS``.
    """

    tag: str
    record: Record | None
    evidence: Evidence | None
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check was made and held."""
        return tuple(check.name for check in self.checks) == CHECKS and all(check.passed for check in self.checks)

    def as_json(self) -> Mapping[str, Json]:
        """As JSON."""
        checks: list[Json] = [asdict(check) for check in self.checks]
        record = asdict(self.record) if self.record else None
        return {"tag": self.tag, "passed": self.passed, "release": record, "checks": checks}


def version_tag(folder: Path, name: str, trust: Trust | None = None) -> str:
    """The version's tag that a name means: a version, ``production``, or a tag of either.

    Raises:
        ReleaseError: it means none.
    """
    match = STAGE_TAG.fullmatch(name)
    if match or name in {STAGE, f"{ARTIFACT}#{STAGE}"}:
        registry = Registry.read(folder, trust)
        registry.warn()
        if name in registry.left_out:
            raise ReleaseError(name, f"must be signed: {registry.left_out[name]}")
        registry.require_signed_stage()
        named = [event for event in registry.assignments if match is None or event.number == int(match[1])]
        if not named:
            raise ReleaseError(name, "must be in use: no release was put into production by it")
        return registry.put_by(named[-1]).tag.name
    return name if "@" in name else f"{ARTIFACT}@{name}"


def require_verified(folder: Path, name: str, cache: Path, trust: Trust | None = None) -> Verification:
    """The same as ``verify``, for those who go on only with a release that holds.

    Raises:
        ReleaseError: a check failed; it tells the first.
    """
    found = verify(folder, name, cache, trust)
    for check in found.checks:
        if not check.passed:
            raise ReleaseError(f"{found.tag}: {check.name}", f"must be verified: {check.detail}")
    return found


def verify(folder: Path, name: str, cache: Path, trust: Trust | None = None) -> Verification:
    """Hold a release against its signature, by the keys that this machine trusts.

    Args:
        folder: of the project.
        name: a version, ``production``, or a tag of either.
        cache: DVC's.
        trust: the keys that count; None for those of the project.

    Raises:
        ReleaseError: the name means no tag, or the remote does not answer at all.
    """
    trust = trust or trusted(folder)
    tag = version_tag(folder, name, trust)
    with open_remote(folder) as remote:
        return _Checks(folder, tag, cache, remote, trust).all()


class _Checks:
    """The checks of one tag, and what they found on the way."""

    def __init__(self, folder: Path, tag: str, cache: Path, remote: Remote, trust: Trust) -> None:
        self.folder, self.name, self.remote, self.objects = folder, tag, remote, Objects(cache, remote)
        self.trust, self.done = trust, list[Check]()

    def all(self) -> Verification:
        found = self._try("tag", self._tag)
        if found is None:
            rest = [Check(name, False, "not checked: the tag holds no release") for name in CHECKS[1:]]
            return Verification(self.name, None, None, (*self.done, *rest))
        tag, commit, record, signature = found
        self._try("commit", lambda: self._commit(tag, record))
        self._try("lock", lambda: self._lock(commit, record))
        bundle = self._try("bundle", lambda: self._bundle(commit, record))
        self._try("manifest", lambda: self._manifest(bundle, record))
        decision = self._try("decision", lambda: self._decision(commit))
        lineage = self._try("lineage", lambda: self._lineage(commit, record))
        sbom = self._try("sbom", lambda: self._sbom(record))
        evidence = None
        if bundle is not None and decision is not None and lineage is not None and sbom is not None:
            evidence = Evidence(record.text().encode(), bundle, sbom, decision, lineage)
        self._try("signature", lambda: self._signature(evidence, signature))
        return Verification(self.name, record, evidence, tuple(self.done))

    def _try(self, name: str, work: Callable[[], tuple[T, str]]) -> T | None:
        try:
            found, detail = work()
        except PricetrailError as error:
            self.done.append(Check(name, False, str(error)))
            return None
        except (ValueError, OSError) as error:  # of a file that was made to be hostile
            self.done.append(Check(name, False, f"cannot be checked: {type(error).__name__}"))
            return None
        self.done.append(Check(name, True, detail))
        return found

    def _tag(self) -> tuple[tuple[Tag, Commit, Record, str], str]:
        if not VERSION_TAG.fullmatch(self.name):
            raise ReleaseError(self.name, f"must be a version of {ARTIFACT}, such as {ARTIFACT}@v1.0.0")
        tag = tags.read_tag(self.folder, self.name)
        found = tag, Commit.at(tag.commit, self.folder), *parts(tag.message, self.name)
        return found, "annotated, with a record and a signature"

    def _commit(self, tag: Tag, record: Record) -> tuple[Record, str]:
        require_own(record, tag)
        return record, f"stands on {record.commit[:SHORT]}, which its record names"

    def _lock(self, commit: Commit, record: Record) -> tuple[str, str]:
        md5 = bundle_md5(commit)
        if md5 != record.bundle_md5:
            raise ReleaseError("dvc.lock", f"must name the bundle {record.bundle_md5}", md5)
        return md5, f"dvc.lock names the bundle {md5}"

    def _bundle(self, commit: Commit, record: Record) -> tuple[dict[str, bytes], str]:
        bundle = self.objects.folder(record.bundle_md5, bundle_bytes(commit))
        megabytes = sum(map(len, bundle.values())) / 1e6
        return bundle, f"{len(bundle)} files, {megabytes:.1f} MB, with the bytes that their names say"

    def _manifest(self, bundle: dict[str, bytes] | None, record: Record) -> tuple[str, str]:
        if bundle is None:
            raise ReleaseError("bundle", "must be there")
        found = manifest_sha256(bundle)
        if found != record.manifest_sha256:
            raise ReleaseError("bundle: manifest.json", f"must have sha256 {record.manifest_sha256}", found)
        return found, f"names every file, sha256 {found[:SHORT]}"

    def _decision(self, commit: Commit) -> tuple[bytes, str]:
        decision = decision_of(commit)
        if decision.outcome != "released":
            raise ReleaseError(DECISION, "must be released", decision.outcome)
        return commit.content(DECISION), "released, and follows from the verdicts of every gate"

    def _lineage(self, commit: Commit, record: Record) -> tuple[bytes, str]:
        content = commit.content(RECORD)
        tree = files.parse_json(content, RECORD)
        if tree.get("bundle") != record.manifest_sha256 or tree.get("run") != record.run:
            raise ReleaseError(RECORD, f"must be of run {record.run} and its bundle", tree.get("run"))
        return content, f"run {record.run}, which built this bundle"

    def _sbom(self, record: Record) -> tuple[bytes, str]:
        name = sbom_name(record.sbom_sha256)
        content = self.remote.kept(name)
        if content is None:
            raise ReleaseError(name, f"must be in {self.remote.url}")
        if sha256(content) != record.sbom_sha256:
            raise ReleaseError(name, "must have the bytes that its name says", sha256(content))
        components = files.parse_json(content, name).get("components")
        count = len(components) if isinstance(components, list) else 0
        return content, f"{count} packages, sha256 {record.sbom_sha256[:SHORT]}"

    def _signature(self, evidence: Evidence | None, signature: str) -> tuple[str, str]:
        if evidence is None:
            raise ReleaseError("signature", "cannot be checked: a file that it covers is not there")
        with evidence.as_folder() as folder:
            key = require_signed(folder, signature, self.trust)
        return key, f"by key {key[:SHORT]}, over every file above"
