"""What ``dvc update`` brought into an imported source, held against the days already released.

The weekly run asks in its clone: ``python -m pricetrail.operation.ingest.dvc_update BASE [TAG DAY]``, with the release
in production and its last day: it is told by the keys that the run's own project trusts, not by the clone's.
"""

import datetime as dt
import sys
from collections.abc import Mapping
from pathlib import Path

from pricetrail.base import files
from pricetrail.base.dvc_hashes import list_folder, md5_of_tree
from pricetrail.base.errors import OperationError, PricetrailError
from pricetrail.base.limits import load_json
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.dvc_cache import cache_folder, dvc, listing
from pricetrail.lineage.lock import parse_source
from pricetrail.operation.ingest.released_days import Released, rewriting
from pricetrail.operation.ingest.source_file import SourceFile, read_files
from pricetrail.operation.ingest.source_folder import pointer


def check_update(release: Released | None, rev: str = "HEAD") -> tuple[SourceFile, ...]:
    """Validate the files of ``data.path`` that are not those of a revision, as an ingest would.

    ``dvc update`` takes whatever the bucket holds; this tells what of it is new. A source that is one file is not
    looked at: each of its updates replaces it.

    Args:
        release: in production; None where there is none.
        rev: whose ``.dvc`` file names what was known before.

    Returns:
        The files that are new or changed.

    Raises:
        OperationError: one rewrites history, or one that was known is gone, and ``data.restated`` does not name it.
        SourceError, ContractError: one breaks the contract.
        LineageError: git or DVC fails.
    """
    params = files.read_params()
    path = params.data.path
    if not Path(path).is_dir():
        return ()
    present = list_folder(Path(path))
    before = _known_at(rev, path, present)
    for name in sorted(set(before) - set(present) - set(params.data.restated)):
        raise OperationError(f"{path}/{name}", f"must not go, since {pointer(path)} named it; {_remedy(name)}")
    named = {name: f"{path}/{name}" for name, md5 in present.items() if before.get(name) != md5}
    found = read_files(Path(path), params, named)
    fresh = [found[name] for name in found if name in named]
    for file in fresh:
        rewritten = rewriting(file, file.place if file.name in before else "", release)
        if rewritten and file.name not in params.data.restated:
            raise OperationError(file.place, f"must not rewrite history: {rewritten}; {_remedy(file.name)}")
    return tuple(fresh)


def _known_at(rev: str, path: str, present: Mapping[str, str]) -> Mapping[str, str]:
    """The md5 of each file of the folder at a revision; empty where it was not tracked there, or was a file."""
    place = pointer(path)
    text = Commit.at(rev).read(place)
    if text is None:
        return {}
    (md5,) = parse_source(text.decode(), place).outs.values()
    if md5 == md5_of_tree(present):
        return present
    known = listing(cache_folder(), md5) if md5.endswith(".dir") else {}
    return _listed_by_dvc(rev, path) if known is None else known


def _listed_by_dvc(rev: str, path: str) -> Mapping[str, str]:
    """The same from the remote, without a file of the folder fetched."""
    listed = load_json(dvc("list", ".", path, "--rev", rev, "-R", "--show-hash", "--json"))
    if not listed:
        raise OperationError(pointer(path), f"must be in the cache or the remote as of {rev}, to tell what is new")
    return {str(entry["path"]): str(entry["md5"]) for entry in listed}


def _remedy(name: str) -> str:
    return f"name it with a reason in params.yaml, `data.restated: {{{name}: <reason>}}`, or mend the source"


if __name__ == "__main__":
    base, *told = sys.argv[1:]
    try:
        for fresh in check_update(Released(told[0], dt.date.fromisoformat(told[1])) if told else None, base):
            sys.stdout.write(f"{fresh.name}\n")
    except PricetrailError as error:
        sys.exit(f"ERROR: {error}")
