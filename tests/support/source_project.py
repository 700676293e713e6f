"""A small project of git and DVC whose source folder is ``data/lines``, and weeks of lines to put in."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from click.testing import Result
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pricetrail.operation.releases import tags
from pricetrail.operation.releases.keys import KeyPair, ensure_keys
from pricetrail.operation.releases.records import Assignment, stage_message
from pricetrail.operation.releases.trust import trusted
from support.commands import run, succeeded
from support.release_sample import AUTHOR, sign_version
from support.tables import PARAMS, Row, csv_text

FOLDER, POINTER = "data/lines", "data/lines.dvc"


def week(*days: str, units: int = 6) -> str:
    """CSV text with two sales a day."""
    skus = ("85123A", "22423")
    rows: list[Row] = [
        (f"53{i}", sku, "A", str(units + i), f"{day} 08:26:00", "2.55", "17850", "United Kingdom")
        for i, day in enumerate(days)
        for sku in skus
    ]
    return csv_text(rows)


@dataclass(frozen=True)
class Project:
    """A folder with git and DVC in it."""

    root: Path

    def run(self, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
        """A command in the folder, with the code of this working tree."""
        given = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}  # of a test's bucket
        return run(self.root, *command, **{**given, **env})

    def must(self, *command: str, **env: str) -> str:
        """A command that has to succeed; what it prints."""
        return succeeded(self.run(*command, **env)).stdout

    def give(self, name: str, content: str | bytes) -> str:
        """A file outside of the project; its path as a person in the project would name it."""
        file = self.root.parent / "given" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return f"../given/{name}"

    def commit(self) -> None:
        """Commit everything git does not ignore."""
        self.must("git", "add", "-A")
        self.must("git", "commit", "-q", "--allow-empty", "-m", "state")

    def has_days(self, last_day: str) -> None:
        """A commit whose data end on a day."""
        (self.root / "metrics").mkdir(exist_ok=True)
        (self.root / "metrics/etl.json").write_text(json.dumps({"days": ["2010-12-01", last_day]}))
        self.commit()

    def release(self, number: int, last_day: str, keys: KeyPair | None = None) -> None:
        """A commit whose data end on a day, and the signed tags that put it into production.

        Args:
            number: of the stage's tag, and of the version.
            last_day: of the data.
            keys: that sign; None for the project's own, which it trusts from then on.
        """
        own = ensure_keys(self.root)
        trusted(self.root)
        self.has_days(last_day)
        version = sign_version(self.root, f"v{number}.0.0", keys or own)
        said = Assignment("price-model", "production", number, version.name, version.tag.object)
        self.stage_tag(number, stage_message(said, keys or own))

    def stage_tag(self, number: int, message: str = "nobody signed\n") -> str:
        """A tag on HEAD that says that it serves; its name."""
        commit = self.must("git", "rev-parse", "HEAD").strip()
        return tags.make_tag(self.root, f"price-model#production#{number}", commit, message, AUTHOR).name

    def lines(self) -> dict[str, bytes]:
        """The files of the source folder."""
        folder = self.root / FOLDER
        return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}

    def restated(self) -> dict[str, str]:
        """``data.restated``, read by another YAML reader than the code's."""
        tree: dict[str, dict[str, dict[str, str]]] = YAML(typ="safe").load(self.root / "params.yaml")
        return tree["data"]["restated"]

    def named(self) -> str:
        """The hash in the ``.dvc`` file; empty where there is none."""
        file = self.root / POINTER
        return str(YAML(typ="safe").load(file)["outs"][0]["md5"]) if file.exists() else ""

    def state(self) -> dict[str, bytes]:
        """All files but git's and DVC's own, and the lock of ingests."""
        hidden = {".git", ".dvc", ".pricetrail"}
        found = (path for path in self.root.rglob("*") if path.is_file())
        kept = {path.relative_to(self.root) for path in found}
        return {path.as_posix(): (self.root / path).read_bytes() for path in kept if path.parts[0] not in hidden}


def ingest(*arguments: str) -> Result:
    """``pricetrail ingest`` in the current folder."""
    from pricetrail.cli.app import app  # it takes seconds, and every test imports this module

    return CliRunner(env={"NO_COLOR": "1"}).invoke(app, ["ingest", *arguments])


def folder_hash(lines: dict[str, bytes]) -> str:
    """DVC's hash of a folder, by the standard library alone."""
    entries = [{"md5": hashlib.md5(lines[name]).hexdigest(), "relpath": name} for name in sorted(lines)]
    return hashlib.md5(json.dumps(entries).encode()).hexdigest() + ".dir"


def make_project(folder: Path) -> Project:
    """A project without any line."""
    folder.mkdir()
    project = Project(folder)
    text = PARAMS.replace("path: demo/lines ", "path: data/lines ", 1)
    assert text != PARAMS
    (folder / "params.yaml").write_text(text)
    (folder / ".gitignore").write_text("/.pricetrail/\n")
    project.must("git", "init", "-q", "-b", "main")
    for key, value in (("user.name", "t"), ("user.email", "t@t"), ("commit.gpgsign", "false")):
        project.must("git", "config", key, value)
    project.must("dvc", "init", "-q")
    project.must("dvc", "config", "core.analytics", "false")
    project.commit()
    return project
