"""Helper of ``year.py``: errors on the week after each run; ``python benchmarks/year_errors.py WORK`` in a shop's code.

Rows of a week are the partition that the next run's ETL left of it (after the last run: an ETL of all lines). So each
feature is of earlier days than its line, days of the same week too. What a network looks back at is what its bundle
holds: lines up to the last day of data of its run.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd
import torch

import harness
from pricetrail.base import files
from pricetrail.base.dvc_hashes import md5_of_file
from pricetrail.base.json_type import Json
from pricetrail.checks import errors_and_intervals
from pricetrail.data.features import TARGET
from pricetrail.data.past_lines import History
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.dvc_cache import object_at
from pricetrail.lineage.git import git
from pricetrail.lineage.lock import parse_lock
from pricetrail.model.bundle import Bundle
from pricetrail.model.trust import trust_this_run
from pricetrail.operation.releases.fetch import fetch_release
from pricetrail.operation.releases.remote import Objects, open_remote
from year_shop import Shop
from year_weeks import State, Week, iso_week

NAIVE: Final = "median"  # the backup that is the training median of all lines
CANDIDATE, PROCESSED = "models/candidate", "data/processed"
RESULT: Final = "errors.json"
KEPT: Final = 3  # bundles in memory besides the one that is read


@dataclass(frozen=True)
class Errors:
    """MSE of log quantity on the lines of one week; None where there is no such model.

    Attributes:
        week: ISO week of the lines.
        serving: the release in production when the week began.
        candidate: what the run before the week built, released or not.
        frozen: the first release, or the first candidate where none was ever released.
        frozen_fed: the same weights, with every line up to the week to look back at.
        naive: training median of the serving release; of the candidate where none serves.
        answered: what answered for the serving release: ``network``, or a backup.
        as_then: whether the rows are those that an ETL of all lines gives, byte by byte.
    """

    week: str
    rows: int
    serving: float | None
    candidate: float | None
    frozen: float | None
    frozen_fed: float | None
    naive: float | None
    answered: str
    as_then: bool


class Scoring:
    """The weeks' bundles and rows.

    Args:
        shop: in which the weeks were run.
        weeks: all of them.
    """

    def __init__(self, shop: Shop, weeks: tuple[Week, ...]) -> None:
        self._shop, self._weeks = shop, weeks
        self._ahead = shop.work / "ahead"  # a clone with all lines
        self._scratch = shop.work / "scratch"
        self._bundles: Mapping[str, Bundle] = {}
        released = [week for week in weeks if week.version]
        self._first = next(iter(released or [week for week in weeks if week.bundle_md5]), None)

    def score(self, number: int) -> Errors:
        """Errors on the week after the run of a number, from 0."""
        week, name = self._weeks[number], iso_week(self._weeks[number].scored_days[0])
        partition = self._partition(number, name)
        rows = files.read_table(partition)
        serving = self._release(week.production) if week.production else None
        candidate = self._candidate(week) if week.bundle_md5 else None
        frozen = fed = None
        if self._first is not None and week.monday >= self._first.monday:
            frozen = self._release(self._first.version) if self._first.version else self._candidate(self._first)
            fed = replace(frozen, history=self._lines_before(name))
        return Errors(
            week=name,
            rows=len(rows),
            serving=_mse(serving, rows),
            candidate=_mse(candidate, rows),
            frozen=_mse(frozen, rows),
            frozen_fed=_mse(fed, rows),
            naive=_naive_mse(serving or candidate, rows),
            answered=serving.answers if serving else "",
            as_then=md5_of_file(partition) == md5_of_file(self._ahead / PROCESSED / f"{name}.parquet"),
        )

    def look_ahead(self) -> None:
        """Run the ETL on all lines, in a clone of the shop."""
        if self._ahead.exists():
            return
        making = self._shop.work / "ahead.tmp"
        shutil.rmtree(making, ignore_errors=True)
        git("clone", "--quiet", str(self._shop.path), str(making))
        (making / "data" / "lines").mkdir(parents=True)
        for file in sorted(harness.REAL.iterdir()):
            shutil.copyfile(file, making / "data" / "lines" / file.name)
        harness.Clone(making).run("python", "-m", "pricetrail.stages.etl_pipeline")
        making.rename(self._ahead)

    def _partition(self, number: int, name: str) -> Path:
        """The rows of a week as the next run that built anything had them."""
        for later in self._weeks[number + 1 :]:
            if later.bundle_md5:
                md5 = _outs(self._shop.path, later.commit)[PROCESSED]
                with open_remote(self._shop.path) as remote:
                    member = Objects(self._shop.cache, remote).members(md5)[f"{name}.parquet"]
                if (found := object_at(self._shop.cache, member)) is not None:
                    return found
        return self._ahead / PROCESSED / f"{name}.parquet"

    def _lines_before(self, name: str) -> History:
        partitions = [path for path in sorted((self._ahead / PROCESSED).iterdir()) if path.stem < name]
        return History.of(pd.concat([files.read_table(path) for path in partitions], ignore_index=True))

    def _release(self, version: str) -> Bundle:
        """A release, its signature and hashes verified."""
        if version not in self._bundles:
            fetched = fetch_release(version, self._shop.path, self._scratch / "release", self._shop.cache)
            self._keep(version, Bundle.load(fetched.folder, fetched.trusted))
        return self._bundles[version]

    def _candidate(self, week: Week) -> Bundle:
        """What a run built, by its commit's lock."""
        if week.commit not in self._bundles:
            folder = self._scratch / "candidate"
            files.write_bytes(folder / "dvc.lock", Commit.at(week.commit, self._shop.path).content("dvc.lock"))
            with open_remote(self._shop.path) as remote:
                bundle = Objects(self._shop.cache, remote).folder(week.bundle_md5)
            files.write_folder(folder / CANDIDATE, bundle)
            self._keep(week.commit, Bundle.load(folder / CANDIDATE, trust_this_run(folder / CANDIDATE)))
        return self._bundles[week.commit]

    def _keep(self, name: str, bundle: Bundle) -> None:
        """Keep the latest few; the next weeks may ask for them."""
        self._bundles = {**dict(list(self._bundles.items())[-KEPT:]), name: bundle}


