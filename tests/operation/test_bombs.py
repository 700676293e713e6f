"""Attacks by whoever sends a file, by the real commands in 2 GB of memory: the three bombs at the size that was shown.

Before there were limits, 0.3 to 6 MB took 6 to 9 GB, or all there was.
"""

from __future__ import annotations

import gzip
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import bombs
from support.commands import run
from support.source_project import Project

LIMIT_BYTES = 2_000_000_000
# Prints the largest resident memory of what it runs, in MB, as its last line of errors, and ends as that does.
MEASURED = """\
import resource, subprocess, sys
limits = (int(sys.argv[1]), int(sys.argv[1]))
done = subprocess.run(sys.argv[2:], preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, limits))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000, file=sys.stderr)
sys.exit(done.returncode)
"""
ETL = """\
stages:
  etl_pipeline:
    cmd: python -m pricetrail.stages.etl_pipeline
    deps: ["${data.path}"]
    params: [data, features]
    outs: [data/original, data/processed, data/quarantine.parquet, data/product_state.parquet, metrics/etl.json]
"""


def write_gz(file: Path) -> None:
    """6 GB of lines in 16 MB: members one after another."""
    file.write_bytes(gzip.compress(bombs.HEAD) + gzip.compress(bombs.LINE * 100_000) * 1000)


BOMBS: dict[str, Callable[[Path], None]] = {
    "bomb.parquet": bombs.parquet_rows,
    "bomb.csv.gz": write_gz,
    "bomb.xlsx": lambda file: bombs.xlsx(file, {bombs.SHEET: bombs.sheet(bombs.ROWS, 1200)}),
}


def refused(project: Project, *command: str) -> str:
    """What a command that must fail in little memory tells."""
    done = run(project.root, sys.executable, "-c", MEASURED, str(LIMIT_BYTES), *command, fast=False)
    assert done.returncode != 0
    *told, peak_mb = done.stderr.splitlines()
    assert "Traceback" not in done.stdout + done.stderr
    assert int(peak_mb) < 2000
    return done.stdout + "\n".join(told)


@pytest.mark.attack
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", BOMBS)
def test_the_real_commands_refuse_a_bomb_in_2_gb(name: str, tmp_path: Path, empty_project: Project) -> None:
    shutil.copytree(empty_project.root, tmp_path / "project", symlinks=True)
    project = Project(tmp_path / "project")
    BOMBS[name](tmp_path / name)
    limit = rf"{name}: must (unpack|bring the lines) to no more than .*raise it in params.yaml"
    assert_told(limit, refused(project, "pricetrail", "ingest", f"../{name}"))
    assert not (project.root / "data/lines").exists()

    (project.root / "data/lines").mkdir(parents=True)
    shutil.copy(tmp_path / name, project.root / "data/lines" / name)
    (project.root / "dvc.yaml").write_text(ETL)
    assert_told(limit, refused(project, "dvc", "repro"))
    assert not (project.root / "data/processed").exists()


def assert_told(pattern: str, text: str) -> None:
    assert re.search(pattern, text), text
