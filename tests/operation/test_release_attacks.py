"""Hostile tags, stage tags, lists of files and remotes: none steers a release, reaches outside, or ends in a crash."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pricetrail.base.errors import ReleaseError
from pricetrail.operation.releases.fetch import fetch_release
from pricetrail.operation.releases.keys import ensure_keys
from pricetrail.operation.releases.make import is_release_due, tag_release
from pricetrail.operation.releases.records import Assignment, stage_message
from pricetrail.operation.releases.registry import Registry, rows
from pricetrail.operation.releases.remote import Objects, open_remote
from pricetrail.operation.releases.rollback import roll_back
from pricetrail.operation.releases.verify import verify, version_tag
from support.release_sample import AUTHOR, Shop, bundle_files, md5, released_shop

V1, V2, V3 = (f"price-model@v{n}.0.0" for n in (1, 2, 3))
P1, P2, P3 = (f"price-model#production#{n}" for n in (1, 2, 3))
DEEP = "[" * 100_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Runs a and b released, b serves; run c may be released."""
    with released_shop(tmp_path_factory.mktemp("attacks") / "box", "HEAD~1", "HEAD") as shop:
        shop.run("c")
        yield shop


@pytest.fixture
def shop(made: Shop, tmp_path: Path) -> Shop:
    return made.copy(tmp_path / "box")


@pytest.fixture
def tagged(made: Shop) -> Iterator[Shop]:
    """The same project; tags that a test makes go with it."""
    before = made.tags()
    yield made
    if new := made.tags() - before:
        made.git("tag", "--delete", *sorted(new))


def tag(shop: Shop, name: str, message: str | bytes, commit: str = "HEAD") -> None:
    given = message if isinstance(message, bytes) else message.encode()
    shop.git("tag", "-f", "-a", "--cleanup=verbatim", "-F", "-", name, commit, given=given)


def raw_tag(shop: Shop, name: str, content: str) -> None:
    """A tag object that git's own command does not make."""
    oid = shop.git("hash-object", "-t", "tag", "-w", "--literally", "--stdin", given=content.encode()).strip()
    shop.git("update-ref", f"refs/tags/{name}", oid)


def head(shop: Shop) -> str:
    return shop.git("rev-parse", "HEAD").strip()


def claim(shop: Shop, version: str = "v3.0.0") -> dict[str, Any]:
    """The record of a release of run c, which nobody made."""
    record = json.loads(shop.tag_message(V2).splitlines()[2])["release"]
    (bundle,) = re.findall(r"md5: (\w+\.dir)", (shop.folder / "dvc.lock").read_text())
    return {**record, "version": version, "commit": head(shop), "bundle_md5": bundle}


def signature(shop: Shop) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(shop.tag_message(V2).splitlines()[3])
    return tree


def text(*trees: object) -> str:
    return "\n\n" + "\n".join(json.dumps(tree) for tree in trees) + "\n"


# tags of versions: (what the attacker does, and the tag that is named)


def names_the_bundle(shop: Shop) -> str:
    tag(shop, V3, text({"release": claim(shop)}, {"signature": {}}))
    return V3


def names_the_bundle_with_a_signature_of_another(shop: Shop) -> str:
    tag(shop, V3, text({"release": claim(shop)}, signature(shop)))
    return V3


def is_of_the_year_999(shop: Shop) -> str:
    tag(shop, "price-model@v999.0.0", "x")
    return "price-model@v999.0.0"


def is_an_old_one_renamed(shop: Shop) -> str:
    tag(shop, "price-model@v999.0.0", shop.tag_message(V2), V2 + "^{}")
    return "price-model@v999.0.0"


def is_an_old_object_under_a_new_name(shop: Shop) -> str:
    shop.git("update-ref", "refs/tags/price-model@v999.0.0", f"refs/tags/{V2}")
    return "price-model@v999.0.0"


def is_nested(shop: Shop) -> str:
    tag(shop, V3, f'{DEEP}\n{{"release": {DEEP}\n{{"a":{DEEP}{"]" * 100_000}}}\n')
    return V3


def is_nested_in_its_signature(shop: Shop) -> str:
    nested = '{"signature": {"dsseEnvelope": ' + "[" * 900 + "]" * 900 + "}}"
    tag(shop, V3, text({"release": claim(shop)}) + nested)
    return V3


def is_huge(shop: Shop) -> str:
    tag(shop, V3, text({"release": claim(shop)}, {"signature": {"a": "x" * 5_000_000}}))
    return V3


def is_binary(shop: Shop) -> str:
    tag(shop, V3, b'\xff\xfe\x00\n{"release": "\xff"}\n{"signature": {}}')
    return V3


def is_lightweight(shop: Shop) -> str:
    shop.git("tag", V3)
    return V3


