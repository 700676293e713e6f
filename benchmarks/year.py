"""A year in production: 27 weekly runs on the UCI data, drawn; then five releases replayed.

``python benchmarks/year.py [--work FOLDER] [--weeks N] [--draw]``. Everything happens in the work folder, which is
kept: ``log.txt`` has what the commands said. A whole year is written to ``benchmarks/results/year.json``,
``benchmarks/results/year/``, ``docs/year.md`` and ``docs/year.png``; of fewer weeks the same files are left in the
work folder. ``--draw`` runs nothing: it writes page and picture of the results that are there.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import harness
import year_chart
import year_errors
import year_page
from harness import DataAbsentError, Goal, Result
from pricetrail.base import files
from pricetrail.base.errors import PricetrailError
from pricetrail.operation.releases.tags import ARTIFACT
from tables import goal_cell
from usage import BenchmarkError
from year_shop import FAULT, WEEKS, Shop, Week, is_good, mondays

WORK: Final = harness.ROOT / ".bench" / "year"
REPLAYS: Final = 5
SEED: Final = 20110606  # of the choice of releases
MINUTES: Final = 75.0
DOCS, KEPT = harness.ROOT / "docs", harness.RESULTS / "year"
WHAT: Final = (
    "each Monday from 2011-06-06 to 2011-12-05: `git pull`, `pricetrail ingest --push` of the week's files, "
    "`pricetrail weekly`, in a clone of HEAD with a git remote and an embedded S3 of its own; params.yaml as "
    "committed but for data.path data/lines, shop.preset uci, weekly.search_every 4, weekly.repository origin; the "
    "first run has the "
    "lines since 2010-12-01. Minutes: these commands. Then the weeks are scored, and releases drawn with a seed get "
    "`pricetrail replay`"
)

log = harness.log


def run_weeks(shop: Shop, count: int) -> list[Week]:
    """Run the weeks, one after the other."""
    done: list[Week] = []
    for monday in mondays(count):
        week = shop.week(monday)
        done.append(week)
        log.info(
            "%2d/%d %s %s %s in %.1f min, %.0f in all: %s", len(done), count, monday, week["outcome"],
            week["version"], week["total_seconds"] / 60, _minutes(done), week["reason"],
        )  # fmt: skip
    return done


def _minutes(weeks: Sequence[Week]) -> float:
    return float(sum(week["total_seconds"] for week in weeks)) / 60


def replay(shop: Shop, weeks: Sequence[Week]) -> list[dict[str, Any]]:
    """Replay releases drawn at random, and runs where these are too few."""
    draw = random.Random(SEED)
    releases = [week for week in weeks if week["version"]]
    others = [week for week in weeks if is_good(week) and not week["version"]]
    chosen = draw.sample(releases, min(REPLAYS, len(releases)))
    chosen += draw.sample(others, min(REPLAYS - len(chosen), len(others)))
    found: list[dict[str, Any]] = []
    for week in chosen:
        what = f"{ARTIFACT}@{week['version']}" if week["version"] else week["commit"]
        ran = shop.run("replay", what, "--json", code=None)
        told: Any = json.loads(ran.out or '{"percent": 0, "outputs": [], "is_identical": false}')
        same = {"percent": told["percent"], "outputs": len(told["outputs"]), "is_identical": told["is_identical"]}
        reason = "" if told["outputs"] else ran.told
        found.append({"what": what, "monday": week["monday"], **same, "seconds": ran.seconds, "reason": reason})
        log.info("replay of %s: %.4g %% identical in %.0f s", what, same["percent"], ran.seconds)
    return found


def result(weeks: Sequence[Week], errors: dict[str, Any], replays: Sequence[dict[str, Any]], count: int) -> Result:
    """The figures."""
    good, faults = sum(is_good(week) for week in weeks), sum(week["outcome"] == FAULT for week in weeks)
    outcomes = [week["outcome"] for week in weeks]
    return Result(
        name="year",
        value=good,
        unit=f"of {count} runs published, or withheld with a reason",
        what_was_run=WHAT,
        goals=(
            Goal("runs published, or withheld with a reason", good, "=", count, "runs"),
            Goal("faults", faults, "=", 0, "runs"),
            Goal("minutes of the runs", _minutes(weeks), "<=", MINUTES, "min"),
            Goal("replays identical", sum(found["is_identical"] for found in replays), "=", REPLAYS, "replays"),
        ),
        details={
            "outcomes": {name: outcomes.count(name) for name in sorted(set(outcomes))},
            "minutes_of_runs": _minutes(weeks),
            "minutes_of_scoring": errors["seconds"] / 60,
            "mean_mse_log_quantity": year_page.means(errors["weeks"]),
            "replays": list(replays),
        },
    )


def draw(docs: Path, weeks: Sequence[Week], errors: Sequence[dict[str, Any]], found: Result) -> None:
    """The page and the picture."""
    year_chart.draw(docs / "year.png", weeks, errors)
    files.write_text(docs / "year.md", year_page.page(weeks, errors, found))


def _draw_again() -> Result:
    kept: Any = files.read_json(KEPT / "year.json")
    found = Result.read(harness.RESULTS / "year.json")
    draw(DOCS, kept["weeks"], kept["errors"], found)
    return found


def _year(work: Path, count: int) -> Result:
    if not harness.REAL.is_dir():
        raise DataAbsentError("skipped: ../shared/data/online_retail, the UCI Online Retail lines, is not there")
    if work.exists():
        raise BenchmarkError(f"{work} is there: remove it, or choose another by --work")
    shop = Shop.open(work)
    shop.run("s3", "start")
    try:
        weeks = run_weeks(shop, count)
        errors = year_errors.score(shop, weeks)
        replays = replay(shop, weeks)
    finally:
        shop.run("s3", "stop")
    found = result(weeks, errors, replays, count)
    docs, kept, results = (DOCS, KEPT, harness.RESULTS) if count == WEEKS else (work, work, work / "results")
    draw(docs, weeks, errors["weeks"], found)
    files.write_json(kept / "year.json", {"weeks": weeks, "errors": errors["weeks"]})
    found.write(results)
    return found


def main() -> None:
    """Run; exit 0 with a message where the data is absent, 1 where it cannot go on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=WORK, metavar="FOLDER", help=f"default: {WORK}")
    parser.add_argument("--weeks", type=int, default=WEEKS, metavar="N", choices=range(1, WEEKS + 1))
    parser.add_argument("--draw", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends too
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        found = _draw_again() if options.draw else _year(options.work.absolute(), options.weeks)
    except DataAbsentError as error:
        log.warning("%s", error)
    except (BenchmarkError, PricetrailError, subprocess.CalledProcessError) as error:
        log.error("%s", error)
        raise SystemExit(1) from None
    else:
        log.info("; ".join(goal_cell(goal, is_value=False) for goal in found.goals))


if __name__ == "__main__":
    main()
