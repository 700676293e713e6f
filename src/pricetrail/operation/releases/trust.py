"""Whose signatures count: the keys that this machine trusts, whatever a branch brings in its ``keys/``.

Trusted are the fingerprints that were pinned in git's own folder, where no commit reaches, or the keys of a folder that
the user names; and the keys that replaced one of them, by a statement that the replaced one signed. The public halves
of pinned keys are kept beside the pins: a branch that loses them takes no trust away.
"""

import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pricetrail.base import files
from pricetrail.base.errors import ReleaseError
from pricetrail.base.limits import load_json
from pricetrail.lineage.git import git
from pricetrail.operation.releases.keys import (
    PUBLIC,
    PUBLIC_SUFFIX,
    SHORT,
    STATEMENT_SUFFIX,
    STATEMENT_TYPE,
    fingerprint_of,
    is_signed,
    statement,
)

VARIABLE: Final = "PRICETRAIL_TRUSTED_KEYS"
PINS: Final = "pricetrail/trusted_keys"  # in git's own folder: a pull overwrites even an ignored file of the tree
KEPT: Final = "keys"  # beside the pins: the public halves
LINE: Final = re.compile(r"([-+]?)([0-9a-f]{64})(?:\s+([0-9a-f]{64}))?")
FILE_LIMIT, FILES_LIMIT = 4096, 1000  # bytes of a key or statement, and how many of each are read

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pins:
    """What this clone decided of keys, by fingerprint.

    Attributes:
        replaced: each key, trusted or not, with the one that it replaced, empty where it did not.
        direct: those that are trusted for themselves, not only for what they replaced.
        distrusted: those that no statement makes trusted again.
    """

    replaced: Mapping[str, str]
    direct: frozenset[str]
    distrusted: frozenset[str] = frozenset()

    @property
    def trusted(self) -> list[str]:
        """The keys that count, in order of the file."""
        return [key for key in self.replaced if key not in self.distrusted]


@dataclass(frozen=True)
class Trust:
    """The keys whose signatures count.

    Attributes:
        keys: their public halves by fingerprint, PEM.
        strangers: fingerprints of ``keys/`` that do not count.
        place: of the pins, or the folder that the user named.
        is_named: whether it is such a folder.
    """

    keys: Mapping[str, bytes]
    strangers: tuple[str, ...]
    place: str
    is_named: bool

    def require(self, fingerprint: str, place: str = "signature") -> bytes:
        """The public half of a trusted key.

        Raises:
            ReleaseError: it is not trusted; what to do.
        """
        if fingerprint in self.keys:
            return self.keys[fingerprint]
        known = ", ".join(name[:SHORT] for name in self.keys) or "there is none"
        rule = f"must be by a trusted key that {PUBLIC.parent}/ has ({known}; {self.place})"
        if fingerprint in self.strangers:
            copying = f"by copying its file from {PUBLIC.parent}/ to {self.place}"
            how = copying if self.is_named else f"by `pricetrail keys --trust {fingerprint}`"
            rule += f"; where its owner confirms fingerprint {fingerprint}, trust it {how}"
        raise ReleaseError(place, rule, fingerprint[:SHORT] or "no key")


def trusted(folder: Path, home: Path | None = None, named: Path | None = None, own: str = "") -> Trust:
    """The keys whose signatures count in a project. The first use pins the keys that are there, and says so.

    Args:
        folder: whose ``keys/`` has the public halves.
        home: the project with the pins, where that is another folder than this clone.
        named: a folder of public keys in place of the pins; the variable names one as well.
        own: fingerprint of the pair that signs here, which the first use pins too: the home has none where this run
            made it.

    Raises:
        ReleaseError: the pins or that folder cannot be used.
    """
    brought = public_keys(folder / PUBLIC.parent)
    named = named or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        given = public_keys(named)
        if not given:
            raise ReleaseError(str(named), f"must be a folder of public keys, *{PUBLIC_SUFFIX}")
        brought.update(given)
        pins, place = _direct(given), str(named)
    else:
        file = pins_file(home or folder)
        place = str(file)
        pins = _read(file) if file.exists() else _first_use(file, (home or folder) / PUBLIC.parent, own)
        kept = public_keys(file.parent / KEPT)
        brought = {key: kept[key] for key in pins.trusted if key in kept} | brought
    followed = _followed(pins, brought, folder / PUBLIC.parent)
    keys = {key: brought[key] for key in followed.trusted if key in brought}
    if named is None:
        _keep(file, {key: public for key, public in keys.items() if key not in kept})
        if followed != pins:
            _write(file, followed)
        for key in sorted(followed.replaced.keys() - pins.replaced.keys()):
            old = followed.replaced[key][:SHORT]
            log.warning("key %s is trusted: %s, which it replaces, signed for it", key[:SHORT], old)
    return Trust(keys, tuple(sorted(brought.keys() - keys.keys())), place, named is not None)


