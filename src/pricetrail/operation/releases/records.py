"""What the messages of the tags hold: the record of a release, or which one serves, each with its signature."""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

from pricetrail.base.errors import DataError, ReleaseError
from pricetrail.base.limits import load_json
from pricetrail.base.typed_json import parse_as
from pricetrail.operation.releases.evidence import sha256
from pricetrail.operation.releases.keys import KeyPair, is_signed
from pricetrail.operation.releases.signing import signed_files, signer
from pricetrail.operation.releases.tags import ARTIFACT, STAGE, Tag
from pricetrail.operation.releases.trust import Trust

T = TypeVar("T")
ASSIGNMENT_TYPE: Final = "application/vnd.pricetrail.assignment+json"
_HASHES: Final = {
    "commit": r"[0-9a-f]{40}([0-9a-f]{24})?",
    "bundle_md5": r"[0-9a-f]{32}\.dir",
    "manifest_sha256": r"[0-9a-f]{64}",
    "sbom_sha256": r"[0-9a-f]{64}",
}


@dataclass(frozen=True)
class Record:
    """What a release is; signed with the files that it names.

    Attributes:
        version: such as ``v3.0.0``.
        commit: whose lock built the bundle, full hash.
        bundle_md5: DVC's hash of the bundle's folder.
        sbom_sha256: of the bill of materials, which the remote keeps under this name.
    """

    artifact: str
    version: str
    commit: str
    run: str
    bundle_md5: str
    manifest_sha256: str
    sbom_sha256: str

    def text(self) -> str:
        """JSON on one line, always the same."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True)
class Assignment:
    """That a release serves from now on; signed.

    Attributes:
        number: of the stage's tag: the highest one counts.
        release: the git object of the version's tag.
        reason: of a rollback; empty for a new release.
        rolled_back: the version that served until a rollback; empty for a new release.
    """

    artifact: str
    stage: str
    number: int
    version: str
    release: str
    reason: str = ""
    rolled_back: str = ""

    def text(self) -> str:
        """JSON on one line, always the same."""
        return json.dumps(asdict(self), sort_keys=True)


def parts(message: str, place: str) -> tuple[Record, str]:
    """The record and the signature of a version's message.

    Raises:
        ReleaseError: they are not there, or not whole.
    """
    found = _objects(message)
    record = _typed(Record, found.get("release"), place, "a release's record")
    for name, pattern in _HASHES.items():
        if not re.fullmatch(pattern, getattr(record, name)):
            raise ReleaseError(place, f"{name} of the record must be a hash", getattr(record, name))
    if not isinstance(found.get("signature"), dict):
        raise ReleaseError(place, "must hold a signature: it was not made by `pricetrail release`")
    return record, json.dumps(found["signature"], separators=(",", ":"))


def release_message(record: Record, signature: str) -> str:
    """The message of a version's tag."""
    head = f"Registering artifact {ARTIFACT} version {record.version}"
    return f'{head}\n\n{{"release": {record.text()}}}\n{{"signature": {signature}}}\n'


def stage_message(assignment: Assignment, keys: KeyPair) -> str:
    """The message of a stage's tag, signed.

    Raises:
        ReleaseError: the key cannot be used.
    """
    head = f"Assigning stage {STAGE} to artifact {ARTIFACT} version {assignment.version}"
    signature = keys.sign(ASSIGNMENT_TYPE, assignment.text().encode())
    signed = json.dumps({"key": keys.fingerprint, "signature": signature})
    return f'{head}\n\n{{"assignment": {assignment.text()}}}\n{signed}\n'


def signed_record(tag: Tag, trust: Trust) -> tuple[Record, str]:
    """The record of a version's tag and its key, where the signature is over that record and no other tag's.

    The files that it is over as well are not read: that is for ``verify``.

    Raises:
        ReleaseError: it is not.
    """
    record, signature = parts(tag.message, tag.name)
    require_own(record, tag)
    if signed_files(signature, trust).get("release.json") != sha256(record.text().encode()):
        raise ReleaseError("signature", "must be of this record")
    return record, signer(signature)


def require_own(record: Record, tag: Tag) -> None:
    """Hold the tag of a version against its record.

    Raises:
        ReleaseError: it has another name, or stands on another commit.
    """
    named = f"{record.artifact}@{record.version}"
    if tag.name != named:
        raise ReleaseError(tag.name, "must be the version that its record names", named)
    if tag.commit != record.commit:
        raise ReleaseError(tag.name, f"must stand on the commit of its record, {record.commit}", tag.commit)


def signed_assignment(tag: Tag, trust: Trust) -> Assignment:
    """What a stage's tag says serves, where the signature is over that and no other tag's.

    Raises:
        ReleaseError: it is not.
    """
    found = _objects(tag.message)
    if "assignment" not in found:
        raise ReleaseError(tag.name, "must hold a signature")
    assignment = _typed(Assignment, found["assignment"], tag.name, "what serves")
    if tag.name != f"{assignment.artifact}#{assignment.stage}#{assignment.number}":
        raise ReleaseError(tag.name, "must have the name that it was signed under")
    public = trust.require(str(found.get("key", "")))
    if not is_signed(ASSIGNMENT_TYPE, assignment.text().encode(), str(found.get("signature")), public):
        raise ReleaseError("signature", "must be of this tag")
    return assignment


def _objects(message: str) -> dict[str, Any]:
    """The keys of all lines of JSON objects; a line that is none is text."""
    found = dict[str, Any]()
    for line in message.split("\n"):
        try:
            tree = load_json(line)
        except ValueError:
            continue
        if isinstance(tree, dict):
            found.update(tree)
    return found


def _typed(kind: type[T], tree: object, place: str, what: str) -> T:
    try:
        return parse_as(kind, tree, place)
    except DataError as error:
        raise ReleaseError(place, f"must hold {what}: {error.rule}") from None
