"""A tiny git and DVC project with a remote folder, whose commits are as a run leaves them: for tests of releases."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pricetrail.checks.gates import EVIDENCE, RULES, Verdict, decide
from pricetrail.operation.releases import make, signing, tags
from pricetrail.operation.releases.keys import KeyPair, ensure_keys
from pricetrail.operation.releases.records import Record, release_message
from pricetrail.operation.releases.registry import Version
from support.source_tree import ROOT

AUTHOR = "Bot <bot@shop.example>"
SBOM = b'{"bomFormat": "CycloneDX", "components": [{"name": "torch"}]}\n'


@dataclass(frozen=True)
class Shop:
    """A project at ``box/project``, its DVC remote at ``box/remote``, its git remote at ``box/origin.git``."""

    box: Path

    @property
    def folder(self) -> Path:
        return self.box / "project"

    @property
    def remote(self) -> Path:
        return self.box / "remote"

    @property
    def cache(self) -> Path:
        return self.folder / ".dvc/cache"

    @property
    def keys(self) -> KeyPair:
        return ensure_keys(self.folder)

    def git(self, *arguments: str, given: bytes | None = None) -> str:
        command = ["git", "-c", "user.name=Ann", "-c", "user.email=ann@shop.example", *arguments]
        done = subprocess.run(command, cwd=self.folder, input=given, capture_output=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stderr.decode()}"
        return done.stdout.decode()

    def write(self, path: str, tree: Any) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(tree if isinstance(tree, str) else json.dumps(tree, indent=1) + "\n")

    def read(self, path: str) -> Any:
        return json.loads((self.folder / path).read_text())

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "state")
        return self.git("rev-parse", "HEAD").strip()

    def tag_message(self, tag: str) -> str:
        return self.git("cat-file", "tag", f"refs/tags/{tag}").partition("\n\n")[2]

    def tags(self) -> set[str]:
        return set(self.git("for-each-ref", "--format=%(refname:strip=2)", "refs/tags").split("\n")[:-1])

    def copy(self, box: Path) -> Shop:
        shutil.copytree(self.box, box)
        return Shop(box)

    def run(self, name: str, passed: Mapping[str, bool] | None = None) -> str:
        """Commit what a run would: bundle ``name`` in cache, remote and lock, decision, metrics, record."""
        bundle = bundle_files(name)
        self.add_to_lock(bundle)
        verdicts = {
            gate: Verdict(
                gate, 0.2, 0.5 if is_passed == (RULES[gate] == "<=") else 0.1, is_passed, "because", RULES[gate]
            )
            for gate in EVIDENCE
            for is_passed in [(passed or {}).get(gate, True)]
        }
        for gate, verdict in verdicts.items():
            figures = {"mse_log_quantity": 0.25, "skill": 0.75} if gate == "accuracy" else {}
            self.write(EVIDENCE[gate], {**figures, "verdicts": [vars(verdict)]})
        decision = decide(list(verdicts.values()), {})
        self.write("metrics/decision.json", decision.record())
        self.write("reports/lineage.json", {"run": f"run-{name}", "bundle": sha256(bundle["manifest.json"])})
        return self.commit()

    def store(self, content: bytes, end: str = "") -> str:
        """An object of cache and remote, a folder's list with the end ``.dir``; its name."""
        name = md5(content) + end
        for place in (self.cache, self.remote):
            file = place / "files/md5" / name[:2] / name[2:]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return name

    def add_to_lock(self, bundle: Mapping[str, bytes]) -> str:
        """Objects of a bundle into cache and remote, their name into the lock."""
        entries = [{"md5": md5(bundle[name]), "relpath": name} for name in sorted(bundle)]
        for content in bundle.values():
            self.store(content)
        folder_md5 = self.store(json.dumps(entries, sort_keys=True).encode(), ".dir")
        size = sum(map(len, bundle.values()))
        out = {"path": "models/candidate", "hash": "md5", "md5": folder_md5, "size": size, "nfiles": len(bundle)}
        with (self.folder / "dvc.lock").open("w") as file:
            YAML().dump({"schema": "2.0", "stages": {"tune": {"cmd": "true", "outs": [out]}}}, file)
        return folder_md5


def bundle_files(name: str) -> dict[str, bytes]:
    """A bundle that nothing can predict with, but whose manifest is right."""
    files = {"weights.safetensors": f"weights of {name}".encode(), "model.json": b"{}\n"}
    manifest = {"sha256": {file: sha256(content) for file, content in files.items()}}
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def make_shop(box: Path) -> Shop:
    """One commit with a pair of keys, then runs ``a`` and ``b``, both released by every gate; no tags yet."""
    shop = Shop(box)
    shop.folder.mkdir(parents=True)
    shop.remote.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main", str(shop.folder)], check=True)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(box / "origin.git")], check=True)
    shop.git("remote", "add", "origin", "../origin.git")
    shop.write(
        ".dvc/config", "[core]\n    analytics = false\n    remote = here\n['remote \"here\"']\n    url = ../../remote\n"
    )
    shop.write(".gitignore", "/.pricetrail/\n/.dvc/cache\n/.dvc/tmp\n/.dvc/config.local\n/models/\n")
    shop.write("dvc.yaml", "stages:\n  tune:\n    cmd: 'true'\n    outs: [models/candidate]\n")
    shutil.copy(ROOT / "params.yaml", shop.folder)
    ensure_keys(shop.folder)
    shop.commit()
    shop.run("a")
    shop.run("b")
    shop.git("push", "-q", "origin", "main")
    return shop


@contextmanager
def released_shop(box: Path, *revs: str) -> Iterator[Shop]:
    """The same with revisions released; no bill of materials takes its seconds as long as the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "environment_sbom", lambda: SBOM)
        shop = make_shop(box)
        for rev in revs:
            make.tag_release(shop.folder, rev, AUTHOR, shop.keys, shop.cache)
        yield shop


def sign_version(folder: Path, name: str, keys: KeyPair) -> Version:
    """The signed tag of a version on HEAD, of a bundle that is nowhere: for tests of what the tags say alone."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, check=True).stdout
    none = "0" * 64
    record = Record("price-model", name, commit.decode().strip(), "run", f"{none[:32]}.dir", none, none)
    with tempfile.TemporaryDirectory() as evidence:
        (Path(evidence) / "release.json").write_text(record.text())
        signature = signing.sign(Path(evidence), keys)
    message = release_message(record, signature)
    tag = tags.make_tag(folder, f"price-model@{name}", record.commit, message, AUTHOR)
    return Version(tag, record, keys.fingerprint)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def altered_weights(folder: Path) -> None:
    """Flip a bit of a bundle's weights, and name the new hash in its manifest: right in itself."""
    weights, manifest = folder / "weights.safetensors", folder / "manifest.json"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    tree = json.loads(manifest.read_text())
    tree["sha256"][weights.name] = sha256(bytes(content))
    manifest.write_text(json.dumps(tree))
