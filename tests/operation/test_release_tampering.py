"""Whoever may write to the git remote, the DVC remote and the cache, but has no key, gets nothing verified.

Each attack says which checks see it; the same release without the attack passes all of them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pricetrail.base.errors import ReleaseError
from pricetrail.operation.releases import records, signing
from pricetrail.operation.releases.evidence import Evidence
from pricetrail.operation.releases.fetch import fetch_release
from pricetrail.operation.releases.keys import KeyPair, make_keys
from pricetrail.operation.releases.records import Record
from pricetrail.operation.releases.trust import unpin
from pricetrail.operation.releases.verify import CHECKS, verify
from support.release_sample import SBOM, Shop, bundle_files, released_shop, sha256

TAG = "price-model@v2.0.0"  # of run b
ALL = frozenset(CHECKS)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Both runs released."""
    with released_shop(tmp_path_factory.mktemp("releases") / "box", "HEAD~1", "HEAD") as shop:
        yield shop


@pytest.fixture
def shop(made: Shop, tmp_path: Path) -> Shop:
    return made.copy(tmp_path / "box")


def retag(shop: Shop, message: str, tag: str = TAG, commit: str = "HEAD") -> None:
    shop.git("tag", "-f", "-a", "--cleanup=verbatim", "-F", "-", tag, commit, given=message.encode())


def message(record: Record | Mapping[str, Any], signature: str) -> str:
    tree = record if isinstance(record, Mapping) else asdict(record)
    return f"Registering\n\n{json.dumps({'release': tree})}\n{json.dumps({'signature': json.loads(signature)})}\n"


def parts(shop: Shop, tag: str = TAG) -> tuple[Record, str]:
    return records.parts(shop.tag_message(tag), tag)


def altered(name: str = "b") -> dict[str, bytes]:
    """Other weights, and the manifest that names them: right in itself."""
    files = {**bundle_files(name), "weights.safetensors": b"weights that give everything away"}
    hashes = {file: sha256(content) for file, content in files.items() if file != "manifest.json"}
    return {**files, "manifest.json": json.dumps({"sha256": hashes}).encode()}


def consistent(shop: Shop, bundle: Mapping[str, bytes]) -> Record:
    """All that has no key behind it, made to agree with another bundle: objects, lock, both records."""
    md5 = shop.add_to_lock(bundle)
    manifest = sha256(bundle["manifest.json"])
    shop.write("reports/lineage.json", {"run": "run-b", "bundle": manifest})
    commit = shop.commit()
    return replace(parts(shop)[0], commit=commit, bundle_md5=md5, manifest_sha256=manifest)


def signature_of(shop: Shop, record: Record, bundle: Mapping[str, bytes], keys: KeyPair) -> str:
    read = {name: (shop.folder / name).read_bytes() for name in ("metrics/decision.json", "reports/lineage.json")}
    evidence = Evidence(record.text().encode(), bundle, SBOM, *read.values())
    with evidence.as_folder() as folder:
        return signing.sign(folder, keys)


def stranger(shop: Shop) -> KeyPair:
    return make_keys(shop.box / "stranger")


def other_weights(shop: Shop) -> None:
    record = consistent(shop, altered())
    retag(shop, message(record, parts(shop)[1]))


def another_key(shop: Shop) -> None:
    record = consistent(shop, altered())
    retag(shop, message(record, signature_of(shop, record, altered(), stranger(shop))))


def another_key_that_names_ours(shop: Shop) -> None:
    record = consistent(shop, altered())
    theirs = json.loads(signature_of(shop, record, altered(), stranger(shop)))
    theirs["verificationMaterial"]["publicKey"]["hint"] = shop.keys.fingerprint
    retag(shop, message(record, json.dumps(theirs)))


def signature_without_a_key(shop: Shop) -> None:
    record, signature = parts(shop)
    tree = json.loads(signature)
    tree["verificationMaterial"]["publicKey"]["hint"] = ""  # the library would take it, with a warning on stdout
    retag(shop, message(record, json.dumps(tree)))


