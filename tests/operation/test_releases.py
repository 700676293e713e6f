"""Making, publishing, listing and rolling back releases, in a tiny project with a folder as its DVC remote."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import platform
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from gto import api
from typer.testing import CliRunner

from pricetrail.base.errors import LineageError, ReleaseError
from pricetrail.cli.app import app
from pricetrail.operation.releases import make, push
from pricetrail.operation.releases.keys import SHORT, VARIABLE, ensure_keys, make_keys
from pricetrail.operation.releases.make import is_release_due, require_in_remote, require_releasable, tag_release
from pricetrail.operation.releases.records import Assignment, Record, stage_message
from pricetrail.operation.releases.registry import Registry, Version, rows
from pricetrail.operation.releases.remote import Objects, open_remote
from pricetrail.operation.releases.rollback import roll_back
from pricetrail.operation.releases.sbom import described, environment_sbom, recorded
from pricetrail.operation.releases.tags import Tag
from pricetrail.operation.releases.trust import pin, unpin
from pricetrail.operation.releases.verify import verify
from pricetrail.operation.servers.s3 import Store, ensure_running
from support.commands import environment, must
from support.release_sample import AUTHOR, SBOM, Shop, make_shop, md5, sha256
from support.source_tree import ROOT

V1, V2, P1, P2 = "price-model@v1.0.0", "price-model@v2.0.0", "price-model#production#1", "price-model#production#2"


@pytest.fixture(scope="module", autouse=True)
def _quick_sbom() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "environment_sbom", lambda: SBOM)
        yield


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Runs a and b, no release."""
    return make_shop(tmp_path_factory.mktemp("fresh") / "box")


