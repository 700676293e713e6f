"""Helper of ``year.py``: a shop of the real lines in a temporary clone, and one week of its operation.

The clone has a bare git remote and an embedded S3 bucket of its own; every week runs the commands of a user.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import harness
from pricetrail.base import files
from pricetrail.base.json_type import Json
from pricetrail.base.params import parse_params
from pricetrail.base.params_edit import with_settings
from pricetrail.lineage.git import git
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.servers.s3 import embedded
from usage import BenchmarkError

FIRST: Final = dt.date(2011, 6, 6)  # the Monday of the first run
WEEKS: Final = 27  # to Monday 2011-12-05; the week after it is the last of the data
FAULT: Final = "Fault"
GOOD: Final = ("Released", "Published", "Withheld")
Week = dict[str, Any]  # of `Shop.week`, as `benchmarks/results/year/year.json` holds it
SETTINGS: Final[Mapping[str, Json]] = {
    "data.path": "data/lines",
    "shop.preset": "uci",
    "weekly.search_every": 4,
    "weekly.repository": "origin",
}


@dataclass(frozen=True)
class Ran:
    """A command that ended; ``told`` is its last line on standard error."""

    code: int
    out: str
    told: str
    seconds: float


@dataclass(frozen=True)
class Shop:
    """The clone, its git remote, and the folder of both."""

    work: Path

    @property
    def path(self) -> Path:
        """Of the user's clone."""
        return self.work / "shop"

    @classmethod
    def open(cls, work: Path) -> Shop:
        """A new shop: HEAD with the dials that the docs tell a user to set, and releases of its own."""
        shop = cls(work)
        work.mkdir(parents=True)
        clone = ["git", "clone", "--quiet", "--no-hardlinks"]
        subprocess.run([*clone, "--no-tags", str(harness.ROOT), str(shop.path)], check=True)
        shop.git("config", "user.name", "Shop")
        shop.git("config", "user.email", "shop@localhost")
        shop.git("remote", "remove", "origin")  # the benchmark's own repository is not to be touched
        params = shop.path / "params.yaml"
        files.write_text(params, with_settings(files.read_text(params), SETTINGS))
        shop.run("keys", "--replace")
        shop.git("add", "--all")
        shop.git("commit", "--quiet", "--message", "Set up the shop")
        subprocess.run([*clone, "--bare", str(shop.path), str(work / "origin.git")], check=True)
        shop.git("remote", "add", "origin", str(work / "origin.git"))
        shop.git("fetch", "--quiet", "origin")
        branch = shop.git("symbolic-ref", "--short", "HEAD")
        shop.git("branch", "--quiet", "--set-upstream-to", f"origin/{branch}")
        return shop

    def git(self, *arguments: str) -> str:
        """What git says in the clone."""
        return git(*arguments, folder=self.path).strip()

    def run(self, *arguments: str, code: int | None = 0) -> Ran:
        """Run a command of ours; what it says goes to ``log.txt``.

        Raises:
            BenchmarkError: it ends with another exit code, where one is given.
        """
        command, start = [sys.executable, "-m", "pricetrail.cli", *arguments], time.perf_counter()
        env, log = harness.environment(self.path), self.work / "log.txt"
        with log.open("a", encoding="utf-8") as told:
            told.write(f"$ pricetrail {' '.join(arguments)[:200]}\n")
            told.flush()
            done = subprocess.run(command, cwd=self.path, env=env, text=True, stdout=subprocess.PIPE, stderr=told)
        (*_, last), out = log.read_text(encoding="utf-8").splitlines(), done.stdout
        if code is not None and done.returncode != code:
            raise BenchmarkError(f"`pricetrail {' '.join(arguments)[:60]}` failed: {last}")
        return Ran(done.returncode, out, last, time.perf_counter() - start)

    def week(self, monday: dt.date) -> Week:
        """Pull, ingest the files of the last week, run the weekly run.

        Returns:
            ``monday`` (the run knows the lines of all days before), ``outcome`` and ``reason`` of the ending or of the
            fault, ``base`` and ``commit`` of the branch before and after, ``version`` that it released and
            ``production`` that serves from then on, empty for none, ``had_study``, ``bundle_md5`` of the candidate,
            ``seconds`` by step, ``pushed_mb``: what the bucket grew by, and ``figures``, empty after a fault.
        """
        start = time.perf_counter()
        self.git("pull", "--quiet", "--ff-only", "--tags")
        sizes = [self._bucket_mb()]
        ran = self.run("ingest", *map(str, new_files(monday)), "--push", code=None)
        sizes.append(self._bucket_mb())
        base, ending = self.git("rev-parse", "HEAD"), dict[str, Any]()
        if not ran.code:
            ran = self.run("weekly", "--json", code=None)
            ending = {} if ran.code else json.loads(ran.out)
        seconds = round(time.perf_counter() - start, 2)
        sizes.append(self._bucket_mb())
        self.git("pull", "--quiet", "--ff-only", "--tags")
        serving = Registry.read(self.path).production
        return {
            "monday": f"{monday}",
            "outcome": str(ending.get("outcome", FAULT)),
            "reason": str(ending.get("headline", ran.told)),
            "base": base,
            "commit": self.git("rev-parse", "HEAD"),
            "version": str(ending.get("version", "")),
            "production": serving.version if serving else "",
            "had_study": parse_params(files.read_text(self.path / "params.yaml")).tuning.method != "fixed",
            "bundle_md5": harness.Clone(self.path).outputs().get("models/candidate", "") if ending else "",
            "seconds": ending.get("seconds", {}),
            "total_seconds": seconds,
            "pushed_mb": {"files": sizes[1] - sizes[0], "run": sizes[2] - sizes[1]},
            "figures": _figures(self.path / "metrics") if ending else {},
        }

    def _bucket_mb(self) -> float:
        store = embedded(self.path)
        return sum(file.stat().st_size for file in store.objects.rglob("*") if file.is_file()) / 1e6 if store else 0


def mondays(weeks: int) -> tuple[dt.date, ...]:
    """The days of the runs."""
    return tuple(FIRST + dt.timedelta(weeks=n) for n in range(weeks))


def is_good(week: Week) -> bool:
    """Whether it ended published, or withheld with a reason."""
    return week["outcome"] in GOOD and bool(week["reason"]) and week["commit"] != week["base"]


def new_files(monday: dt.date) -> list[Path]:
    """Daily files that came since the last Monday; at the first one all before it."""
    since = dt.date.min if monday == FIRST else monday - dt.timedelta(days=7)
    return [file for file in sorted(harness.REAL.iterdir()) if since <= dt.date.fromisoformat(file.name[:10]) < monday]


def _figures(metrics: Path) -> dict[str, Any]:
    """What the chart and the table show of a run's metrics."""
    decision, test, etl = (
        dict[str, Any](files.read_json(metrics / f"{name}.json")) for name in ("decision", "test", "etl")
    )
    gates = {gate["gate"]: {key: gate[key] for key in ("open", "value", "threshold")} for gate in decision["gates"]}
    return {"rows": etl["rows_kept"], "gates": gates, "test_mse": test["mse_log_quantity"]}
