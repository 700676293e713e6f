"""What the benchmarks share: a result and its file, the machine, clones to run in, and `main`.

A benchmark is a function that returns one `Result`; `main` writes it to ``benchmarks/results/<name>.json``.
"""

from __future__ import annotations

import json
import logging
import operator
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

from ruamel.yaml import YAML

from pricetrail.base import files
from usage import BenchmarkError, Usage, run

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
REAL: Final = ROOT.parent / "shared" / "data" / "online_retail"
SHARED: Final = "PRICETRAIL_BENCH_SHARED"  # environment variable: a folder whose finished clones are used again
PACKAGES: Final = (
    "torch", "dvc", "pandas", "numpy", "pyarrow", "scikit-learn", "optuna", "shap", "evidently", "fairlearn",
)  # fmt: skip
DATA_PATH: Final = re.compile(r"^(data:\n(?:[ #].*\n)*?  path: )\S+", re.MULTILINE)
RULES: Final = {"<": operator.lt, "<=": operator.le, "=": operator.eq, ">=": operator.ge}

DataName = Literal["demo", "real"]

log = logging.getLogger("benchmarks")


class DataAbsentError(BenchmarkError):
    """The real data is not beside the repository."""


@dataclass(frozen=True)
class Goal:
    """A figure and what it is held against."""

    what: str
    value: float
    rule: str  # a key of RULES
    limit: float
    unit: str

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps its rule."""
        return bool(RULES[self.rule](self.value, self.limit))


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one benchmark found.

    Attributes:
        ratio: how many times better than the rival: its value over ours where less is better, else ours over its.
        goals: those of ``value`` are first, where there are any; they have its figure and are about the same.
        details: anything else worth keeping; no host, user or absolute path.
    """

    name: str
    value: float
    unit: str
    rival: str | None = None
    rival_value: float | None = None
    ratio: float | None = None
    what_was_run: str
    machine: Mapping[str, Any] = field(default_factory=lambda: machine())
    goals: tuple[Goal, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    def is_about_value(self, goal: Goal) -> bool:
        """Whether a goal is one of ``value``."""
        return goal.what == self.goals[0].what and goal.value == self.value

    def write(self, folder: Path = RESULTS) -> None:
        """Write ``<name>.json``, whole or not at all."""
        files.write_json(folder / f"{self.name}.json", asdict(self))

    @classmethod
    def read(cls, path: Path) -> Result:
        """Read what `write` wrote."""
        tree: dict[str, Any] = files.read_json(path)
        return cls(**{**tree, "goals": tuple(Goal(**goal) for goal in tree["goals"])})


@dataclass(frozen=True)
class Clone:
    """A clone of the repository, with a DVC cache of its own."""

    path: Path

    def run(self, *command: str) -> Usage:
        """Run a command in it, with its code and none of the user's DVC settings."""
        return run(command, self.path, environment(self.path))

    def outputs(self, committed: bool = False) -> dict[str, str]:
        """Hash of each output in ``dvc.lock`` and ``demo/dvc.lock``, or of the committed ones; empty without a lock."""
        locks = [self._lock(name, committed) for name in ("demo/dvc.lock", "dvc.lock")]
        stages = [stage for lock in locks for stage in lock.get("stages", {}).values()]
        return {out["path"]: out["md5"] for stage in stages for out in stage.get("outs", [])}

    def _lock(self, name: str, committed: bool) -> dict[str, Any]:
        if committed:
            shown = subprocess.run(["git", "show", f"HEAD:{name}"], cwd=self.path, capture_output=True, text=True)
            text = shown.stdout  # empty where it is not committed
        else:
            text = (self.path / name).read_text(encoding="utf-8") if (self.path / name).exists() else ""
        return YAML(typ="safe").load(text) or {}


def environment(clone: Path) -> dict[str, str]:
    """The environment of a command in a clone: our venv, the clone's code, no DVC cache or settings from outside."""
    venv = ROOT / ".venv" / "bin"
    programs = venv if venv.is_dir() else Path(sys.executable).parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "GIT_"))}
    settings = ("DVC_SITE_CACHE_DIR", "DVC_GLOBAL_CONFIG_DIR", "DVC_SYSTEM_CONFIG_DIR")
    return kept | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(clone / "src"),
        "PYTHONUNBUFFERED": "1",  # so that DVC announces a stage when it starts it
        **{name: str(clone.parent / name.lower()) for name in settings},
    }


