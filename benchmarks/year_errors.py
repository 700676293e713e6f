"""Helper of ``year.py``: errors on the week after each run.

Rows of a week are the partition that an ETL of all lines leaves of it; each feature is of earlier days than its line,
days of the same week too. What a network looks back at is what its bundle holds: lines up to the last day of data of
its run.
"""

from __future__ import annotations

import datetime as dt
import functools
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
import torch

import harness
from pricetrail.base import files
from pricetrail.checks import errors_and_intervals
from pricetrail.data.features import TARGET
from pricetrail.data.past_lines import History
from pricetrail.model.bundle import Bundle
from pricetrail.model.trust import trust_this_run
from pricetrail.operation.releases.fetch import fetch_release
from pricetrail.operation.releases.remote import Objects, open_remote
from year_shop import Shop, Week

NAIVE: Final = "median"  # the backup that is the training median of all lines
CANDIDATE, PROCESSED = "models/candidate", "data/processed"


@dataclass(frozen=True, eq=False)
class _Models:
    """The bundles of a shop's weeks; the last few are kept, since the next weeks may ask for them."""

    shop: Shop

    @property
    def cache(self) -> Path:
        """DVC's."""
        return self.shop.path / ".dvc" / "cache"

    @functools.lru_cache(maxsize=4)  # noqa: B019  it lives as long as the scoring
    def release(self, version: str) -> Bundle:
        """A release, its signature and hashes verified."""
        fetched = fetch_release(version, self.shop.path, self.shop.work / "scratch" / "release", self.cache)
        return Bundle.load(fetched.folder, fetched.trusted)

    def candidate(self, week: Week) -> Bundle:
        """What a run built, by its commit's lock."""
        folder = self.shop.work / "scratch" / "candidate"
        files.write_text(folder / "dvc.lock", self.shop.git("show", f"{week['commit']}:dvc.lock") + "\n")
        with open_remote(self.shop.path) as remote:
            files.write_folder(folder / CANDIDATE, Objects(self.cache, remote).folder(week["bundle_md5"]))
        return Bundle.load(folder / CANDIDATE, trust_this_run(folder / CANDIDATE))


def score(shop: Shop, weeks: Sequence[Week]) -> dict[str, Any]:
    """For each week the MSE of log quantity of each model, None where there is no such model; and the seconds it took.

    ``serving``: the release in production when the week began; ``candidate``: what the run before it built;
    ``frozen``: the first release, or the first candidate where none was ever released; ``frozen_fed``: the same
    weights, with every line up to the week to look back at; ``naive``: the training median. ``answered``: what
    answered for the release.
    """
    start, models, partitions = time.perf_counter(), _Models(shop), _all_lines(shop)
    torch.set_num_threads(1)
    first = next((week for week in weeks if week["version"]), next((w for w in weeks if w["bundle_md5"]), None))
    found = []
    for week in weeks:
        year, number, _ = dt.date.fromisoformat(week["monday"]).isocalendar()
        name = f"{year}-W{number:02}"  # the week after the run
        harness.log.info("scoring %s", name)
        rows = files.read_table(partitions / f"{name}.parquet")
        serving = models.release(week["production"]) if week["production"] else None
        candidate = models.candidate(week) if week["bundle_md5"] else None
        frozen = fed = None
        if first is not None and week["monday"] >= first["monday"]:
            frozen = models.release(first["version"]) if first["version"] else models.candidate(first)
            before = [path for path in sorted(partitions.iterdir()) if path.stem < name]
            fed = replace(frozen, history=History.of(pd.concat(map(files.read_table, before), ignore_index=True)))
        bundles = {"serving": serving, "candidate": candidate, "frozen": frozen, "frozen_fed": fed}
        errors = {name: bundle and _mse(rows, bundle.predict(rows)) for name, bundle in bundles.items()}
        base = serving or candidate
        naive = base and _mse(rows, _median(base, rows))
        answered = serving.answers if serving else ""
        found.append({"week": name, "rows": len(rows), **errors, "naive": naive, "answered": answered})
    return {"seconds": time.perf_counter() - start, "weeks": found}


def _all_lines(shop: Shop) -> Path:
    """The partitions that an ETL of all lines leaves, in a clone of the shop."""
    clone = shop.work / "ahead"
    shutil.rmtree(clone, ignore_errors=True)
    shop.git("clone", "--quiet", str(shop.path), str(clone))
    (clone / "data" / "lines").mkdir(parents=True)
    for file in sorted(harness.REAL.iterdir()):
        shutil.copyfile(file, clone / "data" / "lines" / file.name)
    harness.Clone(clone).run("python", "-m", "pricetrail.stages.etl_pipeline")
    return clone / PROCESSED


def _median(bundle: Bundle, rows: pd.DataFrame) -> Any:  # noqa: ANN401  an array
    (model,) = (backup.model for backup in bundle.backups if backup.model.name == NAIVE)
    return model.predict(rows, bundle.encoder)


def _mse(rows: pd.DataFrame, predicted: Any) -> float:  # noqa: ANN401
    return errors_and_intervals.errors(rows[TARGET].to_numpy("float64"), predicted).mse_log_quantity