def pin(folder: Path, fingerprint: str) -> None:
    """Trust a key of ``keys/`` from now on.

    Raises:
        ReleaseError: it is no fingerprint of a key there.
    """
    there = public_keys(folder / PUBLIC.parent)
    if fingerprint not in there:
        raise ReleaseError("fingerprint", f"must be all 64 digits of that of a key in {PUBLIC.parent}/", fingerprint)
    file = pins_file(folder)
    pins = _read(file) if file.exists() else _direct([])
    _keep(file, {fingerprint: there[fingerprint]})
    replaced = {fingerprint: "", **pins.replaced}
    _write(file, Pins(replaced, pins.direct | {fingerprint}, pins.distrusted - {fingerprint}))


def unpin(folder: Path, fingerprint: str) -> None:
    """Trust a key no longer, whoever signed for it, nor those that are trusted only because it signed for them.

    Raises:
        ReleaseError: it is not trusted, and no statement could make it so.
    """
    file = pins_file(folder)
    pins = _read(file) if file.exists() else _direct([])
    # one of keys/ as well: the next look might follow to it
    known = [*pins.trusted, *(public_keys(folder / PUBLIC.parent) if file.exists() else [])]
    if fingerprint not in known or fingerprint in pins.distrusted:
        told = ", ".join(pins.trusted) or "there is none"
        raise ReleaseError("fingerprint", f"must be that of a trusted key, all 64 digits ({told})", fingerprint)
    gone, followers = [fingerprint], [key for key in pins.trusted if key not in pins.direct]
    for old in gone:  # grows on the way
        gone += [key for key in followers if pins.replaced[key] == old and key not in gone]
    for key in gone[1:]:
        log.warning("key %s is trusted no longer: %s signed for it", key, pins.replaced[key][:SHORT])
    replaced = {**dict.fromkeys(gone, ""), **pins.replaced}
    _write(file, Pins(replaced, pins.direct - set(gone), pins.distrusted | set(gone)))


def pins_file(folder: Path) -> Path:
    """The file of the pins of a project.

    Raises:
        LineageError: this is no git repository.
    """
    return Path(os.path.normpath(folder / git("rev-parse", "--git-common-dir", folder=folder).rstrip("\n") / PINS))


def public_keys(folder: Path) -> dict[str, bytes]:
    """The public keys of a folder by fingerprint; a file that is none is told, and left out."""
    found = dict[str, bytes]()
    for file, content in _small_files(folder, PUBLIC_SUFFIX):
        try:
            found[fingerprint_of(content)] = content
        except ValueError as error:
            log.warning("%s is left out: must be a public key, PEM: %s", file, error)
    return found


def _direct(keys: Iterable[str]) -> Pins:
    names = dict.fromkeys(keys, "")
    return Pins(names, frozenset(names))


def _first_use(file: Path, folder: Path, own: str) -> Pins:
    pins = _direct([*public_keys(folder), *filter(None, [own])])
    if pins.direct:
        _write(file, pins)
        names = ", ".join(pins.replaced)  # whole: half a fingerprint can be forged
        log.warning("first use: trusting key %s of %s from now on, pinned in %s", names, folder, file)
    return pins