def _make_clone(data: DataName, folder: Path) -> Clone:
    """Clone the repository's HEAD below a folder, set to the demo shop or to the real data.

    Raises:
        DataAbsentError: where the real data is wanted and not there.
    """
    if data == "real" and not REAL.is_dir():
        raise DataAbsentError("skipped: ../shared/data/online_retail, the UCI Online Retail lines, is not there")
    clone = Clone(folder / "clone")
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone.path)], check=True)
    if data == "real":
        target = clone.path / "data" / "online_retail"
        target.mkdir(parents=True)
        for file in sorted(REAL.iterdir()):
            shutil.copyfile(file, target / file.name)  # not its mode: the originals are read-only
        clone.run("dvc", "add", "data/online_retail")
        params = clone.path / "params.yaml"
        text, count = DATA_PATH.subn(r"\g<1>data/online_retail", params.read_text(encoding="utf-8"))
        if count != 1:
            raise BenchmarkError(f"params.yaml must have data.path once, found {count} times")
        params.write_text(text.replace("  preset: auto ", "  preset: uci ", 1), encoding="utf-8")
    return clone


@contextmanager
def fresh_clone(data: DataName) -> Iterator[Clone]:
    """A new clone of HEAD without any cache, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="pricetrail-bench-") as folder:
        yield _make_clone(data, Path(folder))


def outcomes_of_tests(*options: str) -> dict[str, str]:
    """``passed``, ``failed`` or ``skipped`` by test, ``tests.a.test_b::test_c[case]``, of pytest in a new clone.

    Raises:
        BenchmarkError: no test ran.
    """
    with fresh_clone("demo") as clone, tempfile.TemporaryDirectory(prefix="pricetrail-bench-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *options]
        subprocess.run(command, cwd=clone.path, env=environment(clone.path), check=False, stdout=sys.stderr)
        cases = list(ET.parse(report).iter("testcase")) if report.exists() else []
    if not cases:
        raise BenchmarkError(f"pytest {' '.join(options)} must run tests, and ran none")
    return {f"{case.attrib['classname']}::{case.attrib['name']}": _outcome(case) for case in cases}


def _outcome(case: ET.Element) -> str:
    kinds = {child.tag for child in case}
    return "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"


@contextmanager
def finished_clone(data: DataName) -> Iterator[tuple[Clone, Usage]]:
    """A clone in which ``dvc repro -f`` ran to its end once, and what that cost.

    Where the environment names a shared folder, the first to ask makes the clone and the others use it.
    """
    if SHARED not in os.environ:
        with fresh_clone(data) as clone:
            yield clone, clone.run("dvc", "repro", "-f")
        return
    folder = Path(os.environ[SHARED]) / data
    record = folder / "usage.json"
    if not record.exists():
        shutil.rmtree(folder, ignore_errors=True)  # what a run that failed left behind
        folder.mkdir(parents=True)
        record.write_text(json.dumps(asdict(_make_clone(data, folder).run("dvc", "repro", "-f"))), encoding="utf-8")
    yield Clone(folder / "clone"), Usage(**json.loads(record.read_text(encoding="utf-8")))


def machine() -> dict[str, Any]:
    """The machine and the packages, without a name that tells whose it is."""
    cpu = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "ram_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def main(measure: Callable[[], Result]) -> None:
    """Run one benchmark and write its result; exit 0 with a message where its data is absent, 1 where it fails."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        result = measure()
    except DataAbsentError as error:
        log.warning("%s", error)
        return
    except (BenchmarkError, subprocess.CalledProcessError) as error:
        log.error("%s", error)
        raise SystemExit(1) from None
    result.write()
    log.info("%s: %s %s", result.name, f"{result.value:.6g}", result.unit)
