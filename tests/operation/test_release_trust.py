"""Whose signatures count: pins outside of the branch, a folder of one's own, and keys that replace a trusted one.

The attacker may push: commits with any file, and any tag. He has no key that the clone has pinned.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from pricetrail.base.errors import ReleaseError
from pricetrail.cli.app import app
from pricetrail.operation.releases import make, trust
from pricetrail.operation.releases.keys import (
    SHORT,
    STATEMENT_TYPE,
    KeyPair,
    fingerprint,
    is_signed,
    make_keys,
    statement,
)
from pricetrail.operation.releases.records import ASSIGNMENT_TYPE
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.releases.trust import trusted
from pricetrail.operation.releases.verify import verify, version_tag
from support.release_sample import AUTHOR, Shop, released_shop


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Run b released; the clone has pinned the key that signed it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(trust.VARIABLE, raising=False)
        with released_shop(tmp_path_factory.mktemp("trust") / "box", "HEAD") as shop:
            yield shop


@pytest.fixture
def shop(made: Shop, tmp_path: Path) -> Shop:
    return made.copy(tmp_path / "box")


def command(shop: Shop, *arguments: str, **env: str) -> Result:
    with contextlib.chdir(shop.folder):
        return CliRunner().invoke(app, arguments, env={"NO_COLOR": "1", "COLUMNS": "300", **env})


def stranger(shop: Shop) -> KeyPair:
    return make_keys(shop.box / "stranger")


def bring(shop: Shop, keys: KeyPair, name: str = "new.pub.pem") -> None:
    (shop.folder / "keys" / name).write_bytes(keys.public.read_bytes())


def state(shop: Shop, by: KeyPair, old: str, new: str, kind: str = STATEMENT_TYPE, name: str = "new") -> None:
    told = {"replaced": old, "by": new, "signature": by.sign(kind, statement(old, new))}
    shop.write(f"keys/{name}.replaces.json", told)


@dataclass(frozen=True)
class Pushed:
    """A stranger's release v2.0.0 in our clone, whose ``keys/`` still has our key alone."""

    shop: Shop
    keys: KeyPair


@pytest.fixture(scope="module")
def theirs(made: Shop, tmp_path_factory: pytest.TempPathFactory) -> Pushed:
    shop = made.copy(tmp_path_factory.mktemp("theirs") / "box")
    keys, ours = stranger(shop), shop.keys.public.read_text()
    shop.write("keys/release.pub.pem", keys.public.read_text())
    shop.run("c")
    own = trusted(shop.folder, named=keys.public.parent)
    make.tag_release(shop.folder, "HEAD", AUTHOR, keys, shop.cache, own)
    shop.write("keys/release.pub.pem", ours)
    return Pushed(shop, keys)


@pytest.fixture
def pushed(theirs: Pushed, tmp_path: Path) -> Pushed:
    return Pushed(theirs.shop.copy(tmp_path / "box"), theirs.keys)


# a branch that brings keys


def a_key_is_added(shop: Shop, keys: KeyPair) -> None:
    bring(shop, keys)


def the_key_is_exchanged(shop: Shop, keys: KeyPair) -> None:
    bring(shop, shop.keys, "old.pub.pem")
    (shop.folder / "keys/release.pub.pem").write_bytes(keys.public.read_bytes())


def he_signs_for_himself(shop: Shop, keys: KeyPair) -> None:
    bring(shop, keys)
    state(shop, keys, only_key(shop), keys.fingerprint)


def he_replaces_himself(shop: Shop, keys: KeyPair) -> None:
    bring(shop, keys)
    state(shop, keys, keys.fingerprint, keys.fingerprint)


def he_reuses_a_signature_of_another_kind(shop: Shop, keys: KeyPair) -> None:
    """Our own signature, over the same bytes, but as what serves."""
    bring(shop, keys)
    state(shop, shop.keys, only_key(shop), keys.fingerprint, kind=ASSIGNMENT_TYPE)


def he_edits_our_statement(shop: Shop, keys: KeyPair) -> None:
    bring(shop, keys)
    shop.git("add", "-A")
    own = shop.keys
    signature = own.sign(STATEMENT_TYPE, statement(own.fingerprint, "f" * 64))
    shop.write("keys/a.replaces.json", {"replaced": own.fingerprint, "by": keys.fingerprint, "signature": signature})


