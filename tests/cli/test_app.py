"""Habits of the command line: version, help, completion, and one line for whatever goes wrong."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pricetrail.cli.app import PANELS, app

SRC = Path(__file__).parents[2] / "src"
HELPERS = {"__init__", "__main__", "app", "one_line_errors", "table"}


def python(code: str, *arguments: str, folder: Path = Path(), **env: str) -> subprocess.CompletedProcess[str]:
    """A program that runs the command line after some lines of its own."""
    program = f"{code}\nfrom pricetrail.cli.app import app\napp()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(SRC), **env}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_version_is_that_of_the_package() -> None:
    told = CliRunner().invoke(app, ["--version"])
    assert (told.exit_code, told.stdout) == (0, f"pricetrail {importlib.metadata.version('pricetrail')}\n")


def test_every_command_stands_in_a_panel_and_has_help_twice() -> None:
    page = CliRunner(env={"COLUMNS": "100"}).invoke(app, ["-h"]).stdout
    assert page == CliRunner(env={"COLUMNS": "100"}).invoke(app, ["--help"]).stdout
    titles = re.findall(r"(?m)^╭─ ([A-Z]\w+) ", page)
    assert titles == ["Options", *PANELS]
    files = {path.stem for path in (SRC / "pricetrail/cli").glob("*.py")}
    names = set(re.findall(r"(?m)^│ (\w+) ", page))
    assert names == files - HELPERS
    assert "--install-completion" in page
    for name in names:
        assert CliRunner().invoke(app, [name, "-h"]).exit_code == 0


def test_a_shell_completes_the_commands() -> None:
    script = python("import sys; sys.argv[0] = 'pricetrail'", "--show-completion", "bash").stdout
    assert "complete -o default -F _pricetrail_completion pricetrail" in script
    asked = {"_PRICETRAIL_COMPLETE": "complete_bash", "COMP_WORDS": "pricetrail rep", "COMP_CWORD": "1"}
    assert python("import sys; sys.argv[0] = 'pricetrail'", **asked).stdout.split() == ["report", "replay"]


def test_what_nobody_expected_is_one_line_too(tmp_path: Path) -> None:
    breaks = "import pricetrail.base.files as f\ndef b(*a): raise KeyError('first\\nsecond')\nf.read_params = b"
    done = python(breaks, "check", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: unexpected KeyError: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" in python(breaks, "check", folder=tmp_path, PRICETRAIL_TRACEBACK="1").stderr


def test_ctrl_c_ends_quietly_with_130(tmp_path: Path) -> None:
    stops = "import signal, pricetrail.base.files as f\nf.read_params = lambda: signal.raise_signal(signal.SIGINT)"
    done = python(stops, "check", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("command", ["models", "prices", "decide"])
def test_a_run_that_is_not_there_is_one_line(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [command])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("error: ")
