"""Set-up on a machine that is not ours: it takes the Python that works, and says in one line what does not load."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from support.source_tree import ROOT

CHECK = ROOT / ".ci/check_setup.py"


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`make` in a folder that has what set-up reads, and no environment yet."""
    for name in ("Makefile", "requirements.lock", "requirements-dev.lock", "pyproject.toml", ".ci/check_setup.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return subprocess.run(["make", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_another_python_is_refused_before_any_download(tmp_path: Path) -> None:
    (tmp_path / "python3.9").write_text(f"#!/bin/sh\nexec {sys.executable} -c 'raise SystemExit(1)'\n")
    (tmp_path / "python3.9").chmod(0o755)
    done = make(tmp_path, "setup", f"PYTHON={tmp_path}/python3.9")
    assert done.returncode == 2
    assert done.stderr.startswith(f"set-up: needs Python 3.11 (no other is tried), and {tmp_path}/python3.9 is not")
    assert not (tmp_path / ".venv").exists()


def test_make_takes_the_python_that_is_there(tmp_path: Path) -> None:
    """A machine whose only Python is called ``python``."""
    tools = {name: shutil.which(name) for name in ("make", "bash", "sh", "grep", "cat")}
    assert all(tools.values())
    for name, path in {**tools, "python": sys.executable}.items():
        (tmp_path / name).symlink_to(str(path))
    lines = make_lines(tmp_path / "room", {"PATH": str(tmp_path)})
    assert "\npython -m venv" in lines


def make_lines(folder: Path, env: dict[str, str]) -> str:
    """What `make setup` would run."""
    folder.mkdir()
    make(folder, "help")  # copies the files
    done = subprocess.run(["make", "-n", "setup"], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout


def test_torch_brings_its_own_packages_and_nothing_else_does(tmp_path: Path) -> None:
    """With ``--no-deps`` PyPI's torch does not import; without it elsewhere, pip would resolve past the lock."""
    installs = [line for line in make_lines(tmp_path / "room", dict(os.environ)).splitlines() if "pip install" in line]
    assert [("--no-deps" in line, "torch==" in line) for line in installs] == [
        (False, True),
        (True, False),
        (True, False),
    ]
    assert "--constraint requirements.lock" in installs[0]


def test_the_pythons_that_work_are_named_alike() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.12"
    assert set(re.findall(r"\(3, (\d+)\)", (ROOT / "Makefile").read_text())) == {"11"}
    assert set(re.findall(r"Python (3\.\d+)", (ROOT / "README.md").read_text())) == {"3.11"}


@pytest.mark.parametrize(
    ("module", "error", "advice"),
    [
        ("lightgbm", "OSError('libgomp.so.1: cannot open shared object file')", "the system lacks libgomp: `apt inst"),
        ("torch", "ImportError('libcudnn.so.9: cannot open shared object file')", "came without its libraries: `rm"),
        ("dvc", "ModuleNotFoundError('No module named funcy')", "the installation was cut off"),
    ],
)
def test_what_does_not_load_is_one_line(tmp_path: Path, module: str, error: str, advice: str) -> None:
    (tmp_path / f"{module}.py").write_text(f"raise {error}\n")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT / 'src'}"}
    done = subprocess.run([sys.executable, str(CHECK)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    named = [line for line in done.stderr.splitlines() if line.startswith(f"set-up: {module}")]
    assert len(named) == 1
    assert advice in named[0]
    assert "Traceback" not in done.stderr