def he_brings_pins(shop: Shop, keys: KeyPair) -> None:
    bring(shop, keys)
    for path in (".pricetrail/trusted_keys", "pricetrail/trusted_keys", "keys/trusted_keys"):
        shop.write(path, f"{keys.fingerprint}\n")
    shop.git("add", "-f", ".pricetrail/trusted_keys")


def he_takes_the_fingerprint_for_a_name(shop: Shop, keys: KeyPair) -> None:
    bring(shop, keys, f"{only_key(shop)[:SHORT]}.pub.pem")


def only_key(shop: Shop) -> str:
    (key,) = {line.split()[0] for line in trust.pins_file(shop.folder).read_text().splitlines()[1:]}
    return key


BRANCHES = [
    a_key_is_added,
    the_key_is_exchanged,
    he_signs_for_himself,
    he_replaces_himself,
    he_reuses_a_signature_of_another_kind,
    he_edits_our_statement,
    he_brings_pins,
    he_takes_the_fingerprint_for_a_name,
]


@pytest.mark.attack
@pytest.mark.parametrize("attack", BRANCHES, ids=lambda attack: attack.__name__)
def test_a_key_that_a_branch_brings_is_not_trusted(
    pushed: Pushed, attack: Callable[[Shop, KeyPair], None], caplog: pytest.LogCaptureFixture
) -> None:
    shop, key = pushed.shop, pushed.keys.fingerprint
    attack(shop, pushed.keys)
    registry = Registry.read(shop.folder)
    assert [version.name for version in registry.versions] == ["v1.0.0"]
    assert (
        f"confirms fingerprint {key}, trust it by `pricetrail keys --trust {key}`"
        in registry.left_out["price-model@v2.0.0"]
    )
    assert version_tag(shop.folder, "production") == "price-model@v1.0.0"
    assert "price-model@v2.0.0" in caplog.text
    assert key not in trust.pins_file(shop.folder).read_text()


@pytest.mark.attack
def test_his_release_fails_by_its_signature_alone(pushed: Pushed) -> None:
    bring(pushed.shop, pushed.keys)
    found = verify(pushed.shop.folder, "v2.0.0", pushed.shop.cache)
    assert [check.name for check in found.checks if not check.passed] == ["signature"]
    with pytest.raises(ReleaseError, match=r"must be signed: must be by a trusted key"):
        verify(pushed.shop.folder, "price-model#production#2", pushed.shop.cache)


@pytest.mark.attack
@pytest.mark.parametrize("what", ["device", "pipe", "huge", "garbage", "folder", "nested"])
def test_hostile_key_files_neither_hang_nor_crash(shop: Shop, what: str) -> None:
    for name in ("a.pub.pem", "b.replaces.json"):
        file = shop.folder / "keys" / name
        if what == "device":
            file.symlink_to("/dev/zero")
        elif what == "pipe":
            os.mkfifo(file)
        elif what == "huge":
            with file.open("wb") as stream:
                stream.truncate(2**34)
        elif what == "folder":
            file.mkdir()
        else:
            file.write_bytes(b"\xff\0 no key" if what == "garbage" else b"[" * 4000)
    assert verify(shop.folder, "production", shop.cache).passed


@pytest.mark.attack
def test_pins_that_others_may_write_are_refused(shop: Shop) -> None:
    pins = trust.pins_file(shop.folder)
    assert stat.S_IMODE(pins.stat().st_mode) == 0o600
    pins.chmod(0o666)
    with pytest.raises(ReleaseError, match="must be writable by its owner only: chmod 600"):
        verify(shop.folder, "production", shop.cache)


