"""What two revisions do not share: their locks, packages, metrics and raw data, brought to ``why``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pricetrail.base.dvc_hashes import list_folder, md5_of_tree, md5_where_there
from pricetrail.base.params import FILE
from pricetrail.lineage import dvc_cache
from pricetrail.lineage.changes import Change, value_at
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.ledger import LEDGER, SOURCE, parse_ledger
from pricetrail.lineage.lock import StageRecord, parse_yaml
from pricetrail.lineage.paths import PACKAGES, kind_of
from pricetrail.lineage.why import Difference, explain_difference


def compare(a: Commit, b: Commit) -> Difference:
    """How the run of revision B differs from that of A.

    Raises:
        LineageError: one has no lock.
        DataError, SourceError: a lock or a metrics file is damaged.
    """
    packages = ((a.read(PACKAGES) or b"").decode(), (b.read(PACKAGES) or b"").decode())
    return explain_difference(a.stages, b.stages, packages, (a.metrics, b.metrics), _listings(a.stages, b.stages))


def _listings(old: Sequence[StageRecord], new: Sequence[StageRecord]) -> dict[str, Mapping[str, str]]:
    """The files of every folder of raw data that changed, from the cache, or from disk where that has the hash."""
    before, after = ({p: md5 for s in run for p, md5 in {**s.deps, **s.outs}.items()} for run in (old, new))
    made = {path for stage in (*old, *new) if stage.cmd for path in stage.outs}
    changed = [
        (path, md5)
        for path in sorted((before.keys() | after.keys()) - made)
        for md5 in {before.get(path, ""), after.get(path, "")}
        if before.get(path) != after.get(path) and md5.endswith(".dir")
    ]
    cache = dvc_cache.cache_folder() if changed else Path()
    found = {md5: dvc_cache.listing(cache, md5) or _on_disk(path, md5) for path, md5 in changed}
    return {md5: files for md5, files in found.items() if files is not None}


def _on_disk(path: str, md5: str) -> dict[str, str] | None:
    files = list_folder(Path(path)) if Path(path).is_dir() else {}
    return files if md5_of_tree(files) == md5 else None


def not_run_yet(here: Commit) -> list[str]:
    """What the run of the workspace read otherwise than it is on disk: code, packages, params, tracked sources."""
    read = {path: md5 for stage in here.stages for path, md5 in stage.deps.items()}
    sources = {path: md5 for source in here.sources for path, md5 in source.outs.items()}
    now = sources | {path: md5_where_there(Path(path)) or "" for path in read if kind_of(path) != "data"}
    settings = parse_yaml((here.read(FILE) or b"").decode(), FILE)
    params = {key: value for stage in here.stages for key, value in stage.params.items()}
    changed = [key for key, value in params.items() if value_at(settings, key) != value]
    return sorted(path for path, md5 in now.items() if read.get(path, md5) != md5) + sorted(changed)


def other_source(found: Difference) -> Change | None:
    """How the data source changed, where both runs have one: their figures are of other data, and not compared."""
    return next((change for change in found.params if change.name == SOURCE and change.kind == "changed"), None)


def other_data(source: Change, b: Commit) -> str:
    """Why no figure is compared; the ledger of the new run's revision tells of earlier runs on its source."""
    ledger = (b.read(LEDGER) or b"").decode()
    runs = [run for run in parse_ledger(ledger, LEDGER) if run.params.get(SOURCE) == source.new]
    earlier = len(runs) - 1
    first = f"before it {earlier:,} ran on {source.new}" if earlier > 0 else f"it is the first run on {source.new}"
    return f"Figures are compared between runs on the same data only; {first}."