def is_of_a_tree(shop: Shop) -> str:
    tag(shop, V3, "x", "HEAD^{tree}")
    return V3


def is_of_a_tag(shop: Shop) -> str:
    tag(shop, V3, "x", V2)
    return V3


def has_digits_of_another_script(shop: Shop) -> str:
    tag(shop, "price-model@v٣.0.0", "x")
    return "price-model@v\\u0663.0.0"


def has_a_number_without_end(shop: Shop) -> str:
    tag(shop, f"price-model@v{'9' * 200}.0.0", "x")
    return "price-model@v999"


def has_an_odd_name(shop: Shop) -> str:
    tag(shop, "price-model@v3.0.0'$(touch$IFS$9x)\u2028v1\u202e", "x")
    return "\\u2028v1\\u202e"


def takes_the_next_name_for_a_folder(shop: Shop) -> str:
    tag(shop, f"{V3}/x", "x")
    return f"{V3}/x"


def has_no_tagger(shop: Shop) -> str:
    raw_tag(shop, V3, f"object {head(shop)}\ntype commit\ntag {V3}\ntagger \xe9 99999999999 +9999\n\nx")
    return V3


def has_a_list_for_a_record(shop: Shop) -> str:
    tag(shop, V3, text({"release": [claim(shop)]}, {"signature": {"verificationMaterial": ["publicKey"]}}))
    return V3


def has_a_number_that_json_cannot_hold(shop: Shop) -> str:
    tag(shop, V3, f'x\n\n{{"release": {"9" * 10_000}}}\n{{"release": 1e999, "signature": {{}}}}\n')
    return V3


TAGS = [
    names_the_bundle,
    names_the_bundle_with_a_signature_of_another,
    is_of_the_year_999,
    is_an_old_one_renamed,
    is_an_old_object_under_a_new_name,
    is_nested,
    is_nested_in_its_signature,
    is_huge,
    is_binary,
    is_lightweight,
    is_of_a_tree,
    is_of_a_tag,
    has_digits_of_another_script,
    has_a_number_without_end,
    has_an_odd_name,
    takes_the_next_name_for_a_folder,
    has_no_tagger,
    has_a_list_for_a_record,
    has_a_number_that_json_cannot_hold,
]


@pytest.mark.attack
@pytest.mark.parametrize("attack", TAGS, ids=lambda attack: attack.__name__)
def test_a_tag_that_nobody_signed_steers_nothing(
    tagged: Shop, attack: Callable[[Shop], str], caplog: pytest.LogCaptureFixture
) -> None:
    named = attack(tagged)
    assert is_release_due(tagged.folder, "HEAD")
    assert "git tags that steer nothing: " in caplog.text
    assert named in caplog.text
    registry = Registry.read(tagged.folder)
    assert [version.name for version in registry.versions] == ["v1.0.0", "v2.0.0"]
    assert version_tag(tagged.folder, "production") == V2
    assert registry.next_version == ("v4.0.0" if named.startswith(V3) else "v3.0.0"), "the next name that is free"


# tags of the stage


def assignment(shop: Shop, number: int, version: str = "v1.0.0") -> Assignment:
    release = shop.git("rev-parse", f"refs/tags/price-model@{version}").strip()
    return Assignment("price-model", "production", number, version, release)


def nobody_signed(shop: Shop) -> None:
    tag(shop, P3, "Assigning stage production to artifact price-model version v1.0.0", V1 + "^{}")


def a_stranger_signed(shop: Shop) -> None:
    tag(shop, P3, stage_message(assignment(shop, 3), ensure_keys(shop.box / "stranger")), V1 + "^{}")


def a_stranger_signed_in_our_name(shop: Shop) -> None:
    said = stage_message(assignment(shop, 3), ensure_keys(shop.box / "stranger"))
    ours = shop.keys.fingerprint
    tag(shop, P3, re.sub(r'"key": "\w+"', f'"key": "{ours}"', said), V1 + "^{}")


def an_old_one_is_replayed(shop: Shop) -> None:
    tag(shop, P3, shop.tag_message(P1), V1 + "^{}")


def an_old_object_has_a_new_name(shop: Shop) -> None:
    shop.git("update-ref", f"refs/tags/{P3}", f"refs/tags/{P1}")


def an_old_one_is_edited(shop: Shop) -> None:
    tag(shop, P3, shop.tag_message(P1).replace('"number": 1', '"number": 3'), V1 + "^{}")


def the_newest_is_edited(shop: Shop) -> None:
    tag(shop, P3, shop.tag_message(P2).replace('"number": 2', '"number": 3').replace("v2.0.0", "v1.0.0"))


