"""A project of one stage, in which DVC's commands take a second."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

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


def environment(**extra: str) -> dict[str, str]:
    """This code and interpreter, nobody's credentials or settings of git."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GIT_", "PREFECT_"))}
    empty = str(ROOT / "src/pricetrail/py.typed")  # botocore takes no device for a file
    nowhere = {"AWS_SHARED_CREDENTIALS_FILE": empty, "AWS_CONFIG_FILE": empty}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    alone = {"AWS_EC2_METADATA_DISABLED": "true", "PATH": path, "PYTHONPATH": str(ROOT / "src"), **nowhere}
    return {**kept, **alone, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, **extra}


def run(project: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project; never raises."""
    given = environment(**env)
    return subprocess.run(command, cwd=project, env=given, capture_output=True, text=True, check=False)


def must(project: Path, *command: str, **env: str) -> str:
    """Run a command that has to succeed; what it prints, both streams."""
    done = run(project, *command, **env)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def pricetrail(project: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command line of this code."""
    return run(project, sys.executable, "-m", "pricetrail.cli", *arguments, **env)


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


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
