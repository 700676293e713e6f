"""Whose signatures count: the keys that this machine trusts, whatever a branch brings in its ``keys/``.

Trusted are the fingerprints that were pinned in git's own folder, where no commit reaches, or the keys of a folder that
the user names; and the keys that replaced one of them, by a statement that the replaced one signed.
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
FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
FILE_LIMIT, FILES_LIMIT = 4096, 1000  # bytes of a key or statement, and how many of each are read

log = logging.getLogger(__name__)


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
        pins, place = dict.fromkeys(given, ""), str(named)
    else:
        file = pins_file(home or folder)
        place = str(file)
        pins = _read(file) if file.exists() else _first_use(file, (home or folder) / PUBLIC.parent, own)
    followed = _followed(pins, brought, folder / PUBLIC.parent)
    if named is None and followed != pins:
        _write(file, followed)
        for key in sorted(followed.keys() - pins.keys()):
            log.warning("key %s is trusted: %s, which it replaces, signed for it", key[:SHORT], followed[key][:SHORT])
    keys = {key: brought[key] for key in followed if key in brought}
    return Trust(keys, tuple(sorted(brought.keys() - keys.keys())), place, named is not None)


def pin(folder: Path, fingerprint: str) -> None:
    """Trust a key of ``keys/`` from now on.

    Raises:
        ReleaseError: it is no fingerprint of a key there.
    """
    if not FINGERPRINT.fullmatch(fingerprint) or fingerprint not in public_keys(folder / PUBLIC.parent):
        raise ReleaseError("fingerprint", f"must be all 64 digits of that of a key in {PUBLIC.parent}/", fingerprint)
    file = pins_file(folder)
    pins = _read(file) if file.exists() else {}
    _write(file, {fingerprint: "", **pins})


def unpin(folder: Path, fingerprint: str) -> None:
    """Trust a key no longer.

    Raises:
        ReleaseError: it is not trusted.
    """
    file = pins_file(folder)
    pins = _read(file) if file.exists() else {}
    if fingerprint not in pins:
        known = ", ".join(pins) or "there is none"
        raise ReleaseError("fingerprint", f"must be that of a trusted key, all 64 digits ({known})", fingerprint)
    _write(file, {key: replaced for key, replaced in pins.items() if key != fingerprint})


def pins_file(folder: Path) -> Path:
    """The file of the pins of a project.

    Raises:
        LineageError: this is no git repository.
    """
    return folder / git("rev-parse", "--git-common-dir", folder=folder).strip() / PINS


def public_keys(folder: Path) -> dict[str, bytes]:
    """The public keys of a folder by fingerprint; a file that is none is told, and left out."""
    found = dict[str, bytes]()
    for file, content in _small_files(folder, PUBLIC_SUFFIX):
        try:
            found[fingerprint_of(content)] = content
        except ValueError as error:
            log.warning("%s is left out: must be a public key, PEM: %s", file, error)
    return found


def _first_use(file: Path, folder: Path, own: str) -> dict[str, str]:
    pins = dict.fromkeys([*public_keys(folder), *filter(None, [own])], "")
    if pins:
        _write(file, pins)
        names = ", ".join(pins)  # whole: half a fingerprint can be forged
        log.warning("first use: trusting key %s of %s from now on, pinned in %s", names, folder, file)
    return pins


def _followed(pins: Mapping[str, str], keys: Mapping[str, bytes], folder: Path) -> dict[str, str]:
    """The pins and the keys that replaced them, each with the one that it replaced.

    A key is replaced once: a second statement by it may be a thief's.
    """
    found, said = dict(pins), _replacements(keys, folder)
    waiting = [key for key in found if key in said]
    while waiting:
        old = waiting.pop()
        before = [new for new in found if found[new] == old] or [new for new in said[old] if new in found]
        fresh = before or sorted(said[old])
        if len(fresh) > 1 or (before and said[old] - set(before)):
            log.warning("key %s signed for more than one that replaces it: only what was pinned counts", old[:SHORT])
        if len(fresh) == 1 and old != fresh[0]:
            waiting += [key for key in fresh if key in said and key not in found]
            found[fresh[0]] = old
    return found


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


def _read(file: Path) -> dict[str, str]:
    """The pinned fingerprints, each with the one that it replaced, empty where it did not."""
    if file.stat().st_mode & 0o022:
        raise ReleaseError(str(file), "must be writable by its owner only: chmod 600")
    found = dict[str, str]()
    for line in files.read_text(file).splitlines():
        words = line.partition("#")[0].split()
        if len(words) > 2 or not all(map(FINGERPRINT.fullmatch, words)):
            raise ReleaseError(str(file), "each line must be a fingerprint, and the one that it replaced", line)
        if words:
            found[words[0]] = words[-1] if len(words) > 1 else ""
    return found


def _write(file: Path, pins: Mapping[str, str]) -> None:
    lines = ["# fingerprints of the release keys that this clone trusts; see docs/releases.md"]
    text = "\n".join([*lines, *(f"{key} {replaced}".strip() for key, replaced in pins.items())]) + "\n"
    try:
        files.write_bytes(file, text.encode(), mode=0o600)
    except OSError as error:
        rule = f"must be a file that can be written, or {VARIABLE} name a folder of public keys: {error.strerror}"
        raise ReleaseError(str(file), rule) from None
