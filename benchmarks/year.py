"""A year in production: 27 weekly runs on the UCI data, drawn; then five releases replayed.

``python benchmarks/year.py [--work FOLDER] [--resume] [--weeks N] [--replays N]``. Everything happens in the work
folder, which is kept: ``log.txt`` has what the commands said, ``state.json`` the weeks so far. A whole year is
written to ``benchmarks/results/year.json``, ``benchmarks/results/year/``, ``docs/year.md`` and ``docs/year.png``;
of fewer weeks the same files are left in the work folder.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import harness
import year_chart
import year_page
from harness import DataAbsentError, Goal, Result
from pricetrail.base import files
from pricetrail.base.errors import PricetrailError
from pricetrail.operation.releases.tags import ARTIFACT
from usage import BenchmarkError
from year_shop import Shop
from year_weeks import FAULT, WEEKS, State, Week, mondays

WORK: Final = harness.ROOT / ".bench" / "year"
REPLAYS: Final = 5
SEED: Final = 20110606  # of the choice of releases
MINUTES: Final = 75.0
ERRORS, REPLAYED = "errors.json", "replays.json"
WHAT: Final = (
    "each Monday from 2011-06-06 to 2011-12-05: `git pull`, `pricetrail ingest --push` of the week's files, "
    "`pricetrail weekly`, in a clone of HEAD with a git remote and an embedded S3 of its own; params.yaml as "
    "committed but for data.path data/lines, weekly.search_every 4, weekly.repository origin; the first run has the "
    "lines since 2010-12-01. Minutes: these commands. Then the weeks are scored, and releases drawn with a seed get "
    "`pricetrail replay`"
)

log = harness.log


@dataclass(frozen=True)
class Replayed:
    """A release, or a run where there are too few, built again.

    Attributes:
        what: its tag or commit.
        percent: of its outputs that have the same bytes.
        reason: why there is no answer; empty where there is one.
    """

    what: str
    monday: str
    percent: float
    outputs: int
    is_identical: bool
    seconds: float
    reason: str = ""


def run_weeks(shop: Shop, count: int, is_resumed: bool) -> tuple[Week, ...]:
    """Run the weeks that the state does not have yet, one after the other."""
    state = State.read(shop.work)
    done, left = list(state.weeks), mondays(count)[len(state.weeks) :]
    if is_resumed and left:
        shop.back_to(state)
    for monday in left:
        week = shop.week(monday, is_resumed and monday == left[0])
        done.append(week)
        shop.state(done).write(shop.work)
        log.info(
            "%2d/%d %s %s%s in %.1f min, %.0f in all; test MSE %s, %.1f MB: %s",
            len(done), count, monday, week.outcome, f" {week.version}" if week.version else "", week.total_seconds / 60,
            _minutes(done), week.figures.get("test_mse", "–"), sum(week.pushed_mb.values()), week.reason,
        )  # fmt: skip
    return tuple(done[:count])


def _minutes(weeks: Sequence[Week]) -> float:
    return sum(week.total_seconds for week in weeks) / 60


def score(shop: Shop, weeks: Sequence[Week]) -> dict[str, Any]:
    """The errors on the week after each run, by the shop's own code."""
    path = shop.work / ERRORS
    if not path.exists() or len(files.read_json(path)["weeks"]) != len(weeks):  # type: ignore[arg-type]
        log.info("scoring %d weeks", len(weeks))
        command = [sys.executable, str(harness.ROOT / "benchmarks" / "year_errors.py"), str(shop.work)]
        subprocess.run(command, check=True, cwd=shop.path, env=harness.environment(shop.path))
    found: dict[str, Any] = files.read_json(path)
    return found


def replay(shop: Shop, weeks: Sequence[Week], count: int) -> list[Replayed]:
    """Replay releases drawn at random, and runs where these are too few."""
    path, draw = shop.work / REPLAYED, random.Random(SEED)
    releases = [week for week in weeks if week.version]
    others = [week for week in weeks if week.is_good and not week.version]
    chosen = draw.sample(releases, min(count, len(releases)))
    chosen += draw.sample(others, min(count - len(chosen), len(others)))
    names = {f"{ARTIFACT}@{week.version}" if week.version else week.commit: week for week in chosen}
    kept: Any = files.read_json(path)["replays"] if path.exists() else []
    done = [found for found in (Replayed(**tree) for tree in kept) if found.what in names]
    for what, week in names.items():
        if what not in {found.what for found in done}:
            done.append(_replayed(shop, what, week.monday))
            files.write_json(path, {"replays": [asdict(found) for found in done]})
            log.info("replay of %s: %.4g %% identical in %.0f s", what, done[-1].percent, done[-1].seconds)
    return done


