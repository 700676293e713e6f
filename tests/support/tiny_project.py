"""A git and DVC project without a pipeline of ours, small enough to be made in a test; its remotes are folders."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.commands import run, succeeded

WHO = ("-c", "user.name=t", "-c", "user.email=t@t")


@dataclass(frozen=True)
class TinyProject:
    """A project cloned from a bare repository, with one tracked file in a folder remote."""

    folder: Path
    bare: Path
    remote: Path

    def run(self, *command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command; never raises."""
        return run(folder or self.folder, *command)

    def must(self, *command: str, folder: Path | None = None) -> str:
        """Run a command that has to succeed."""
        return succeeded(self.run(*command, folder=folder)).stdout.strip()

    def commit(self, name: str, text: str, folder: Path | None = None, push: bool = True) -> str:
        """Commit a file, and push it; the new commit."""
        where = folder or self.folder
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_text(text)
        self.must("git", "add", "--", name, folder=where)
        self.must("git", *WHO, "commit", "-q", "-m", f"change {name}", folder=where)
        if push:
            self.must("git", "push", "-q", "origin", "main", folder=where)
        return self.must("git", "rev-parse", "HEAD", folder=where)

    def refs(self) -> dict[str, str]:
        """Commit or tag object of every ref of the bare repository."""
        lines = self.must("git", "for-each-ref", "--format=%(refname) %(objectname)", folder=self.bare).splitlines()
        return dict(line.split() for line in lines)


def make_tiny_project(folder: Path) -> TinyProject:
    """A bare repository, its clone with DVC in it, and ``data.txt`` tracked and pushed."""
    project = TinyProject(folder / "project", folder / "bare.git", folder / "remote")
    folder.mkdir(exist_ok=True)
    project.must("git", "init", "-q", "--bare", "-b", "main", str(project.bare), folder=folder)
    project.must("git", "clone", "-q", str(project.bare), str(project.folder), folder=folder)
    project.must("git", "checkout", "-q", "-B", "main")
    project.must("dvc", "init", "-q")
    project.must("dvc", "config", "core.analytics", "false")
    project.must("dvc", "remote", "add", "-d", "store", str(project.remote))
    (project.folder / "data.txt").write_text("one\n")
    project.must("dvc", "add", "-q", "data.txt")
    project.must("git", "add", "-A")
    project.must("git", *WHO, "commit", "-q", "-m", "start")
    project.must("git", "push", "-q", "origin", "main")
    project.must("dvc", "push", "-q")
    return project