@pytest.fixture(scope="module")
def both(fresh: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Both released."""
    shop = fresh.copy(tmp_path_factory.mktemp("both") / "box")
    release(shop, "HEAD~1")
    release(shop)
    return shop


@pytest.fixture
def shop(fresh: Shop, tmp_path: Path) -> Shop:
    return fresh.copy(tmp_path / "box")


@pytest.fixture
def released(both: Shop, tmp_path: Path) -> Shop:
    return both.copy(tmp_path / "box")


def release(shop: Shop, rev: str = "HEAD") -> make.Release:
    return tag_release(shop.folder, rev, AUTHOR, shop.keys, shop.cache)


def roll(shop: Shop, to: str = "", reason: str = "wrong prices") -> str:
    return roll_back(shop.folder, to, reason, AUTHOR, shop.keys, shop.cache).version


def production(shop: Shop) -> str | None:
    event = Registry.read(shop.folder).production
    return event.version if event else None


def command(shop: Shop, *arguments: str) -> Result:
    """In this process: a new one loads GTO and DVC for seconds."""
    with contextlib.chdir(shop.folder):
        return CliRunner().invoke(app, arguments, env={"NO_COLOR": "1", "COLUMNS": "200"})


def origin_tags(shop: Shop) -> set[str]:
    return {
        line.rpartition("refs/tags/")[2] for line in shop.git("ls-remote", "--tags", "--refs", "origin").splitlines()
    }


# making


def test_a_release_is_two_annotated_tags_that_gto_reads(shop: Shop) -> None:
    made = release(shop)
    assert (made.record.version, made.tag, made.stage_tag) == ("v1.0.0", V1, P1)
    assert made.record.commit == shop.git("rev-parse", "HEAD").strip()
    asked = "--format=%(refname:short)|%(objecttype)|%(*objectname)|%(taggername) %(taggeremail)|%(contents:subject)"
    assert shop.git("for-each-ref", asked, "refs/tags").splitlines() == [
        f"{P1}|tag|{made.record.commit}|{AUTHOR}|Assigning stage production to artifact price-model version v1.0.0",
        f"{V1}|tag|{made.record.commit}|{AUTHOR}|Registering artifact price-model version v1.0.0",
    ]
    assert [shown["version"] for shown in api.show(str(shop.folder), "price-model#production")] == ["v1.0.0"]
    assert (shop.remote / "releases" / f"{sha256(SBOM)}.sbom.cdx.json").read_bytes() == SBOM
    assert origin_tags(shop) == set(), "nothing is pushed"
    assert shop.git("status", "--porcelain") == "", "nothing of it lies in the project"


def test_versions_count_up_and_the_sbom_is_kept_once(released: Shop) -> None:
    assert released.tags() == {V1, V2, P1, P2}
    assert production(released) == "v2.0.0"
    assert len(list((released.remote / "releases").iterdir())) == 1
    released.run("c")
    assert release(released).record.version == "v3.0.0"


@pytest.mark.parametrize("gates", [["drift"], ["accuracy", "fairness"]])
def test_a_closed_gate_is_named_and_nothing_is_made(shop: Shop, gates: list[str]) -> None:
    shop.run("c", dict.fromkeys(gates, False))
    with pytest.raises(ReleaseError, match=rf"must be released\. Closed: {', '.join(gates)}"):
        release(shop)
    assert not is_release_due(shop.folder, "HEAD")
    assert shop.tags() == set()
    assert not (shop.remote / "releases").exists()


def test_a_bundle_is_released_once_also_after_a_rollback(released: Shop) -> None:
    with pytest.raises(ReleaseError, match=f"must not be released yet, and is, as {V2}"):
        release(released)
    roll(released)
    with pytest.raises(ReleaseError, match=f"is, as {V2}"):
        release(released)
    released.run("b")  # the same bundle, another commit
    with pytest.raises(ReleaseError, match=f"is, as {V2}"):
        release(released)


def test_when_a_release_is_due(shop: Shop) -> None:
    assert [is_release_due(shop.folder, rev) for rev in ("HEAD", "HEAD~1")] == [True, True]
    release(shop)
    assert [is_release_due(shop.folder, rev) for rev in ("HEAD", "HEAD~1")] == [False, True]
    shop.run("c")
    assert is_release_due(shop.folder, "HEAD")
    release(shop)
    roll(shop)
    assert not is_release_due(shop.folder, "HEAD"), "withdrawn: the same bundle does not come back by itself"
    shop.git("rm", "-q", "metrics/decision.json")
    shop.commit()
    assert not is_release_due(shop.folder, "HEAD"), "stopped at the drift gate"
    with pytest.raises(LineageError, match="must be a commit, branch or tag"):
        is_release_due(shop.folder, "nowhere")


def test_a_release_that_was_killed_between_its_tags_is_finished(shop: Shop) -> None:
    made = release(shop)
    text = shop.tag_message(V1)
    shop.git("tag", "--delete", P1)
    assert is_release_due(shop.folder, "HEAD")
    assert release(shop) == made
    assert shop.tags() == {V1, P1}
    assert shop.tag_message(V1) == text


def test_what_was_cut_off_is_finished_only_where_it_verifies(shop: Shop) -> None:
    release(shop)
    shop.git("tag", "--delete", P1)
    for file in (shop.remote / "releases").iterdir():
        file.write_bytes(b"{}")
    with pytest.raises(ReleaseError, match=f"{V1}: sbom: must be verified"):
        release(shop)
    assert shop.tags() == {V1}


def test_where_the_second_tag_fails_the_first_one_goes(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> str:
        raise ReleaseError("git", "must write")

    monkeypatch.setattr(Registry, "assign", fail)
    with pytest.raises(ReleaseError, match="must write"):
        release(shop)
    assert shop.tags() == set()


def test_the_key_must_be_in_git(shop: Shop) -> None:
    other = make_keys(shop.box / "elsewhere")
    with pytest.raises(ReleaseError, match="another key is in git"):
        tag_release(shop.folder, "HEAD", AUTHOR, other, shop.cache)
    shop.git("rm", "-q", "--cached", "keys/release.pub.pem")
    shop.git("commit", "-q", "-m", "no key")
    with pytest.raises(ReleaseError, match="it is not in git"):
        release(shop)
    assert shop.tags() == set()


def test_a_bundle_whose_manifest_is_wrong_is_not_released(shop: Shop) -> None:
    shop.add_to_lock({"model.json": b"{}", "manifest.json": json.dumps({"sha256": {"model.json": "ab"}}).encode()})
    shop.commit()
    with pytest.raises(ReleaseError, match=r"bundle: model\.json: must have sha256 ab"):
        release(shop)


@pytest.mark.parametrize("author", ["Bot", "<bot@shop.example>", "Bot <>", "", "A <b> <c>"])
def test_an_author_has_a_name_and_an_address(shop: Shop, author: str) -> None:
    with pytest.raises(ReleaseError, match="must be like Name <mail>"):
        tag_release(shop.folder, "HEAD", author, shop.keys, shop.cache)


# remote


def test_objects_that_are_not_in_the_remote_are_counted(shop: Shop) -> None:
    assert require_in_remote(shop.folder, "HEAD", shop.cache) == 4, "three files and their list"
    (file,) = (f for f in (shop.remote / "files").rglob("*") if f.is_file() and f.read_bytes() == b"weights of b")
    file.unlink()
    rule = r"must be in .*remote: 1 of 4 objects are not; run `dvc push`"
    for check in (lambda: require_in_remote(shop.folder, "HEAD", shop.cache), lambda: release(shop)):
        with pytest.raises(ReleaseError, match=rule):
            check()
    assert require_in_remote(shop.folder, "HEAD~1", shop.cache) == 4
    assert shop.tags() == set()


def test_tracked_sources_count_and_files_that_git_holds_do_not(shop: Shop) -> None:
    lock = (shop.folder / "dvc.lock").read_text()
    shop.write("dvc.lock", f"{lock}    - path: metrics/test.json\n      hash: md5\n      md5: {md5(b'small')}\n")
    shop.write("data/sales.dvc", f"outs:\n- md5: {md5(b'sales')}\n  path: sales\n")
    shop.commit()
    with pytest.raises(ReleaseError, match="1 of 5 objects are not"):
        require_in_remote(shop.folder, "HEAD", shop.cache)


@pytest.mark.operation_case
@pytest.mark.parametrize("flag", ["push: false", "remote: other"])
def test_what_dvc_does_not_push_here_is_not_missed(shop: Shop, flag: str) -> None:
    shop.write("data/sales.dvc", f"outs:\n- md5: {md5(b'sales')}\n  path: sales\n  {flag}\n")
    outs = f"    outs:\n    - models/candidate\n    - x: {{{flag}}}\n"
    shop.write("dvc.yaml", f"stages:\n  tune:\n    cmd: 'true'\n{outs}")
    lock = (shop.folder / "dvc.lock").read_text()
    shop.write("dvc.lock", f"{lock}    - path: x\n      hash: md5\n      md5: {md5(b'x')}\n")
    shop.commit()
    assert require_in_remote(shop.folder, "HEAD", shop.cache) == 4


@pytest.mark.operation_case
def test_what_another_repository_keeps_is_not_missed(shop: Shop) -> None:
    deps = "deps:\n- path: lines\n  repo: {url: https://shop.example/data.git, rev_lock: abc}\n"
    shop.write("data/sales.dvc", f"{deps}outs:\n- md5: {md5(b'sales')}\n  path: sales\n")
    shop.commit()
    assert require_in_remote(shop.folder, "HEAD", shop.cache) == 4


@pytest.mark.operation_case
def test_a_damaged_list_is_told_and_not_skipped(shop: Shop) -> None:
    name = shop.store(b"[1]", ".dir")
    shop.write("dvc.lock", re.sub(r"\w+\.dir", name, (shop.folder / "dvc.lock").read_text()))
    shop.commit()
    with pytest.raises(ReleaseError, match=f"object {name}: must be a list of files"):
        require_in_remote(shop.folder, "HEAD", shop.cache)


@pytest.mark.operation_case
def test_without_a_default_remote_that_is_the_cause(shop: Shop) -> None:
    config = (shop.folder / ".dvc/config").read_text()
    shop.write(".dvc/config", config.replace("    remote = here\n", ""))
    with pytest.raises(ReleaseError, match=r"dvc remote: must be set: .*(default|no remote)"):
        require_in_remote(shop.folder, "HEAD", shop.cache)


def test_demo_objects_count_only_where_the_pipeline_reads_them(shop: Shop) -> None:
    """With lines of one's own nobody may ever have had them."""
    lines = {"path": "lines", "hash": "md5", "md5": f"{md5(b'lines of the demo shop')}.dir"}
    shop.write("demo/dvc.lock", {"schema": "2.0", "stages": {"simulate": {"cmd": "true", "outs": [lines]}}})
    shop.commit()
    assert require_in_remote(shop.folder, "HEAD", shop.cache) == 4
    lock = (shop.folder / "dvc.lock").read_text()
    deps = f"    deps:\n    - path: demo/lines\n      md5: {lines['md5']}\n"
    shop.write("dvc.lock", lock.replace("    outs:\n", f"{deps}    outs:\n"))
    shop.commit()
    with pytest.raises(ReleaseError, match="1 of 5 objects are not"):
        require_in_remote(shop.folder, "HEAD", shop.cache)


@pytest.mark.parametrize("content", [b"[1]", b"{}x", b'{"relpath": 1}', b'[{"md5": "a"}]'])
def test_an_object_that_is_no_list_of_files_is_one_line(shop: Shop, content: bytes) -> None:
    name = f"{md5(content)}.dir"
    for place in (shop.remote, shop.cache):
        file = place / "files/md5" / name[:2] / name[2:]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        with open_remote(shop.folder) as remote, pytest.raises(ReleaseError, match="must be a list of files"):
            Objects(shop.cache, remote).members(name)


def test_keys_are_made_in_a_project_only(shop: Shop) -> None:
    """Below one `.gitignore` does not cover them."""
    (shop.folder / "docs").mkdir()
    with contextlib.chdir(shop.folder / "docs"):
        done = CliRunner().invoke(app, ["keys"], env={"NO_COLOR": "1", "COLUMNS": "200"})
    assert done.exit_code == 1
    assert "params.yaml" in done.output
    assert not any((shop.folder / "docs").iterdir())


def test_a_release_stays_when_dvc_collects_garbage(released: Shop) -> None:
    must(released.folder, "dvc", "gc", "--workspace", "--cloud", "--force")
    assert (released.remote / "releases" / f"{sha256(SBOM)}.sbom.cdx.json").read_bytes() == SBOM
    assert verify(released.folder, "v2.0.0", released.cache).passed
    gone = verify(released.folder, "v1.0.0", released.cache)  # keep a tag's objects by --all-tags
    assert [check.name for check in gone.checks if not check.passed] == ["bundle", "manifest", "signature"]


def test_the_remote_keeps_what_it_has(shop: Shop) -> None:
    with open_remote(shop.folder) as remote:
        assert remote.kept("a.json") is None
        remote.keep("a.json", b"1")
        remote.keep("a.json", b"1")
        with pytest.raises(ReleaseError, match=r"a\.json: must have the bytes that its name says"):
            remote.keep("a.json", b"2")
        assert remote.kept("a.json") == b"1"
    assert [file.name for file in (shop.remote / "releases").iterdir()] == ["a.json"]


@pytest.fixture
def s3(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The project's remote in the embedded S3 server, with the objects of its runs."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    remote = f"url = s3://shop/dvc\n    endpointurl = http://127.0.0.1:{port}\n    verify = true"
    config = (shop.folder / ".dvc/config").read_text()
    shop.write(".dvc/config", config.replace("url = ../../remote", remote))
    shop.write(".gitignore", (shop.folder / ".gitignore").read_text() + "/.s3/\n")
    shop.commit()
    store = ensure_running(shop.folder)
    assert store is not None
    try:
        with open_remote(shop.folder) as there:
            for file in (file for file in (shop.remote / "files").rglob("*") if file.is_file()):
                there.handle.fs.put_file(str(file), f"shop/dvc/{file.relative_to(shop.remote)}")
        yield store
    finally:
        store.stop()


def test_a_release_lives_in_s3(shop: Shop, s3: Store) -> None:
    assert require_in_remote(shop.folder, "HEAD", shop.cache) == 4
    assert release(shop).record.version == "v1.0.0"
    assert verify(shop.folder, "production", shop.box / "empty cache").passed
    (sbom,) = (file for file in s3.objects.rglob("*.sbom.cdx.json*") if file.is_file() and file.read_bytes() == SBOM)
    assert f"releases/{sha256(SBOM)}.sbom.cdx.json" in str(sbom)
    sbom.write_bytes(SBOM.replace(b"torch", b"other"))
    found = verify(shop.folder, "production", shop.cache)
    assert [check.name for check in found.checks if not check.passed] == ["sbom", "signature"]
    s3.stop()
    (told,) = (check for check in verify(shop.folder, "production", shop.cache).checks if check.name == "sbom")
    assert not told.passed
    assert re.search(r"^remote s3://shop/dvc: must answer: ", told.detail)
    with pytest.raises(ReleaseError, match="must answer"):
        require_in_remote(shop.folder, "HEAD", shop.cache)


def test_without_a_remote_there_is_no_release(shop: Shop) -> None:
    shop.write(".dvc/config", "[core]\n    analytics = false\n")
    with pytest.raises(ReleaseError, match="dvc remote: must be set"):
        release(shop)


# registry


def history(*served: str) -> Registry:
    """Versions 1 to 9, and what served one after the other."""
    record = [Record("price-model", f"v{n}.0.0", "c", "run", "b", "m", "s") for n in range(1, 10)]
    versions = tuple(Version(Tag(f"price-model@{r.version}", "o", "c", "t", "a", ""), r, "key") for r in record)
    stages = (Assignment("price-model", "production", n, f"v{it}.0.0", "o") for n, it in enumerate(served, 1))
    return Registry(versions, tuple(stages))


@pytest.mark.parametrize(
    ("served", "previous"),
    [
        ("", None),
        ("1", None),
        ("12", "1"),
        ("123", "2"),
        ("1232", "1"),  # 3 was withdrawn
        ("12321", None),
        ("12324", "2"),  # 3 stays withdrawn
        ("123243", "4"),  # back to 3 by hand
        ("1212", "1"),
    ],
)
def test_what_served_before(served: str, previous: str | None) -> None:
    assert history(*served).previous == (f"v{previous}.0.0" if previous else None)


def test_the_number_of_a_tag_counts_and_not_its_time(released: Shop) -> None:
    """A clock set back, and ten rollbacks: #10 is after #9."""
    for n in range(3, 12):
        roll(released, "v1.0.0" if n % 2 else "v2.0.0")
    assert production(released) == "v1.0.0"
    version = Registry.read(released.folder).version("v2.0.0")
    said = Assignment("price-model", "production", 12, "v2.0.0", version.tag.object)
    env = environment(GIT_COMMITTER_DATE="2001-01-01T00:00:00")
    asked = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "-F", "-", "price-model#production#12"]
    text = stage_message(said, released.keys).encode()
    subprocess.run([*asked, f"{V2}^{{commit}}"], cwd=released.folder, env=env, input=text, check=True)
    assert production(released) == "v2.0.0"
    assert [event.number for event in Registry.read(released.folder).assignments] == list(range(1, 13))


def test_the_list_has_the_figures_of_each_commit(released: Shop) -> None:
    roll(released, reason="prices\nfrom last year")
    newest, oldest = rows(released.folder)
    assert (newest.version, newest.production, newest.withdrawn) == ("v2.0.0", False, ("prices from last year",))
    assert (oldest.version, oldest.production, oldest.withdrawn) == ("v1.0.0", True, ())
    assert (oldest.test_mse_log_quantity, oldest.skill, oldest.outcome) == (0.25, 0.75, "released")
    assert oldest.commit == released.git("rev-parse", "HEAD~1").strip()
    assert (
        newest.tagged_at[:10] == released.git("for-each-ref", "--format=%(taggerdate:short)", f"refs/tags/{V2}").strip()
    )


def test_tags_of_others_are_no_releases(released: Shop) -> None:
    for tag in ("other-model@v7.0.0", "price-model#staging#9", "v9"):
        released.git("tag", "-a", "-m", "x", tag)
    released.git("tag", "-a", "-m", "x", "price-model@v3.0.0-rc.1", "HEAD~2")
    released.git("tag", "price-model@v8.0.0", "HEAD~2")  # lightweight
    assert [row.version for row in rows(released.folder)] == ["v2.0.0", "v1.0.0"]
    assert production(released) == "v2.0.0"
    assert Registry.read(released.folder).next_version == "v3.0.0"
    released.git("tag", "-a", "-m", "x", "price-model@v4.0.0", "HEAD")  # two versions on one commit: GTO reads none
    assert [row.version for row in rows(released.folder)] == ["v2.0.0", "v1.0.0"]


# rollback


def test_a_rollback_adds_a_tag_and_moves_none(released: Shop) -> None:
    before = released.git("show-ref", "--tags").splitlines()
    done = roll_back(released.folder, "", "wrong prices", AUTHOR, released.keys, released.cache)
    assert (done.version_before, done.version, done.stage_tag) == ("v2.0.0", "v1.0.0", "price-model#production#3")
    after = released.git("show-ref", "--tags").splitlines()
    assert set(before) < set(after)
    assert len(after) == len(before) + 1
    assert released.git("rev-parse", f"{done.stage_tag}^{{commit}}") == released.git("rev-parse", "HEAD~1")
    assert json.loads(released.tag_message(done.stage_tag).splitlines()[2])["assignment"]["reason"] == "wrong prices"
    assert verify(released.folder, "production", released.cache).tag == V1
    with pytest.raises(ReleaseError, match=r"v1\.0\.0 is the only one that served"):
        roll(released)
    assert roll(released, "v2.0.0") == "v2.0.0", "forth again"


@pytest.mark.parametrize(
    ("to", "reason", "rule"),
    [
        ("v2.0.0", "x", "must be to another release than the one in production"),
        ("v3.0.0", "x", r"must be a release \(v1.0.0, v2.0.0\)"),
        ("", " ", "must say why"),
    ],
)
def test_a_rollback_is_to_another_release_and_has_a_reason(both: Shop, to: str, reason: str, rule: str) -> None:
    with pytest.raises(ReleaseError, match=rule):
        roll(both, to, reason)
    assert len(both.tags()) == 4


def test_a_rollback_needs_a_release(fresh: Shop) -> None:
    with pytest.raises(ReleaseError, match="there is no release to roll back"):
        roll(fresh)


def test_a_rollback_needs_a_release_that_verifies(released: Shop) -> None:
    for file in (released.remote / "releases").iterdir():
        file.write_bytes(b"{}")
    with pytest.raises(ReleaseError, match=f"{V1}: sbom: must be verified"):
        roll(released)
    assert production(released) == "v2.0.0"


# publishing


def test_tags_are_pushed_together_or_not_at_all(released: Shop) -> None:
    hook = released.box / "origin.git/hooks/update"
    hook.write_text('#!/bin/sh\ncase "$1" in *production*) echo no >&2; exit 1;; esac\n')
    hook.chmod(0o755)
    with pytest.raises(ReleaseError, match=r"git push origin: must succeed: .*rejected"):
        push.push_tags(released.folder, V2, P2)
    assert origin_tags(released) == set(), "not the version's tag either"
    assert released.tags() == {V1, P1}, "taken back here"
    hook.unlink()
    push.push_tags(released.folder, V1, P1)
    assert origin_tags(released) == {V1, P1}


def test_a_tag_of_somebody_else_is_never_replaced(released: Shop) -> None:
    push.push_tags(released.folder, V1, P1)
    theirs = released.git("ls-remote", "--tags", "origin")
    released.git("tag", "-f", "-a", "-m", "mine", V1, "HEAD")
    with pytest.raises(ReleaseError, match="git push origin"):
        push.push_tags(released.folder, V1)
    released.git("tag", "-f", "-a", "-m", "mine", V1, "HEAD")
    with pytest.raises(ReleaseError, match="git fetch origin"):
        push.fetch_tags(released.folder)
    assert released.git("ls-remote", "--tags", "origin") == theirs


def test_releases_of_others_are_fetched_first(released: Shop, tmp_path: Path) -> None:
    push.push_tags(released.folder, V1, P1, V2, P2)
    released.git("tag", "--delete", V1, P1, V2, P2)
    push.fetch_tags(released.folder)
    assert released.tags() == {V1, P1, V2, P2}


# keys


def test_the_private_half_is_for_its_owner_and_not_for_git(tmp_path: Path) -> None:
    pair = ensure_keys(tmp_path)
    assert stat.S_IMODE(pair.private.stat().st_mode) == 0o600
    assert ensure_keys(tmp_path) == pair
    asked = [str(path.relative_to(tmp_path)) for path in (pair.private, pair.public)]
    ignored = subprocess.run(["git", "check-ignore", *asked], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ignored.stdout.splitlines() == asked[:1]
    assert "PRIVATE" in pair.private.read_text()
    assert "PRIVATE" not in pair.public.read_text()


def test_a_replaced_key_pair_still_verifies_what_it_signed(released: Shop) -> None:
    old = released.keys
    was, fingerprint = old.private.read_bytes(), old.fingerprint
    with pytest.raises(ReleaseError, match="must not be there yet"):
        make_keys(released.folder)
    assert old.private.read_bytes() == was
    new = make_keys(released.folder, replace=True)
    pin(released.folder, new.fingerprint)  # as `pricetrail keys --replace` does
    assert new.fingerprint != fingerprint
    assert stat.S_IMODE(new.private.stat().st_mode) == 0o600
    retired = released.folder / f"keys/{fingerprint[:SHORT]}.pub.pem"
    assert verify(released.folder, "v2.0.0", released.cache).passed
    released.run("c")
    release(released)
    assert verify(released.folder, "v3.0.0", released.cache).passed
    retired.unlink()  # its public half is kept beside the pins
    assert verify(released.folder, "v2.0.0", released.cache).passed
    unpin(released.folder, fingerprint)  # it was stolen
    assert not verify(released.folder, "v2.0.0", released.cache).passed
    assert verify(released.folder, "v3.0.0", released.cache).passed


def test_a_machine_without_the_private_half_is_told_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = shop.box / "safe.pem"
    shop.keys.private.rename(elsewhere)
    with pytest.raises(ReleaseError, match=f"private half of .*, and is not there: copy it there, .*{VARIABLE}"):
        ensure_keys(shop.folder)
    monkeypatch.setenv(VARIABLE, str(elsewhere))
    assert ensure_keys(shop.folder).private == elsewhere
    monkeypatch.setenv(VARIABLE, str(shop.box / "nowhere.pem"))
    with pytest.raises(ReleaseError, match=f"{VARIABLE}: must name the file of a private key"):
        ensure_keys(shop.folder)
    monkeypatch.setenv(VARIABLE, str(make_keys(shop.box / "other").private))
    with pytest.raises(ReleaseError, match="must be the public half of"):
        ensure_keys(shop.folder)


def test_a_new_pair_goes_to_the_file_that_the_variable_names(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere, usual = shop.box / "secrets/key.pem", shop.keys.private
    old = usual.read_bytes()
    monkeypatch.setenv(VARIABLE, str(elsewhere))
    made = make_keys(shop.folder, replace=True)
    assert ensure_keys(shop.folder).private == made.private == elsewhere
    assert usual.read_bytes() == old
    monkeypatch.setenv(VARIABLE, str(elsewhere / "below/a/file.pem"))
    with pytest.raises(ReleaseError, match=r"file\.pem: must be a file that can be written: Not a directory"):
        make_keys(shop.folder, replace=True)


def test_the_key_itself_in_the_variable_is_not_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "-----BEGIN PRIVATE KEY----- c2VjcmV0")
    with pytest.raises(
        ReleaseError, match=f"^{VARIABLE}: must name the file of a private key, and holds the key itself$"
    ):
        ensure_keys(shop.folder)


def test_a_lost_public_half_is_made_again(shop: Shop) -> None:
    public = shop.keys.public.read_bytes()
    shop.keys.public.unlink()
    assert ensure_keys(shop.folder).public.read_bytes() == public


def test_another_kind_of_key_is_refused(tmp_path: Path) -> None:
    private = tmp_path / ".pricetrail/keys/release.pem"
    private.parent.mkdir(parents=True)
    for key in (ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()):
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        with pytest.raises(ReleaseError, match="must be a key of the curve P-256"):
            ensure_keys(tmp_path)
    private.write_bytes(b"no key")
    with pytest.raises(ReleaseError, match="must be a private key without a password"):
        ensure_keys(tmp_path)


# bill of materials


def test_the_sbom_names_every_installed_package() -> None:
    tree = json.loads(environment_sbom())
    installed = {(d.name, d.version) for d in importlib.metadata.distributions() if d.name != "pricetrail"}
    *parts, python = tree["components"]
    assert {(part["name"], part["version"]) for part in parts} == installed
    assert [part["name"] for part in parts if not part.get("hashes")] == []
    program = Path(sys.executable).resolve()
    assert (python["name"], python["version"]) == (sys.implementation.name, platform.python_version())
    assert {"alg": "SHA-256", "content": sha256(program.read_bytes())} in python["components"][0]["hashes"]
    assert tree["metadata"]["component"]["name"] == "pricetrail"
    assert (tree["bomFormat"], tree["specVersion"]) == ("CycloneDX", "1.6")
    assert str(ROOT) not in json.dumps(tree)
    assert "timestamp" not in tree["metadata"]
    needs = {edge["ref"]: edge.get("dependsOn", []) for edge in tree["dependencies"]}
    assert any(ref.startswith("torch==") for ref in needs[tree["metadata"]["component"]["bom-ref"]])


@pytest.mark.attack
def test_the_sbom_tells_a_package_that_was_exchanged(tmp_path: Path) -> None:
    """Same name, same version, one other file; where it was installed, and by whom, plays no part."""
    said = {}
    for name, code, installer in (("a", "1", "pip"), ("b", "1", "uv"), ("c", "2", "pip")):
        info = tmp_path / name / "thing-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        files = {"thing.py": code, "thing-1.0.dist-info/INSTALLER": installer, "../../bin/thing": f"#!{name}"}
        lines = [f"{path},sha256={md5(content.encode())},1" for path, content in files.items()]
        (info / "RECORD").write_text("\n".join([*lines, f"__pycache__/thing.{name}.pyc,,", "RECORD,,"]))
        said[name] = recorded(importlib.metadata.Distribution.at(info))
    assert said["a"] == said["b"] != said["c"]
    assert said["a"].decode() == f"thing.py {md5(b'1')}"


def test_an_editable_install_is_described_once() -> None:
    """Listed twice by the tool, the second time under a random name: no two SBOMs would be the same."""
    parts = [
        {"bom-ref": "BomRef.123.456", "name": "pricetrail", "version": "1"},
        {"bom-ref": "pricetrail==1", "name": "pricetrail", "version": "1"},
        {"bom-ref": "a==1", "name": "a", "version": "1"},
    ]
    edges = [{"ref": "BomRef.123.456", "dependsOn": ["a==1"]}, {"ref": "pricetrail==1"}, {"ref": "a==1"}]
    tree = described({"components": parts, "dependencies": edges})
    assert tree["components"] == parts[2:]
    assert "BomRef" not in json.dumps(tree)
    own = tree["metadata"]["component"]["bom-ref"]
    assert tree["dependencies"] == [{"ref": "a==1"}, {"ref": own, "dependsOn": ["a==1"]}]


# commands


def test_a_dirty_tree_is_refused(shop: Shop) -> None:
    shop.write("params.yaml", (shop.folder / "params.yaml").read_text() + "\n")
    done = command(shop, "release")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: git: must have nothing to commit: 1 changed, such as params.yaml\n"
    assert shop.tags() == set()


def test_the_commands_release_verify_list_and_roll_back(shop: Shop) -> None:
    assert "no releases yet" in command(shop, "releases").stdout
    kept = command(shop, "release", "--rev", "HEAD~1", "--no-push")
    assert kept.exit_code == 0, kept.stderr
    assert "not pushed: git push --atomic origin" in kept.stdout
    assert origin_tags(shop) == set()
    pushed = command(shop, "release")
    assert pushed.exit_code == 0, pushed.stderr
    assert "v2.0.0 is in production\npushed to origin\n" in pushed.stdout
    assert origin_tags(shop) == {V2, P2}
    assert "price-model@v2.0.0 is verified" in command(shop, "verify", "production").stdout
    back = command(shop, "rollback", "--reason", "wrong prices")
    assert "price-model#production#3: v1.0.0 is in production, v2.0.0 no longer\npushed to origin\n" in back.stdout
    listed = json.loads(command(shop, "releases", "--json").stdout)
    assert [(row["version"], row["production"], row["withdrawn"]) for row in listed] == [
        ("v2.0.0", False, ["wrong prices"]),
        ("v1.0.0", True, []),
    ]
    assert command(shop, "keys", "--distrust", shop.keys.fingerprint).exit_code == 0
    failed = command(shop, "verify", V2, "--json")
    assert failed.exit_code == 1
    tree = json.loads(failed.stdout)
    assert [check["name"] for check in tree["checks"] if not check["passed"]] == ["signature"]
    assert not tree["passed"]


def test_what_may_not_be_released_is_one_line(shop: Shop) -> None:
    shop.run("c", {"fairness": False})
    with pytest.raises(ReleaseError, match="Closed: fairness"):
        require_releasable(shop.folder, "HEAD")
    done = command(shop, "release", "--no-push")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: metrics/decision.json at ")
    assert done.stderr.endswith("must be released. Closed: fairness.\n")
