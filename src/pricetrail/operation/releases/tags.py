"""The git tags of releases, made and read with GTO, and what their messages hold.

A version's tag (``price-model@v3.0.0``) carries the release: its record and the signature. A stage's tag
(``price-model#production#4``) says which version serves since; the highest number counts, whatever the clocks say.
"""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from gto import api
from pydantic import TypeAdapter, ValidationError

from pricetrail.base.errors import LineageError, ReleaseError
from pricetrail.base.limits import load_json
from pricetrail.lineage.git import git

ARTIFACT, STAGE = "price-model", "production"
VERSION_TAG: Final = re.compile(rf"{ARTIFACT}@(v(\d+)\.(\d+)\.(\d+))")
STAGE_TAG: Final = re.compile(rf"{ARTIFACT}#{STAGE}#(\d+)")
_AUTHOR: Final = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<mail>[^<>]*)>\s*")
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
class Event:
    """One tag of GTO's.

    Attributes:
        version: that it registers, or puts into production.
        commit: that it stands on.
        tagged_at: ISO 8601.
        number: of a stage's tag, 0 for a version's.
    """

    tag: str
    version: str
    commit: str
    tagged_at: str
    author: str
    message: str
    number: int = 0


@dataclass(frozen=True)
class Tag:
    """An annotated tag as git holds it."""

    commit: str
    name: str
    message: str


def history(folder: Path) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    """All versions, oldest first, and all assignments of production, in the order of their numbers.

    Raises:
        ReleaseError: git or GTO cannot read the tags.
    """
    try:
        events: list[dict[str, Any]] = api.history(str(folder), artifact=ARTIFACT, ascending=True)
    except Exception as error:  # of GTO, and of the git libraries below it, which have none in common
        raise ReleaseError("git tags", f"must be readable by GTO: {error}") from None
    versions, stages = list[Event](), list[Event]()
    for event in events:
        tag = str(event["ref"])
        if event["event"] == "registration" and VERSION_TAG.fullmatch(tag):
            versions.append(_event(event))
        elif event["event"] == "assignment" and (match := STAGE_TAG.fullmatch(tag)):
            stages.append(_event(event, int(match[1])))
    versions.sort(key=lambda event: semver(event.version))
    return tuple(versions), tuple(sorted(stages, key=lambda event: event.number))


def semver(version: str) -> tuple[int, ...]:
    """A version's order.

    >>> semver("v10.0.0") > semver("v9.0.0")
    True
    """
    return tuple(int(part) for part in re.findall(r"\d+", version))


def register(folder: Path, version: str, commit: str, body: str, author: str) -> str:
    """Make a version's tag; its name.

    Raises:
        ReleaseError: GTO refuses.
    """
    name, mail = parted(author)
    message = f"Registering artifact {ARTIFACT} version {version}\n\n{body}\n"
    try:
        made = api.register(
            str(folder), ARTIFACT, commit, version=version, message=message, author=name, author_email=mail
        )
    except Exception as error:  # as above
        raise ReleaseError(f"{ARTIFACT}@{version}", f"must be a tag that GTO can make: {error}") from None
    return str(made.tag)


def assign(folder: Path, version: str, author: str, note: dict[str, str] | None = None) -> str:
    """Make a stage's tag that puts a version into production; its name.

    Raises:
        ReleaseError: GTO refuses.
    """
    name, mail = parted(author)
    body = f"\n\n{json.dumps(note, sort_keys=True)}\n" if note else ""
    message = f"Assigning stage {STAGE} to artifact {ARTIFACT} version {version}{body}"
    try:  # by force: GTO takes a version that was in production for one that still is
        made = api.assign(
            str(folder), ARTIFACT, STAGE, version=version, message=message, force=True, author=name, author_email=mail
        )
    except Exception as error:  # as above
        raise ReleaseError(f"{ARTIFACT}#{STAGE}", f"must be a tag that GTO can make: {error}") from None
    return str(made.tag)


def drop(folder: Path, *tags: str) -> None:
    """Take back tags that were not published."""
    if tags:
        git("tag", "--delete", *tags, folder=folder)


def read_tag(folder: Path, name: str) -> Tag:
    """An annotated tag on a commit.

    Raises:
        ReleaseError: there is none of this name, or it is another kind of tag.
    """
    try:
        kind = git("cat-file", "-t", f"refs/tags/{name}", folder=folder).strip()
        text = git("cat-file", kind, f"refs/tags/{name}", folder=folder) if kind == "tag" else ""
    except LineageError:
        raise ReleaseError(name, "must be a tag that git knows") from None
    head, _, message = text.partition("\n\n")
    facts = dict(line.split(" ", 1) for line in head.splitlines())
    if kind != "tag" or facts.get("type") != "commit":
        raise ReleaseError(name, "must be an annotated tag on a commit, made by `pricetrail release`", kind)
    return Tag(facts["object"], facts["tag"], message)


def parts(message: str, place: str) -> tuple[Record, str]:
    """The record and the signature of a version's message.

    Raises:
        ReleaseError: they are not there, or not whole.
    """
    trees = [load_json(line) for line in message.splitlines() if _is_object(line)]
    found = {key: value for tree in trees for key, value in tree.items()}
    try:
        record = _RECORD.validate_json(json.dumps(found.get("release")), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ReleaseError(place, f"must hold a release's record: {key} {first['msg']}".replace(":  ", ": ")) from None
    for name, pattern in _HASHES.items():
        if not re.fullmatch(pattern, getattr(record, name)):
            raise ReleaseError(place, f"{name} of the record must be a hash", getattr(record, name))
    if not isinstance(found.get("signature"), dict):
        raise ReleaseError(place, "must hold a signature: it was not made by `pricetrail release`")
    return record, json.dumps(found["signature"], separators=(",", ":"))


def body(record: Record, signature: str) -> str:
    """The lines of a version's message that ``parts`` reads."""
    return f'{{"release": {record.text()}}}\n{{"signature": {signature}}}'


def note_of(message: str) -> dict[str, str]:
    """What a stage's message says besides GTO's line, such as the reason of a rollback."""
    trees = [load_json(line) for line in message.splitlines() if _is_object(line)]
    return {str(key): str(value) for tree in trees for key, value in tree.items()}


def parted(author: str) -> tuple[str, str]:
    """Name and mail of ``Name <mail>``.

    >>> parted("Bot <bot@shop.example>")
    ('Bot', 'bot@shop.example')

    Raises:
        ReleaseError: it is no such text.
    """
    match = _AUTHOR.fullmatch(author)
    if match is None or not match["name"] or not match["mail"]:
        raise ReleaseError("author", "must be like Name <mail>", author)
    return match["name"], match["mail"]


def _is_object(line: str) -> bool:
    try:
        return isinstance(load_json(line), dict)
    except ValueError:
        return False


def _event(event: dict[str, Any], number: int = 0) -> Event:
    return Event(
        tag=str(event["ref"]),
        version=str(event["version"]),
        commit=str(event["commit"]),
        tagged_at=event["timestamp"].isoformat(),
        author=str(event["author"]),
        message=str(event["message"]),
        number=number,
    )


_RECORD: TypeAdapter[Record] = TypeAdapter(Record)
