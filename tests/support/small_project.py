"""A project of one stage, in which DVC's commands take a second."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from support.commands import must, run
from support.source_tree import ROOT

DAG = """\
stages:
  make:
    cmd: mkdir -p out && printf one > out/one && printf two > out/two && printf three > three
    deps: [requirements.lock]
    outs: [out, three]
"""
OBJECTS = 4  # one, two, the list of out, three
IGNORED = "/out\n/three\n/.s3/\n/.pricetrail/\n"


def pricetrail(project: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line of this code."""
    return run(project, "pricetrail", *arguments, **env)


def make_project(folder: Path) -> Path:
    """One commit after one `dvc repro`, the remote of the shipped ``.dvc/config``."""
    (folder / ".dvc").mkdir(parents=True)
    for name in ("params.yaml", "requirements.lock", ".dvc/.gitignore"):
        shutil.copy(ROOT / name, folder / name)
    shipped = (ROOT / ".dvc/config").read_text()
    (folder / ".dvc/config").write_text(shipped.partition("[plots]")[0])
    (folder / "dvc.yaml").write_text(DAG)
    (folder / ".gitignore").write_text(IGNORED)
    must(folder, "git", "init", "-q", "-b", "main")
    must(folder, "git", "config", "user.name", "Ada")
    must(folder, "git", "config", "user.email", "ada@shop.invalid")
    must(folder, "dvc", "repro", "-q")
    must(folder, "git", "add", "-A")
    must(folder, "git", "commit", "-q", "-m", "run")
    return folder
