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

from pricetrail.base.errors import OperationError
from pricetrail.cli.app import PANELS, SITE_CACHE, _close_folders, app
from pricetrail.operation.ingest.add_files import Ingestion

SRC = Path(__file__).parents[2] / "src"
ARGUMENTS = {"explain": "--row 0", "ingest": "a.csv", "init": "a.csv", "replay": "HEAD", "rollback": "--reason x", "verify": "v1.0.0"}
UNLIKE = {"doctor", "schedule", "weekly"}  # the first tells of every check, the others change this process's logs
COMMANDS = sorted({command.__name__.replace("_", "-") for commands in PANELS.values() for command in commands} - UNLIKE)
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
    files = {path.stem for path in (SRC / "pricetrail/cli").glob("*.py")} - HELPERS
    names = set(re.findall(r"(?m)^│ ([a-z][\w-]*) ", page))
    assert names == {name.replace("_", "-") for name in files}
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


@pytest.mark.attack
@pytest.mark.parametrize("kind", ["RuntimeError", "PricetrailError"])
def test_no_text_works_unseen_on_the_terminal(kind: str, tmp_path: Path) -> None:
    """U+009B begins a terminal's commands, U+202E turns the order of letters round."""
    breaks = f"""\
import logging, pricetrail.cli.app as a
from pricetrail.base.errors import PricetrailError
def b():
    try:
        raise ValueError("in a trace \\x9b2J")
    except ValueError:
        logging.getLogger("any").warning("sheet %s", "\\x9b2J\\u202e", exc_info=True)
    raise {kind}(*["error \\x9b2J\\u202e", "must be"][: 1 + ("{kind}" == "PricetrailError")])
a._close_folders = b"""
    done = python(breaks, folder=tmp_path, PYTHONIOENCODING="utf-8")
    assert done.returncode == 1
    for told in ("sheet \ufffd2J\ufffd\n", "ValueError: in a trace \ufffd2J\n", "error \ufffd2J\ufffd"):
        assert told in done.stderr
    assert not set("\x9b\u202e") & set(done.stderr)


@pytest.mark.attack
def test_ingest_tells_no_name_that_works_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Ingestion("data", (), (), (), {"a\x9b2J\u202e.csv": "late"})
    monkeypatch.setattr("pricetrail.cli.ingest.ingest_files", lambda *_, **__: done)
    told = CliRunner().invoke(app, ["ingest", "a.csv"]).stdout
    assert "restated: a\ufffd2J\ufffd.csv (late)" in told


@pytest.mark.operation_case
def test_help_needs_no_folder_that_can_be_made(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/tmp").touch()  # nothing can be made in it, by root neither
    done = python("", "runs", "--help", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.attack
@pytest.mark.parametrize("owner", [0, 65534])
def test_dvcs_state_is_never_sought_where_all_write(
    owner: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/tmp").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(SITE_CACHE, "to be put back")
    monkeypatch.delenv(SITE_CACHE)
    if owner:
        if os.geteuid() != 0:
            pytest.skip("needs root for another uid")
        os.chown(tmp_path / ".dvc/tmp", owner, owner)
        with pytest.raises(OperationError, match=r"\.dvc/tmp: must be owned by user"):
            _close_folders()
    else:
        _close_folders()
    assert os.environ[SITE_CACHE] == str(tmp_path / ".dvc/tmp/site")


def test_ctrl_c_ends_quietly_with_130(tmp_path: Path) -> None:
    # a shell that runs this in the background lets SIGINT be ignored, which a child inherits
    stops = (
        "import signal, pricetrail.base.files as f\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "f.read_params = lambda: signal.raise_signal(signal.SIGINT)"
    )
    done = python(stops, "check", folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_outside_of_a_project_is_one_line(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [command, *ARGUMENTS.get(command, "").split()])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("error: ")