def signature_of_the_other_release(shop: Shop) -> None:
    retag(shop, message(parts(shop)[0], parts(shop, "price-model@v1.0.0")[1]))


def payload_edited(shop: Shop) -> None:
    """The signed list of hashes, changed to fit other weights."""
    record, signature = consistent(shop, altered()), json.loads(parts(shop)[1])
    statement = json.loads(base64.b64decode(signature["dsseEnvelope"]["payload"]))
    for entry in statement["predicate"]["resources"]:
        if entry["name"] == "bundle/weights.safetensors":
            entry["digest"] = sha256(altered()["weights.safetensors"])
    signature["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    retag(shop, message(record, json.dumps(signature)))


def file_smuggled_in(shop: Shop) -> None:
    """Neither the manifest nor the signature names it."""
    bundle = {**bundle_files("b"), "lightgbm.txt": b"tree"}
    record = consistent(shop, bundle)
    retag(shop, message(record, parts(shop)[1]))


def object_altered_in_remote_and_cache(shop: Shop) -> None:
    for place in (shop.remote, shop.cache):
        for file in (place / "files/md5").rglob("*"):
            if file.is_file() and file.read_bytes() == bundle_files("b")["weights.safetensors"]:
                file.write_bytes(b"other weights")


def object_gone(shop: Shop) -> None:
    for place in (shop.remote, shop.cache):
        for file in list((place / "files/md5").rglob("*")):
            if file.is_file() and file.read_bytes() == bundle_files("b")["weights.safetensors"]:
                file.unlink()


def decision_edited(shop: Shop) -> None:
    """The tag moves to a commit whose decision has another reason, in the gate's own file as well."""
    for path, verdicts in (("metrics/decision.json", "gates"), ("metrics/test.json", "verdicts")):
        tree = shop.read(path)
        entry = next(entry for entry in tree[verdicts] if entry["gate"] == "accuracy")
        entry["reason"] = "looks good to me"
        shop.write(path, tree)
    retag(shop, shop.tag_message(TAG), commit=shop.commit())


def decision_edited_alone(shop: Shop) -> None:
    tree = shop.read("metrics/decision.json")
    tree["gates"][0]["reason"] = "looks good to me"
    shop.write("metrics/decision.json", tree)
    retag(shop, shop.tag_message(TAG), commit=shop.commit())


def decision_withheld(shop: Shop) -> None:
    shop.run("b", {"accuracy": False})
    record, signature = parts(shop)
    retag(shop, message(replace(record, commit=shop.git("rev-parse", "HEAD").strip()), signature))


def withheld_said_to_be_released(shop: Shop) -> None:
    """The outcome alone: it does not follow from its verdicts."""
    shop.run("b", {"accuracy": False})
    tree = shop.read("metrics/decision.json")
    shop.write("metrics/decision.json", {**tree, "outcome": "released"})
    retag(shop, shop.tag_message(TAG), commit=shop.commit())


def lock_edited(shop: Shop) -> None:
    shop.add_to_lock(altered())
    retag(shop, shop.tag_message(TAG), commit=shop.commit())


def record_of_the_run_edited(shop: Shop) -> None:
    shop.write("reports/lineage.json", {"run": "run-c", "bundle": parts(shop)[0].manifest_sha256})
    retag(shop, shop.tag_message(TAG), commit=shop.commit())


def tag_moved(shop: Shop) -> None:
    shop.write("notes.txt", "nothing of the release is touched")
    retag(shop, shop.tag_message(TAG), commit=shop.commit())


def tag_moved_and_record_with_it(shop: Shop) -> None:
    shop.write("notes.txt", "nothing of the release is touched")
    record, signature = parts(shop)
    retag(shop, message(replace(record, commit=shop.commit()), signature))


def old_release_as_new_version(shop: Shop) -> None:
    """The very tag object of v1, signature and all, under the name of v2."""
    shop.git("update-ref", f"refs/tags/{TAG}", "refs/tags/price-model@v1.0.0")


def old_release_as_new_version_renamed(shop: Shop) -> None:
    record, signature = parts(shop, "price-model@v1.0.0")
    retag(shop, message(replace(record, version="v2.0.0"), signature), commit=record.commit)


def sbom_file(shop: Shop) -> Path:
    (file,) = (shop.remote / "releases").iterdir()
    assert file.name == f"{sha256(SBOM)}.sbom.cdx.json"
    return file


def sbom_replaced(shop: Shop) -> None:
    sbom_file(shop).write_bytes(SBOM.replace(b"torch", b"other"))


def sbom_replaced_and_record_with_it(shop: Shop) -> None:
    other = SBOM.replace(b"torch", b"other")
    sbom_file(shop).with_name(f"{sha256(other)}.sbom.cdx.json").write_bytes(other)
    record, signature = parts(shop)
    retag(shop, message(replace(record, sbom_sha256=sha256(other)), signature))


def sbom_gone(shop: Shop) -> None:
    sbom_file(shop).unlink()


def key_distrusted(shop: Shop) -> None:
    verify(shop.folder, TAG, shop.cache)  # pins it
    unpin(shop.folder, shop.keys.fingerprint)


def lightweight(shop: Shop) -> None:
    shop.git("tag", "-f", TAG, "HEAD")


def by_hand(shop: Shop) -> None:
    retag(shop, "Registering artifact price-model version v2.0.0\n")


def unsigned(shop: Shop) -> None:
    retag(shop, f"Registering\n\n{json.dumps({'release': asdict(parts(shop)[0])})}\n")


def record_with_a_path(shop: Shop) -> None:
    record, signature = parts(shop)
    retag(shop, message({**asdict(record), "sbom_sha256": "../../project/keys/release"}, signature))


ATTACKS: dict[Callable[[Shop], None], set[str]] = {
    other_weights: {"signature"},
    another_key: {"signature"},
    another_key_that_names_ours: {"signature"},
    signature_without_a_key: {"signature"},
    signature_of_the_other_release: {"signature"},
    payload_edited: {"signature"},
    file_smuggled_in: {"manifest", "signature"},
    object_altered_in_remote_and_cache: {"bundle", "manifest", "signature"},
    object_gone: {"bundle", "manifest", "signature"},
    decision_edited: {"commit", "signature"},
    decision_edited_alone: {"commit", "decision", "signature"},
    decision_withheld: {"decision", "signature"},
    withheld_said_to_be_released: {"commit", "decision", "signature"},
    lock_edited: {"commit", "lock"},
    record_of_the_run_edited: {"commit", "lineage", "signature"},
    tag_moved: {"commit"},
    tag_moved_and_record_with_it: {"signature"},
    old_release_as_new_version: set(ALL),
    old_release_as_new_version_renamed: {"signature"},
    sbom_replaced: {"sbom", "signature"},
    sbom_replaced_and_record_with_it: {"signature"},
    sbom_gone: {"sbom", "signature"},
    key_distrusted: {"signature"},
    lightweight: set(ALL),
    by_hand: set(ALL),
    unsigned: set(ALL),
    record_with_a_path: set(ALL),
}


@pytest.mark.parametrize(("attack", "seen_by"), ATTACKS.items(), ids=lambda part: getattr(part, "__name__", ""))
def test_an_attack_is_seen_and_nothing_is_served(shop: Shop, attack: Callable[[Shop], None], seen_by: set[str]) -> None:
    attack(shop)
    found = verify(shop.folder, TAG, shop.cache)
    assert {check.name for check in found.checks if not check.passed} == seen_by
    assert not found.passed
    target = shop.box / "served"
    first = next(name for name in CHECKS if name in seen_by)
    with pytest.raises(ReleaseError, match=rf"^{TAG}: {first}: must be verified: "):
        fetch_release("v2.0.0", shop.folder, target, shop.cache)
    assert not target.exists()
    before = verify(shop.folder, "v1.0.0", shop.cache)
    assert before.passed == (attack not in {sbom_replaced, sbom_gone, key_distrusted}), "the other release"


def test_without_an_attack_all_checks_hold_and_it_is_served(shop: Shop) -> None:
    found = verify(shop.folder, TAG, shop.cache)
    assert [(check.name, check.passed) for check in found.checks] == [(name, True) for name in CHECKS]
    fetched = fetch_release("production", shop.folder, shop.box / "served", shop.cache)
    bundle = bundle_files("b")
    assert {file.name: file.read_bytes() for file in fetched.folder.iterdir()} == bundle
    assert fetched.trusted.manifest_sha256 == sha256(bundle["manifest.json"])
    assert fetched.trusted.by == f"the signature of {TAG}"


def test_what_the_cache_lost_or_altered_comes_from_the_remote(shop: Shop) -> None:
    for place, file in enumerate(sorted(path for path in shop.cache.rglob("*") if path.is_file())):
        file.unlink() if place % 2 else file.write_bytes(b"altered")
    assert verify(shop.folder, TAG, shop.cache).passed


@dataclass(frozen=True)
class Signed:
    """A signature read by hand: the DSSE envelope of a Sigstore bundle around an in-toto statement."""

    payload: bytes
    signature: bytes

    @classmethod
    def of(cls, shop: Shop) -> Signed:
        line = next(line for line in shop.tag_message(TAG).splitlines() if line.startswith('{"signature"'))
        envelope = json.loads(line)["signature"]["dsseEnvelope"]
        assert envelope["payloadType"] == "application/vnd.in-toto+json"
        return cls(base64.b64decode(envelope["payload"]), base64.b64decode(envelope["signatures"][0]["sig"]))


def test_the_signature_is_over_every_file_by_sha256(shop: Shop) -> None:
    """By the formats' own rules, and not by the library that made it."""
    signed = Signed.of(shop)
    key = load_pem_public_key((shop.folder / "keys/release.pub.pem").read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    kind = b"application/vnd.in-toto+json"
    envelope = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(signed.payload), signed.payload)
    key.verify(signed.signature, envelope, ec.ECDSA(SHA256()))
    record = json.loads(shop.tag_message(TAG).splitlines()[2])["release"]
    expected = {f"bundle/{name}": content for name, content in bundle_files("b").items()} | {
        "decision.json": (shop.folder / "metrics/decision.json").read_bytes(),
        "lineage.json": (shop.folder / "reports/lineage.json").read_bytes(),
        "sbom.cdx.json": SBOM,
        "release.json": json.dumps(record, sort_keys=True).encode(),
    }
    listed = json.loads(signed.payload)["predicate"]["resources"]
    assert {entry["name"]: entry["digest"] for entry in listed} == {n: sha256(c) for n, c in expected.items()}
    assert record == {
        "artifact": "price-model",
        "version": "v2.0.0",
        "commit": shop.git("rev-parse", "HEAD").strip(),
        "run": "run-b",
        "bundle_md5": record["bundle_md5"],
        "manifest_sha256": sha256(bundle_files("b")["manifest.json"]),
        "sbom_sha256": sha256(SBOM),
    }


@pytest.mark.parametrize("name", ["production", "price-model#production", "price-model#production#2", "v2.0.0", TAG])
def test_a_release_has_five_names(made: Shop, name: str) -> None:
    found = verify(made.folder, name, made.cache)
    assert (found.tag, found.passed) == (TAG, True)


@pytest.mark.parametrize("name", ["v3.0.0", "main", "HEAD", "price-model#production#9", "price-model#staging", ""])
def test_what_is_no_release_is_not_verified(made: Shop, name: str) -> None:
    try:
        found = verify(made.folder, name, made.cache)
    except ReleaseError:
        return
    assert not found.passed
    assert {check.name for check in found.checks if check.passed} == set()
