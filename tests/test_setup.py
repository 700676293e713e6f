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


def test_packages_are_hashed_and_torch_brings_what_it_lacks(tmp_path: Path) -> None:
    """With ``--no-deps`` alone PyPI's torch does not import; without it, pip would resolve past the lock."""
    installs = [line for line in make_lines(tmp_path / "room", dict(os.environ)).splitlines() if "pip install" in line]
    packages, torch, own = installs
    assert "--no-deps --require-hashes -r requirements.lock -r requirements-dev.lock" in packages
    assert "--constraint .venv/pins" in torch
    assert "torch==" in torch
    assert "--no-deps" not in torch
    assert "--no-deps --no-build-isolation --editable ." in own


@pytest.mark.attack
def test_a_package_of_other_bytes_is_refused(tmp_path: Path) -> None:
    """The index, or who stands between, sends another file under the right name and version."""
    entry = re.search(r"(?m)^attrs==(\S+) .*(?:\n    .*)+", (ROOT / "requirements.lock").read_text())
    assert entry
    (tmp_path / "lock").write_text(entry[0])
    (tmp_path / f"attrs-{entry[1]}-py3-none-any.whl").write_bytes(b"PK\x05\x06" + bytes(18))
    command = ["install", "--dry-run", "--no-deps", "--no-index", "--require-hashes", "--find-links", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pip", *command, "--ignore-installed", "-r", "lock"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_hashes_as_pip_reads_them(name: str) -> None:
    """One without a hash would be taken whatever its bytes."""
    entries = re.split(r"(?m)^(?=\S)", (ROOT / name).read_text())
    pins = [entry for entry in entries if "==" in entry]
    assert len(pins) > 40
    for entry in pins:
        assert re.fullmatch(r"[\w.-]+==\S+( \\\n    --hash=sha256:[0-9a-f]{64})+\n", entry), entry


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
