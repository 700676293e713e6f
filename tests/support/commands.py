"""Commands that tests run in a folder of their own: with this interpreter, and nobody's credentials or settings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from support import preloaded
from support.source_tree import ROOT

NOT_OURS = ("AWS_", "GIT_", "PREFECT_")
PYTHON = sys.executable  # a test may set another


def stage_command(name: str) -> str:
    """The shell command of a stage, pins included."""
    run: str = YAML(typ="safe").load(ROOT / "dvc.yaml")["vars"][0]["run"]
    return f"{run}.{name}"


@cache
def fast_programs(**seen: str) -> Path:
    """Folder of `python`, `pricetrail` and `dvc` that import no packages; made once a process and for what they see.

    Args:
        seen: variables that packages read when they are loaded, beside the pins.
    """
    return preloaded.start(preloaded.pins_of(stage_command("")), seen)


def environment(code: Path = ROOT, fast: bool = False, **extra: str) -> dict[str, str]:
    """Variables of a command.

    Args:
        code: the folder of whose ``src`` the code is.
        fast: `python -m pricetrail`, `pricetrail` and `dvc` run without the seconds of their imports, as forks of
            ``support.preloaded``; not for a test that kills, times or looks at processes.
        extra: more variables.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
    empty = str(ROOT / "src/pricetrail/py.typed")  # botocore takes no device for a file
    nobody = {"AWS_SHARED_CREDENTIALS_FILE": empty, "AWS_CONFIG_FILE": empty, "AWS_EC2_METADATA_DISABLED": "true"}
    nobody |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    folders = [*([str(fast_programs())] if fast else []), str(Path(PYTHON).parent), os.environ["PATH"]]
    own = {"PATH": os.pathsep.join(folders), "PYTHONPATH": str(code / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return {**kept, **nobody, **own, **extra}


def run(
    folder: Path, *command: str, code: Path = ROOT, fast: bool = True, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder; never raises."""
    given = environment(code, fast, **env)
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)


def succeeded(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """A command that has to succeed."""
    assert done.returncode == 0, f"{done.args}\n{done.stdout}\n{done.stderr}"
    return done


def must(folder: Path, *command: str, **env: str) -> str:
    """Run a command that has to succeed; what it prints, both streams."""
    done = succeeded(run(folder, *command, **env))
    return done.stdout + done.stderr


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