def a_version_s_signature_is_used(shop: Shop) -> None:
    said = json.loads(assignment(shop, 3).text())
    envelope = signature(shop)["signature"]["dsseEnvelope"]
    signed = {"key": shop.keys.fingerprint, "signature": envelope["signatures"][0]["sig"]}
    tag(shop, P3, text({"assignment": said}, signed), V1 + "^{}")


def it_has_the_highest_number(shop: Shop) -> None:
    tag(shop, "price-model#production#999999999", "x", V1 + "^{}")


def it_has_a_number_without_end(shop: Shop) -> None:
    tag(shop, f"price-model#production#{'9' * 200}", "x", V1 + "^{}")


def it_takes_the_stage_back(shop: Shop) -> None:
    """GTO's own sign for that."""
    tag(shop, "price-model#production!#3", "x", V2 + "^{}")


def it_is_nested(shop: Shop) -> None:
    tag(shop, P3, f'{{"assignment": {DEEP}{"]" * 100_000}}}\n{{"key": {DEEP}', V1 + "^{}")


STAGES = [
    nobody_signed,
    a_stranger_signed,
    a_stranger_signed_in_our_name,
    an_old_one_is_replayed,
    an_old_object_has_a_new_name,
    an_old_one_is_edited,
    the_newest_is_edited,
    a_version_s_signature_is_used,
    it_has_the_highest_number,
    it_has_a_number_without_end,
    it_takes_the_stage_back,
    it_is_nested,
]


@pytest.mark.attack
@pytest.mark.parametrize("attack", STAGES, ids=lambda attack: attack.__name__)
def test_a_stage_tag_that_nobody_signed_selects_nothing(
    tagged: Shop, attack: Callable[[Shop], None], caplog: pytest.LogCaptureFixture
) -> None:
    before = tagged.tags()
    attack(tagged)
    (new,) = tagged.tags() - before
    assert version_tag(tagged.folder, "production") == V2
    assert "git tags that steer nothing: " in caplog.text
    assert new in caplog.text
    if new == P3:
        with pytest.raises(ReleaseError, match=f"^{P3}: must be signed: "):
            version_tag(tagged.folder, P3)
    assert Registry.read(tagged.folder).previous == "v1.0.0"


@pytest.mark.long
@pytest.mark.attack
@pytest.mark.parametrize("attack", [*TAGS, *STAGES], ids=lambda attack: attack.__name__)
def test_among_hostile_tags_it_releases_and_rolls_back(shop: Shop, attack: Callable[[Shop], object]) -> None:
    attack(shop)
    made = tag_release(shop.folder, "HEAD", AUTHOR, shop.keys, shop.cache)
    assert made.record.version in {"v3.0.0", "v4.0.0"}
    assert not is_release_due(shop.folder, "HEAD")
    assert verify(shop.folder, "production", shop.cache).tag == made.tag
    done = roll_back(shop.folder, "", "wrong", AUTHOR, shop.keys, shop.cache)
    assert (done.version_before, done.version) == (made.record.version, "v2.0.0")
    assert verify(shop.folder, "production", shop.cache).tag == V2
    assert [row.version for row in rows(shop.folder)] == [made.record.version, "v2.0.0", "v1.0.0"]


@pytest.mark.attack
@pytest.mark.parametrize("how", ["deleted", "exchanged"])
def test_a_lost_release_lets_no_older_one_serve(shop: Shop, how: str) -> None:
    if how == "deleted":
        shop.git("tag", "--delete", V2)
    else:
        tag(shop, V2, "x")
    with pytest.raises(ReleaseError, match=f"^{V2}: must be there as it was put into production"):
        fetch_release("production", shop.folder, shop.box / "served", shop.cache)
    assert not (shop.box / "served").exists()


def unsigned_stages(shop: Shop) -> None:
    """As releases were made until stage tags were signed."""
    for number, version in ((1, "v1.0.0"), (2, "v2.0.0")):
        message = f"Assigning stage production to artifact price-model version {version}"
        tag(shop, f"price-model#production#{number}", message, f"price-model@{version}^{{}}")


def test_stage_tags_from_before_are_signed_by_one_command(shop: Shop) -> None:
    unsigned_stages(shop)
    for ask in (
        lambda: verify(shop.folder, "production", shop.cache),
        lambda: is_release_due(shop.folder, "HEAD"),
        lambda: roll_back(shop.folder, "", "wrong", AUTHOR, shop.keys, shop.cache),
    ):
        with pytest.raises(ReleaseError, match=r"must be signed, .*`pricetrail rollback --to v2\.0\.0 --reason '"):
            ask()
    assert verify(shop.folder, "v2.0.0", shop.cache).passed
    done = roll_back(shop.folder, "v2.0.0", "sign what serves", AUTHOR, shop.keys, shop.cache)
    assert (done.version_before, done.version, done.stage_tag) == ("", "v2.0.0", P3)
    assert verify(shop.folder, "production", shop.cache).tag == V2
    assert is_release_due(shop.folder, "HEAD")
    assert not is_release_due(shop.folder, "HEAD~2"), "it served before, and was withdrawn or not: it stays released"


