"""Helper of ``year.py``: a shop of the real lines in a temporary clone, and one week of its operation.

The clone has a bare git remote and an embedded S3 bucket of its own; every week runs the commands of a user.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import harness
from pricetrail.base import files
from pricetrail.base.json_type import Json
from pricetrail.base.params import parse_params
from pricetrail.base.params_edit import with_dials
from pricetrail.lineage.git import git
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.releases.tags import ARTIFACT
from pricetrail.operation.servers.s3 import embedded
from usage import BenchmarkError
from year_weeks import FAULT, State, Week, new_files

SETTINGS: Final[Mapping[str, Json]] = {
    "data.path": "data/lines",
    "weekly.search_every": 4,
    "weekly.repository": "origin",
}
ENDING_SECONDS: Final = 20.0  # that an interrupted command gets
MARK: Final = re.compile(r"Running stage '(?:.*:)?(\w+)'|^\d\d:\d\d:\d\d (push|verify|publish|report)$")


@dataclass(frozen=True)
class Ran:
    """A command that ended.

    Attributes:
        cpu_seconds: of it and all that it started and waited for.
        stages: seconds of each DVC stage that it announced.
        told: its last line on standard error.
    """

    code: int
    out: str
    told: str
    seconds: float
    cpu_seconds: float
    stages: Mapping[str, float]


@dataclass(frozen=True)
class Shop:
    """The clone, its git remote, and the folder of both."""

    work: Path

    @property
    def clone(self) -> harness.Clone:
        """The user's clone."""
        return harness.Clone(self.work / "shop")

    @property
    def path(self) -> Path:
        """Of the user's clone."""
        return self.work / "shop"

    @property
    def cache(self) -> Path:
        """DVC's."""
        return self.path / ".dvc" / "cache"

    @classmethod
    def open(cls, work: Path) -> Shop:
        """A new shop: HEAD with the dials that the docs tell a user to set, and releases of its own."""
        shop = cls(work)
        clone = ["git", "clone", "--quiet", "--no-hardlinks"]
        subprocess.run([*clone, "--no-tags", str(harness.ROOT), str(shop.path)], check=True)
        git("config", "user.name", "Shop", folder=shop.path)
        git("config", "user.email", "shop@localhost", folder=shop.path)
        git("remote", "remove", "origin", folder=shop.path)  # the benchmark's own repository is not to be touched
        params = shop.path / "params.yaml"
        files.write_text(params, with_dials(files.read_text(params), SETTINGS))
        shop.must("keys", "--replace")
        git("add", "--all", folder=shop.path)
        git("commit", "--quiet", "--message", "Set up the shop", folder=shop.path)
        subprocess.run([*clone, "--bare", str(shop.path), str(work / "origin.git")], check=True)
        git("remote", "add", "origin", str(work / "origin.git"), folder=shop.path)
        git("fetch", "--quiet", "origin", folder=shop.path)
        branch = git("symbolic-ref", "--short", "HEAD", folder=shop.path).strip()
        git("branch", "--quiet", "--set-upstream-to", f"origin/{branch}", folder=shop.path)
        return shop

    def start(self) -> None:
        """Start its S3 server."""
        self.must("s3", "start")

    def stop(self) -> None:
        """Stop it."""
        self.run("s3", "stop")

    def must(self, *arguments: str) -> Ran:
        """Run a command of ours that has to succeed.

        Raises:
            BenchmarkError: it does not.
        """
        ran = self.run(*arguments)
        if ran.code:
            raise BenchmarkError(f"`pricetrail {' '.join(arguments)[:60]}` failed: {ran.told}")
        return ran

    def run(self, *arguments: str) -> Ran:
        """Run a command of ours; what it says goes to ``log.txt``."""
        command = [sys.executable, "-m", "pricetrail.cli", *arguments]
        start, marks, told = time.perf_counter(), list[tuple[float, str]](), ""
        with (self.work / "log.txt").open("a", 1, "utf-8") as log, (self.work / "out.txt").open("w+") as out:
            log.write(f"$ pricetrail {' '.join(arguments)[:200]}\n")
            process = subprocess.Popen(
                command, cwd=self.path, env=harness.environment(self.path), text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
            try:
                for line in process.stderr or ():
                    log.write(line)
                    told = line.strip() or told
                    if found := MARK.search(line.rstrip("\n")):
                        marks.append((time.perf_counter(), found[1] or ""))
                _, status, used = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            except BaseException:
                _end(process)
                raise
            out.seek(0)
            said = out.read()
            log.write(said)
        end = time.perf_counter()
        ends = [at for at, _ in marks[1:]] + [end]
        stages = {name: round(until - at, 2) for (at, name), until in zip(marks, ends, strict=False) if name}
        return Ran(process.returncode, said, told, end - start, used.ru_utime + used.ru_stime, stages)

    def week(self, monday: dt.date, resumed: bool) -> Week:
        """Pull, ingest the files of the last week, run the weekly run."""
        came, start = new_files(monday), time.perf_counter()
        git("pull", "--quiet", "--ff-only", "--tags", folder=self.path)
        sizes = [self._bucket_bytes()]
        ingested = self.run("ingest", *map(str, came), "--push")
        sizes.append(self._bucket_bytes())
        ingest_seconds = time.perf_counter() - start
        base = git("rev-parse", "HEAD", folder=self.path).strip()
        ran = ingested if ingested.code else self.run("weekly", "--json")
        total = time.perf_counter() - start
        sizes.append(self._bucket_bytes())
        git("pull", "--quiet", "--ff-only", "--tags", folder=self.path)
        ending: dict[str, Any] = {} if ran.code else json.loads(ran.out)
        seconds = {"ingest": round(ingest_seconds, 2), **ending.get("seconds", {})}
        commit = git("rev-parse", "HEAD", folder=self.path).strip()
        serving = Registry.read(self.path).production
        return Week(
            monday=f"{monday}",
            files=len(came),
            outcome=str(ending.get("outcome", FAULT)),
            reason=str(ending.get("headline", ran.told)),
            base=base,
            commit=commit,
            version=str(ending.get("version", "")),
            production=serving.version if serving else "",
            had_study=parse_params(files.read_text(self.path / "params.yaml")).tuning.method != "fixed",
            bundle_md5=self.clone.outputs().get("models/candidate", "") if ending else "",
            seconds={**seconds, "start": round(total - sum(seconds.values()), 2)},
            total_seconds=round(total, 2),
            cpu_seconds=round(ingested.cpu_seconds * bool(ending) + ran.cpu_seconds, 2),
            stages=ran.stages,
            pushed_mb={"files": (sizes[1] - sizes[0]) / 1e6, "run": (sizes[2] - sizes[1]) / 1e6},
            figures=_figures(self.path) if ending else {},
            resumed=resumed,
        )

    def back_to(self, state: State) -> None:
        """Undo what a week that was cut off may have published: branch and releases as they were."""
        git("fetch", "--quiet", "--tags", "origin", folder=self.path)
        git("reset", "--quiet", "--hard", state.tip, folder=self.path)
        git("push", "--quiet", "--force", "origin", "HEAD", folder=self.path)
        if late := sorted(set(self.tags()) - set(state.tags)):
            git("push", "--quiet", "origin", *(f":refs/tags/{tag}" for tag in late), folder=self.path)
            git("tag", "--delete", *late, folder=self.path)
        if (self.path / "data/lines.dvc").exists():
            self.clone.run("dvc", "checkout", "--quiet", "--force", "data/lines.dvc")
        else:
            shutil.rmtree(self.path / "data/lines", ignore_errors=True)

    def state(self, weeks: Sequence[Week]) -> State:
        """To come back to."""
        return State(tuple(weeks), git("rev-parse", "HEAD", folder=self.path).strip(), self.tags())

    def tags(self) -> tuple[str, ...]:
        """Those of releases."""
        return tuple(git("tag", "--list", f"{ARTIFACT}*", folder=self.path).split())

    def _bucket_bytes(self) -> int:
        store = embedded(self.path)
        return sum(file.stat().st_size for file in store.objects.rglob("*") if file.is_file()) if store else 0


def _end(process: subprocess.Popen[str]) -> None:
    """Interrupt a command, as Ctrl-C does, so that it ends what it started."""
    os.killpg(process.pid, signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(ENDING_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _figures(folder: Path) -> dict[str, Any]:
    """What the chart and the table show of a run's metrics."""
    metrics: dict[str, dict[str, Any]] = {
        name: files.read_json(folder / "metrics" / f"{name}.json") for name in ("drift", "decision", "test", "etl")
    }
    gates = metrics["decision"]["gates"]
    return {
        "until": metrics["etl"]["days"][1],
        "rows": metrics["etl"]["rows_kept"],
        "drift_share": metrics["drift"]["drifted_input_share"],
        "drift_passed": metrics["drift"]["passed"],
        "gates": {gate["gate"]: {key: gate[key] for key in ("open", "value", "threshold")} for gate in gates},
        "test_mse": metrics["test"]["mse_log_quantity"],
    }
