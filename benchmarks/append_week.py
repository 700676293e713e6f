"""Partitions that change when the last week's files are added to the UCI data."""

from __future__ import annotations

import hashlib
import shutil
from datetime import date
from pathlib import Path

import harness
from harness import Clone, Goal, Result


def week_of(file: Path) -> str:
    """ISO week of a daily file, from its name."""
    year, week, _ = date.fromisoformat(file.name[:10]).isocalendar()
    return f"{year}-W{week:02}"


def _partitions_after_etl(clone: Clone) -> dict[str, str]:
    """SHA-256 of each partition that the ETL leaves."""
    clone.run("python", "-m", "pricetrail.stages.etl_pipeline")
    partitions = sorted((clone.path / "data" / "processed").glob("*.parquet"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in partitions}


def measure() -> Result:
    """Run the ETL without the last ISO week, add that week's files, run it again."""
    with harness.fresh_clone("real") as clone:
        source, aside = clone.path / "data" / "online_retail", clone.path.parent / "aside"
        week = max(week_of(file) for file in source.iterdir())
        late = sorted(file for file in source.iterdir() if week_of(file) == week)
        aside.mkdir()
        for file in late:
            shutil.move(file, aside)
        before = _partitions_after_etl(clone)
        for file in late:
            shutil.move(aside / file.name, source)
        after = _partitions_after_etl(clone)
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    return Result(
        name="append_week",
        value=len(changed),
        unit="partitions",
        what_was_run=f"ETL of the UCI data without the {len(late)} daily files of its last ISO week, {week}, then "
        "with them; partitions of data/processed that are new, gone or have other bytes are counted",
        goals=(Goal("partitions new or changed", len(changed), "=", 1, "partitions"),),
        details={"changed": changed, "partitions_before": len(before), "partitions_after": len(after)},
    )


if __name__ == "__main__":
    harness.main(measure)