def _keep(file: Path, keys: Mapping[str, bytes]) -> None:
    """Keep public halves beside the pins; who may only read the pins goes on with those of the branch."""
    for key, public in keys.items():
        kept = file.parent / KEPT / f"{key}{PUBLIC_SUFFIX}"
        try:
            files.write_bytes(kept, public, mode=0o600)
        except OSError as error:
            log.warning("%s must be a file that can be written: %s", kept, error.strerror)


def _followed(pins: Pins, keys: Mapping[str, bytes], folder: Path) -> Pins:
    """The pins and the keys that replaced them, each with the one that it replaced.

    A key is replaced once: a second statement by it may be a thief's, also where the first is for a key that is
    trusted no longer.
    """
    found, said = dict(pins.replaced), _replacements(keys, folder)
    waiting = [key for key in pins.trusted if key in said]
    while waiting:
        old = waiting.pop()
        before = [new for new in found if found[new] == old] or [new for new in said[old] if new in found]
        fresh = before or sorted(said[old])
        if len(fresh) > 1 or (before and said[old] - set(before)):
            log.warning("key %s signed for more than one that replaces it: only what was pinned counts", old[:SHORT])
        if len(fresh) == 1 and old != fresh[0]:
            waiting += [key for key in fresh if key in said and key not in found]
            found[fresh[0]] = found.get(fresh[0]) or old  # the first stays: the next may be a thief's
    return Pins(found, pins.direct, pins.distrusted)


def _replacements(keys: Mapping[str, bytes], folder: Path) -> dict[str, set[str]]:
    """By old key the new ones that it signed for, of the statements of a folder."""
    found = dict[str, set[str]]()
    for file, content in _small_files(folder, STATEMENT_SUFFIX):
        try:
            tree = load_json(content)
            old, new, signature = (str(tree[key]) for key in ("replaced", "by", "signature"))
            is_good = new in keys and is_signed(STATEMENT_TYPE, statement(old, new), signature, keys[old])
        except (ValueError, TypeError, KeyError):
            is_good = False
        if is_good:
            found.setdefault(old, set()).add(new)
        else:
            log.warning("%s is left out: must be signed by a key of %s/ that another there replaces", file, folder)
    return found


def _small_files(folder: Path, suffix: str) -> Iterable[tuple[Path, bytes]]:
    for file in sorted(folder.glob(f"*{suffix}"))[:FILES_LIMIT]:
        if file.is_file() and file.stat().st_size <= FILE_LIMIT:  # no device, no pipe
            yield file, file.read_bytes()


def _read(file: Path) -> Pins:
    """The pins: ``NEW [OLD]`` by line, and before it ``+`` where it is direct for all that, ``-`` where distrusted."""
    if file.stat().st_mode & 0o022:
        raise ReleaseError(str(file), "must be writable by its owner only: chmod 600")
    replaced, direct, distrusted = dict[str, str](), set[str](), set[str]()
    for line in files.read_text(file).splitlines():
        told = line.partition("#")[0].strip()
        if not told:
            continue
        if not (match := LINE.fullmatch(told)):
            rule = "each line must be a fingerprint, + or - before it or nothing, and the one that it replaced"
            raise ReleaseError(str(file), rule, line)
        mark, key, old = match.groups("")
        replaced[key] = replaced.get(key) or old
        if mark == "-":
            distrusted.add(key)
        elif mark or not old:
            direct.add(key)
    return Pins(replaced, frozenset(direct - distrusted), frozenset(distrusted))


def _write(file: Path, pins: Pins) -> None:
    lines = ["# fingerprints of the release keys that this clone trusts, and -those that it does not; docs/releases.md"]
    for key, old in pins.replaced.items():
        mark = "-" if key in pins.distrusted else "+" if old and key in pins.direct else ""
        lines.append(f"{mark}{key} {old}".strip())
    text = "\n".join(lines) + "\n"
    try:
        files.write_bytes(file, text.encode(), mode=0o600)
    except OSError as error:
        rule = f"must be a file that can be written, or {VARIABLE} name a folder of public keys: {error.strerror}"
        raise ReleaseError(str(file), rule) from None