def _outs(folder: Path, commit: str) -> dict[str, str]:
    stages = parse_lock(Commit.at(commit, folder).text("dvc.lock"))
    return {path: md5 for stage in stages for path, md5 in stage.outs.items()}


def _mse(bundle: Bundle | None, rows: pd.DataFrame) -> float | None:
    if bundle is None:
        return None
    return errors_and_intervals.errors(rows[TARGET].to_numpy("float64"), bundle.predict(rows)).mse_log_quantity


def _naive_mse(bundle: Bundle | None, rows: pd.DataFrame) -> float | None:
    if bundle is None:
        return None
    (median,) = (backup.model for backup in bundle.backups if backup.model.name == NAIVE)
    return errors_and_intervals.errors(
        rows[TARGET].to_numpy("float64"), median.predict(rows, bundle.encoder)
    ).mse_log_quantity


def main() -> None:
    """Score the weeks of a work folder, into its ``errors.json``."""
    start = time.perf_counter()
    shop = Shop(Path(sys.argv[1]).absolute())
    weeks = State.read(shop.work).weeks
    torch.set_num_threads(1)
    scoring, result = Scoring(shop, weeks), shop.work / RESULT
    scoring.look_ahead()
    scored: list[dict[str, Json]] = []
    for number, week in enumerate(weeks):
        errors = scoring.score(number)
        scored = [*scored, asdict(errors)]
        sys.stderr.write(f"{week.monday}: {errors}\n")
    files.write_json(result, {"seconds": time.perf_counter() - start, "weeks": list(scored)})


if __name__ == "__main__":
    main()