@pytest.mark.attack
def test_a_replaced_key_that_was_stolen_signs_for_no_second_one(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    old = KeyPair(shop.box / "thief.pem", shop.box / "thief.pub.pem")
    old.private.write_bytes(shop.keys.private.read_bytes())
    old.public.write_bytes(shop.keys.public.read_bytes())
    assert command(shop, "keys", "--replace").exit_code == 0
    thief = stranger(shop)
    bring(shop, thief)
    state(shop, old, old.fingerprint, thief.fingerprint)
    keys = trusted(shop.folder)
    assert set(keys.keys) == {old.fingerprint, shop.keys.fingerprint}
    assert "signed for more than one that replaces it" in caplog.text


@pytest.mark.attack
def test_two_statements_at_once_are_not_followed(shop: Shop) -> None:
    old = shop.keys.fingerprint
    for name in ("one", "two"):
        keys = make_keys(shop.box / name)
        bring(shop, keys, f"{name}.pub.pem")
        state(shop, shop.keys, old, keys.fingerprint, name=name)
    assert set(trusted(shop.folder).keys) == {old}


@pytest.mark.attack
def test_a_distrusted_key_is_not_pinned_anew(shop: Shop) -> None:
    key = shop.keys.fingerprint
    done = command(shop, "keys", "--distrust", key)
    assert done.exit_code == 0, done.output
    assert not verify(shop.folder, "v1.0.0", shop.cache).passed
    assert "must be that of a trusted key" in command(shop, "keys", "--distrust", key).stderr


@pytest.mark.attack
def test_a_shortened_fingerprint_trusts_nothing(shop: Shop) -> None:
    """Two keys with the same twelve digits can be made."""
    keys = stranger(shop)
    bring(shop, keys)
    done = command(shop, "keys", "--trust", keys.fingerprint[:SHORT])
    assert (done.exit_code, "must be all 64 digits" in done.stderr) == (1, True)
    assert keys.fingerprint not in trusted(shop.folder).keys


@dataclass(frozen=True)
class Line:
    """A clone that pinned key a and followed to b and c, each of which replaced the one before; all private halves."""

    shop: Shop
    a: KeyPair
    b: KeyPair
    c: KeyPair

    @property
    def trusted(self) -> set[str]:
        names = {pair.fingerprint: name for name, pair in (("a", self.a), ("b", self.b), ("c", self.c))}
        return {names.get(key, "stranger") for key in trusted(self.shop.folder).keys}

    def tell(self, option: str, pair: KeyPair) -> None:
        done = command(self.shop, "keys", option, pair.fingerprint)
        assert done.exit_code == 0, done.output


@pytest.fixture
def line(shop: Shop) -> Line:
    b, c = make_keys(shop.box / "b"), make_keys(shop.box / "c")
    for old, new in ((shop.keys, b), (b, c)):
        name = new.private.parents[2].name
        bring(shop, new, f"{name}.pub.pem")
        state(shop, old, old.fingerprint, new.fingerprint, name=name)
    made = Line(shop, shop.keys, b, c)
    assert made.trusted == {"a", "b", "c"}
    return made


@pytest.mark.attack
def test_a_distrusted_key_is_not_followed_again(line: Line) -> None:
    """Its statement lies in ``keys/`` for ever; nor counts what the thief signed for by it."""
    line.tell("--distrust", line.b)
    for _ in range(2):
        assert line.trusted == {"a"}
    line.tell("--trust", line.c)
    assert line.trusted == {"a", "c"}
    line.tell("--trust", line.b)
    assert line.trusted == {"a", "b", "c"}


@pytest.mark.attack
def test_a_key_is_distrusted_before_it_is_followed(shop: Shop) -> None:
    keys = stranger(shop)
    bring(shop, keys)
    state(shop, shop.keys, only_key(shop), keys.fingerprint)
    assert command(shop, "keys", "--distrust", keys.fingerprint).exit_code == 0
    assert set(trusted(shop.folder).keys) == {shop.keys.fingerprint}


@pytest.mark.attack
@pytest.mark.parametrize("is_deleted", [False, True], ids=["statement there", "statement deleted"])
def test_a_distrusted_key_is_replaced_by_no_other(line: Line, is_deleted: bool) -> None:
    """He who has the old key as well brings a second statement by it."""
    line.tell("--distrust", line.b)
    thief = stranger(line.shop)
    bring(line.shop, thief)
    state(line.shop, line.a, line.a.fingerprint, thief.fingerprint)
    if is_deleted:
        (line.shop.folder / "keys/b.replaces.json").unlink()
    assert line.trusted == {"a"}


@pytest.mark.attack
def test_a_stolen_key_takes_no_other_with_it(line: Line) -> None:
    """He signs by it for keys that are trusted without it; they stay when it goes."""
    line.tell("--trust", line.c)
    state(line.shop, line.c, line.c.fingerprint, line.b.fingerprint, name="back")
    assert line.trusted == {"a", "b", "c"}
    line.tell("--distrust", line.c)
    assert line.trusted == {"a", "b"}
    line.tell("--trust", line.c)
    line.tell("--distrust", line.b)
    assert line.trusted == {"a", "c"}


def test_our_new_key_stays_when_the_old_is_distrusted(shop: Shop) -> None:
    old = shop.keys.fingerprint
    assert command(shop, "keys", "--replace").exit_code == 0
    assert len(trusted(shop.folder).keys) == 2
    assert command(shop, "keys", "--distrust", old).exit_code == 0
    assert set(trusted(shop.folder).keys) == {shop.keys.fingerprint}


def they_are_deleted(keys: Path, thief: KeyPair) -> None:
    (keys / "release.pub.pem").unlink()


def one_is_exchanged(keys: Path, thief: KeyPair) -> None:
    (keys / "release.pub.pem").write_bytes(thief.public.read_bytes())


def one_is_swollen(keys: Path, thief: KeyPair) -> None:
    (keys / "release.pub.pem").write_bytes((keys / "release.pub.pem").read_bytes() + b"\n" * 4096)


def they_are_crowded_out(keys: Path, thief: KeyPair) -> None:
    for number in range(trust.FILES_LIMIT):
        (keys / f"a{number}.pub.pem").write_bytes(b"")


@pytest.mark.attack
@pytest.mark.parametrize(
    "attack",
    [they_are_deleted, one_is_exchanged, one_is_swollen, they_are_crowded_out],
    ids=lambda attack: attack.__name__,
)
def test_a_branch_takes_no_trust_away(shop: Shop, attack: Callable[[Path, KeyPair], None]) -> None:
    """Else no release would be left, and its days could be rewritten."""
    key = shop.keys.fingerprint
    trusted(shop.folder)
    attack(shop.folder / "keys", stranger(shop))
    shop.commit()
    assert version_tag(shop.folder, "production") == "price-model@v1.0.0"
    assert verify(shop.folder, "v1.0.0", shop.cache).passed
    assert set(trusted(shop.folder).keys) == {key}


@pytest.mark.attack
def test_a_kept_key_is_held_against_its_fingerprint(shop: Shop) -> None:
    key = shop.keys.fingerprint
    trusted(shop.folder)
    (kept,) = (trust.pins_file(shop.folder).parent / "keys").iterdir()
    assert kept.name == f"{key}.pub.pem"
    (shop.folder / "keys/release.pub.pem").unlink()
    kept.write_bytes(stranger(shop).public.read_bytes())
    assert not trusted(shop.folder).keys


UNKNOWN = {  # DER of a public key, the object 1.2.3.4 in it
    "type": "300c300706032a03040500030100",
    "curve": "3014300e06072a8648ce3d020106032a030403020004",
}


@pytest.mark.attack
@pytest.mark.parametrize("what", UNKNOWN)
def test_a_key_of_an_unknown_kind_is_left_out(shop: Shop, what: str, caplog: pytest.LogCaptureFixture) -> None:
    body = base64.b64encode(bytes.fromhex(UNKNOWN[what])).decode()
    pem = f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"
    shop.write("keys/a.pub.pem", pem)
    assert verify(shop.folder, "production", shop.cache).passed
    assert "keys/a.pub.pem is left out: must be a public key, PEM" in caplog.text
    assert not is_signed(STATEMENT_TYPE, b"", "", pem.encode())
    with pytest.raises(ReleaseError, match="must be a public key, PEM"):
        fingerprint(shop.folder / "keys/a.pub.pem")


# what its owner does


def test_the_first_use_pins_and_says_so_once(made: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shop = made.copy(tmp_path / "box")
    trust.pins_file(shop.folder).unlink()
    for told in (1, 1):
        assert verify(shop.folder, "production", shop.cache).passed
        assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == told
    assert f"first use: trusting key {shop.keys.fingerprint} of " in caplog.text


def test_a_key_that_its_owner_vouched_for_verifies(pushed: Pushed) -> None:
    shop, keys = pushed.shop, pushed.keys
    bring(shop, keys)
    for option, is_verified in (("--trust", True), ("--distrust", False)):
        assert command(shop, "keys", option, keys.fingerprint).exit_code == 0
        assert verify(shop.folder, "v2.0.0", shop.cache).passed == is_verified


def test_who_pinned_the_old_key_follows_to_the_new(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """Twice replaced, and only then looked at; what was pinned stays without the statement."""
    other = shop.copy(shop.box.with_name("other"))
    first = shop.keys.fingerprint
    for _ in range(2):
        assert command(shop, "keys", "--replace").exit_code == 0
    for file in (shop.folder / "keys").iterdir():
        (other.folder / "keys" / file.name).write_bytes(file.read_bytes())
    found = trusted(other.folder)
    assert len(found.keys) == 3
    assert {first, shop.keys.fingerprint} <= set(found.keys)
    assert caplog.text.count("which it replaces, signed for it") == 2
    for file in (other.folder / "keys").glob("*.replaces.json"):
        file.unlink()
    assert trusted(other.folder) == found


def test_a_folder_of_keys_takes_the_place_of_the_pins(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = shop.box / "ours", shop.box / "theirs keys"
    for folder, pair in ((ours, shop.keys), (theirs, stranger(shop))):
        folder.mkdir()
        (folder / "a.pub.pem").write_bytes(pair.public.read_bytes())
    trust.pins_file(shop.folder).unlink()
    assert verify(shop.folder, "v1.0.0", shop.cache, trusted(shop.folder, named=ours)).passed
    failed = verify(shop.folder, "v1.0.0", shop.cache, trusted(shop.folder, named=theirs))
    assert not failed.passed
    assert f"by copying its file from keys/ to {theirs}" in failed.checks[-1].detail
    monkeypatch.setenv(trust.VARIABLE, str(theirs))
    assert json.loads(command(shop, "releases", "--json").stdout) == []
    assert json.loads(command(shop, "releases", "--json", "--trust", str(ours)).stdout)[0]["production"]
    assert not trust.pins_file(shop.folder).exists(), "nothing is pinned on the way"
    (theirs / "a.pub.pem").unlink()
    assert "must be a folder of public keys, *.pub.pem" in command(shop, "releases").stderr


def test_a_run_in_a_clone_uses_the_pins_of_its_home(shop: Shop) -> None:
    clone = shop.copy(shop.box.with_name("clone"))
    trust.pins_file(clone.folder).unlink()
    keys = stranger(shop)
    bring(clone, keys)
    assert set(trusted(clone.folder, shop.folder).keys) == {shop.keys.fingerprint}
    assert not trust.pins_file(clone.folder).exists()


def test_a_pair_that_a_run_made_is_pinned_by_its_first_use(shop: Shop) -> None:
    """The clone has it, and the home not yet; later the pins are asked, whoever signs."""
    clone = shop.copy(shop.box.with_name("clone"))
    trust.pins_file(shop.folder).unlink()
    (shop.folder / "keys/release.pub.pem").unlink()
    ours, keys = shop.copy(shop.box.with_name("home")), clone.keys.fingerprint
    assert set(trusted(clone.folder, ours.folder, own=keys).keys) == {keys}
    thief = stranger(clone)
    bring(clone, thief)
    assert set(trusted(clone.folder, ours.folder, own=thief.fingerprint).keys) == {keys}


def test_a_key_of_ours_that_is_not_trusted_signs_nothing(shop: Shop) -> None:
    """Else its releases would count nowhere, and the same bundle be released each week."""
    make_keys(shop.folder, replace=True)
    (file,) = (shop.folder / "keys").glob("*.replaces.json")
    file.unlink()
    shop.run("c")
    with pytest.raises(ReleaseError, match=r"keys/release\.pub\.pem: must be by a trusted key .*keys --trust"):
        make.tag_release(shop.folder, "HEAD", AUTHOR, shop.keys, shop.cache)
    assert len(shop.tags()) == 2
