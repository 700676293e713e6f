"""The git tags of releases, in GTO's names, as git holds them; what they say counts only once it is verified.

A version's tag (``price-model@v3.0.0``) carries the release: its record and the signature. A stage's tag
(``price-model#production#4``) says which version serves since; the highest number counts, whatever the clocks say.
Whoever may push makes tags: they are read within bounds, and one that is no such tag is left out with the reason.
"""

import datetime as dt
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pricetrail.base.errors import LineageError, ReleaseError
from pricetrail.lineage.git import git

ARTIFACT, STAGE = "price-model", "production"
_NUMBER: Final = r"(0|[1-9][0-9]{0,8})"
VERSION_TAG: Final = re.compile(rf"{ARTIFACT}@(v{_NUMBER}\.{_NUMBER}\.{_NUMBER})")
STAGE_TAG: Final = re.compile(rf"{ARTIFACT}#{STAGE}#{_NUMBER}")
TAG_LIMIT: Final = 2_000_000  # bytes; a signature has about 280 for each file of the bundle
_AUTHOR: Final = re.compile(r"\s*(?P<name>[^<>\n]*?)\s*<(?P<mail>[^<>\n]*)>\s*")
_TAGGER: Final = re.compile(r"(?P<author>.*) (?P<seconds>[0-9]{1,11}) (?P<zone>[+-][0-9]{4})")
_ANNOTATED: Final = "must be an annotated tag on a commit, made by `pricetrail release`"


@dataclass(frozen=True)
class Tag:
    """An annotated tag on a commit as git holds it.

    Attributes:
        name: that it was made under and has.
        object: git's hash of the tag itself.
        tagged_at: ISO 8601.
    """

    name: str
    object: str
    commit: str
    tagged_at: str
    author: str
    message: str


@dataclass(frozen=True)
class Tags:
    """The tags of versions and of the stage.

    Attributes:
        whole: those that could be read.
        left_out: why each other one could not, by name.
    """

    whole: tuple[Tag, ...]
    left_out: Mapping[str, str]


def read_tags(folder: Path) -> Tags:
    """All tags whose names are those of a version or a stage.

    Raises:
        LineageError: git cannot read them.
    """
    listed = "%(objectname) %(objecttype) %(objectsize) %(refname:strip=2)"
    oids, left_out = dict[str, str](), dict[str, str]()
    for line in git("for-each-ref", f"--format={listed}", "refs/tags", folder=folder).split("\n")[:-1]:
        oid, kind, size, name = line.split(" ", 3)
        if not name.startswith((f"{ARTIFACT}@", f"{ARTIFACT}#{STAGE}")):
            continue
        if not (VERSION_TAG.fullmatch(name) or STAGE_TAG.fullmatch(name)):
            left_out[name] = "no name of a release"
        elif kind != "tag":
            left_out[name] = _ANNOTATED
        elif int(size) > TAG_LIMIT:
            left_out[name] = f"must have at most {TAG_LIMIT} bytes"
        else:
            oids[name] = oid
    answer = git("cat-file", "--batch", folder=folder, given="".join(f"{oid}\n" for oid in oids.values()))
    rest, whole = answer.encode(errors="surrogateescape"), list[Tag]()
    for name, oid in oids.items():
        head, _, rest = rest.partition(b"\n")
        end = int(head.split()[-1])
        content, rest = rest[:end], rest[end + 1 :]
        try:
            whole.append(_parsed(name, oid, content))
        except ReleaseError as error:
            left_out[name] = error.rule
    return Tags(tuple(whole), left_out)


def read_tag(folder: Path, name: str) -> Tag:
    """An annotated tag on a commit.

    Raises:
        ReleaseError: there is none of this name, or it is another kind of tag.
    """
    found = read_tags(folder)
    for tag in found.whole:
        if tag.name == name:
            return tag
    raise ReleaseError(name, found.left_out.get(name, "must be a tag that git knows"))


def semver(version: str) -> tuple[int, ...]:
    """A version's order.

    >>> semver("v10.0.0") > semver("v9.0.0")
    True
    """
    return tuple(int(part) for part in re.findall(r"[0-9]+", version))


def make_tag(folder: Path, name: str, commit: str, message: str, author: str) -> Tag:
    """Make an annotated tag, as git's settings for signing and editing tags do not see it.

    Raises:
        ReleaseError: the author is none, the tag is too large to be read again, or there is one of this name.
    """
    who, mail = parted(author)
    now = time.time()
    zone = dt.datetime.fromtimestamp(now).astimezone().strftime("%z")[:5]
    head = f"object {commit}\ntype commit\ntag {name}\ntagger {who} <{mail}> {int(now)} {zone}"
    content = f"{head}\n\n{message}"
    if len(content.encode()) > TAG_LIMIT:
        raise ReleaseError(name, f"must have at most {TAG_LIMIT} bytes: the bundle has too many files")
    try:
        oid = git("mktag", folder=folder, given=content).strip()
        git("update-ref", f"refs/tags/{name}", oid, "0" * len(oid), folder=folder)
    except LineageError as error:
        raise ReleaseError(name, f"must be a tag that git can make: {error}") from None
    return _parsed(name, oid, content.encode())


def drop(folder: Path, *tags: str) -> None:
    """Take back tags that were not published."""
    if tags:
        git("tag", "--delete", *tags, folder=folder)


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


def _parsed(name: str, oid: str, content: bytes) -> Tag:
    head, _, message = content.decode(errors="surrogateescape").partition("\n\n")
    facts = {key: value for key, _, value in (line.partition(" ") for line in head.split("\n"))}
    if facts.get("type") != "commit" or "object" not in facts:
        raise ReleaseError(name, _ANNOTATED)
    if facts.get("tag") != name:
        raise ReleaseError(name, "must have the name that it was made under", ascii(facts.get("tag")))
    match = _TAGGER.fullmatch(facts.get("tagger", ""))
    try:
        zone = dt.datetime.strptime(match["zone"], "%z").tzinfo if match else None
        when = dt.datetime.fromtimestamp(int(match["seconds"]), zone).isoformat() if match else ""
    except (ValueError, OverflowError, OSError):
        when = ""
    return Tag(name, oid, facts["object"], when, match["author"] if match else "", message)