def _replayed(shop: Shop, what: str, monday: str) -> Replayed:
    ran = shop.run("replay", what, "--json")
    if not ran.out.strip():
        return Replayed(what, monday, 0.0, 0, False, ran.seconds, ran.told)
    found = json.loads(ran.out)
    return Replayed(what, monday, found["percent"], len(found["outputs"]), found["is_identical"], ran.seconds)


def result(weeks: Sequence[Week], errors: dict[str, Any], replays: Sequence[Replayed], count: int) -> Result:
    """The figures."""
    good, faults = sum(week.is_good for week in weeks), sum(week.outcome == FAULT for week in weeks)
    outcomes = [week.outcome for week in weeks]
    return Result(
        name="year",
        value=good,
        unit=f"of {count} runs published, or withheld with a reason",
        rival=None,
        rival_value=None,
        ratio=None,
        what_was_run=WHAT,
        machine=harness.machine(),
        goals=(
            Goal("runs published, or withheld with a reason", good, "=", count, "runs"),
            Goal("faults", faults, "=", 0, "runs"),
            Goal("minutes of the runs", _minutes(weeks), "<=", MINUTES, "min"),
            Goal("replays identical", sum(found.is_identical for found in replays), "=", REPLAYS, "replays"),
        ),
        details={
            "outcomes": {name: outcomes.count(name) for name in sorted(set(outcomes))},
            "minutes_of_runs": _minutes(weeks),
            "cpu_minutes_of_runs": sum(week.cpu_seconds for week in weeks) / 60,
            "minutes_of_scoring": errors["seconds"] / 60,
            "mean_mse_log_quantity": year_page.means(errors["weeks"]),
            "weeks_whose_rows_are_those_of_an_etl_of_all_lines": sum(each["as_then"] for each in errors["weeks"]),
            "resumed": any(week.resumed for week in weeks),
            "replays": [asdict(found) for found in replays],
        },
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=WORK, metavar="FOLDER", help=f"default: {WORK}")
    parser.add_argument("--resume", action="store_true", help="go on with the work folder, after its last whole week")
    parser.add_argument(
        "--weeks", type=int, default=WEEKS, help="only so many", choices=range(1, WEEKS + 1), metavar="N"
    )
    parser.add_argument("--replays", type=int, default=REPLAYS, help="only so many", metavar="N")
    return parser.parse_args()


def _shop(work: Path, is_resumed: bool) -> Shop:
    if is_resumed:
        return Shop(work)
    if work.exists():
        raise BenchmarkError(f"{work} is there: --resume goes on with it; or remove it, or choose another by --work")
    work.mkdir(parents=True)
    shop = Shop.open(work)
    shop.state(()).write(work)
    return shop


def _year(options: argparse.Namespace) -> Result:
    if not harness.REAL.is_dir():
        raise DataAbsentError("skipped: ../shared/data/online_retail, the UCI Online Retail lines, is not there")
    shop = _shop(options.work.absolute(), options.resume)
    shop.start()
    try:
        weeks = run_weeks(shop, options.weeks, options.resume)
        errors = score(shop, weeks)
        replays = replay(shop, weeks, options.replays)
    finally:
        shop.stop()
    found = result(weeks, errors, replays, options.weeks)
    whole = options.weeks == WEEKS
    docs, kept = (harness.ROOT / "docs", harness.RESULTS / "year") if whole else (shop.work, shop.work)
    year_chart.draw(docs / "year.png", weeks, errors["weeks"])
    files.write_text(docs / "year.md", year_page.page(weeks, errors["weeks"], found))
    files.write_json(kept / "year.json", {"weeks": [asdict(week) for week in weeks], "errors": errors["weeks"]})
    found.write(harness.RESULTS if whole else shop.work)
    return found


def main() -> None:
    """Run; exit 0 with a message where the data is absent, 1 where it cannot go on."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server and the commands end too
    try:
        found = _year(options)
    except DataAbsentError as error:
        log.warning("%s", error)
    except (BenchmarkError, PricetrailError, subprocess.CalledProcessError) as error:
        log.error("%s; `--resume` goes on", error)
        raise SystemExit(1) from None
    else:
        for goal in found.goals:
            log.info(
                "%s: %.4g (%s %g)%s", goal.what, goal.value, goal.rule, goal.limit, "" if goal.is_met else ", missed"
            )


if __name__ == "__main__":
    main()
