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

from support.commands import run, succeeded
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

    def release(self, tag: str, last_day: str, when: str = "2026-01-01T00:00:00") -> None:
        """A commit whose data end on a day, tagged as GTO does."""
        (self.root / "metrics").mkdir(exist_ok=True)
        (self.root / "metrics/etl.json").write_text(json.dumps({"days": ["2010-12-01", last_day]}))
        self.commit()
        self.must("git", "tag", "-a", tag, "-m", tag, GIT_COMMITTER_DATE=when)

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