# lists of files, and what a remote gives

NAMES = {
    "parent": ["../keys/release.pub.pem"],
    "parent inside": ["a/../../x"],
    "absolute": ["/etc/cron.d/x"],
    "itself": ["."],
    "empty": [""],
    "dot": ["./a"],
    "doubled slash": ["a//b"],
    "backslash": ["..\\x"],
    "drive": ["C:x"],
    "line": ["a\nb"],
    "turned": ["a\u202eb"],
    "case": ["model.json", "Model.json"],
    "twice": ["a", "a"],
    "file and folder": ["a", "a/b"],
    "case of a folder": ["A", "a/b"],
}


@pytest.mark.attack
@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_a_list_of_hostile_names_is_refused(made: Shop, names: list[str]) -> None:
    known = md5(bundle_files("b")["model.json"])
    name = made.store(json.dumps([{"md5": known, "relpath": name} for name in names]).encode(), ".dir")
    with open_remote(made.folder) as remote, pytest.raises(ReleaseError, match="must name "):
        Objects(made.cache, remote).folder(name)


@pytest.mark.attack
@pytest.mark.parametrize("wanted", ["../../../../../../dev/zero", "/dev/zero", "0" * 31, "A" * 32, "", None, [1]])
def test_a_list_of_hostile_hashes_reads_no_other_file(made: Shop, wanted: object) -> None:
    name = made.store(json.dumps([{"md5": wanted, "relpath": "a"}]).encode(), ".dir")
    with open_remote(made.folder) as remote, pytest.raises(ReleaseError, match="must have an md5"):
        Objects(made.cache, remote).folder(name)


@pytest.mark.attack
@pytest.mark.parametrize("what", ["weights", "list", "sbom"])
def test_a_remote_that_gives_without_end_is_left(shop: Shop, what: str) -> None:
    """Sixteen gigabytes in place of a few bytes, in remote and cache: more than the machine's memory."""
    files, (bundle,) = list((shop.remote / "releases").iterdir()), re.findall(r"\w+\.dir", shop.tag_message(V2))
    if what != "sbom":
        object_ = bundle if what == "list" else md5(bundle_files("b")["weights.safetensors"])
        files = [place / "files/md5" / object_[:2] / object_[2:] for place in (shop.remote, shop.cache)]
    for file in files:
        with file.open("wb") as stream:
            stream.truncate(2**34)
    found = verify(shop.folder, "v2.0.0", shop.cache)
    failed = next(check for check in found.checks if not check.passed)
    assert failed.name == ("sbom" if what == "sbom" else "bundle")
    limit = sum(map(len, bundle_files("b").values())) - len(bundle_files("b")["manifest.json"] + b"{}\n")
    assert f"must have at most {limit if what == 'weights' else 64_000_000} bytes" in failed.detail


@pytest.mark.attack
def test_a_bundle_is_no_larger_than_its_lock_says(shop: Shop) -> None:
    lock = (shop.folder / "dvc.lock").read_text()
    total = sum(map(len, bundle_files("c").values()))
    for size, is_made in ((total - 1, False), (total, True)):
        shop.write("dvc.lock", lock.replace(f"size: {total}", f"size: {size}"))
        shop.commit()
        if is_made:
            tag_release(shop.folder, "HEAD", AUTHOR, shop.keys, shop.cache)
            assert verify(shop.folder, "production", shop.box / "empty").passed
        else:
            with pytest.raises(ReleaseError, match=r"must have at most [0-9]+ bytes"):
                tag_release(shop.folder, "HEAD", AUTHOR, shop.keys, shop.cache)


@pytest.mark.attack
def test_an_object_is_hashed_as_it_was_read(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exchanged in the cache right after it was looked at, and back again: what is served was verified."""
    good = bundle_files("b")["weights.safetensors"]
    (file,) = (f for f in (shop.cache / "files").rglob("*") if f.is_file() and f.read_bytes() == good)
    looked = Path.is_file

    def exchanged(path: Path, **how: Any) -> bool:
        found = looked(path, **how)
        if path == file:
            file.write_bytes(b"weights of a stranger")
        return found

    monkeypatch.setattr(Path, "is_file", exchanged)
    fetched = fetch_release("v2.0.0", shop.folder, shop.box / "served", shop.cache)
    assert file.read_bytes() != good
    assert (fetched.folder / "weights.safetensors").read_bytes() == good, "from the remote"


def test_registry_is_what_git_holds(made: Shop) -> None:
    registry = Registry.read(made.folder)
    assert (registry.next_version, registry.left_out, registry.older) == ("v3.0.0", {}, ())
