"""Which days a release has learned from: lines of these days that come later rewrite history."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from pricetrail.base import files
from pricetrail.base.errors import DataError
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.place import require_past
from pricetrail.operation.ingest.source_file import SourceFile
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.releases.trust import trusted

ETL: Final = "metrics/etl.json"


@dataclass(frozen=True)
class Released:
    """The release in production.

    Attributes:
        tag: of its version.
        until: the last day of its data.
    """

    tag: str
    until: dt.date


def released(folder: Path = Path(), home: Path | None = None) -> Released | None:
    """The production release, by the tags that a trusted key signed; the others are named in a warning.

    Args:
        folder: of the project.
        home: the project that says whose keys count, where that is another folder than this clone.

    Raises:
        LineageError: this is no git repository, it may not know every release, or the release's commit has no
            ``metrics/etl.json``.
        ReleaseError: which release serves is not signed, that release is gone, or the trusted keys cannot be read.
        DataError, SourceError: that file does not tell the days.
    """
    require_past(folder)
    registry = Registry.read(folder, trusted(folder, home))
    registry.warn()
    registry.require_signed_stage()
    if registry.production is None:
        return None
    # The version's commit is signed; the one that the stage's tag stands on is not.
    tag = registry.put_by(registry.production).tag
    place = f"{tag.name}:{ETL}"
    days = files.parse_json(Commit.at(tag.commit, folder).content(ETL), place).get("days")
    try:
        _, last = TypeAdapter(tuple[dt.date, dt.date]).validate_python(days)
    except ValidationError:
        raise DataError(place, "days must be the first and the last day of the data", days) from None
    return Released(tag.name, last)


def rewriting(found: SourceFile, replaced: str, release: Released | None) -> str:
    """What history a file rewrites, as a clause; empty where it rewrites none.

    Args:
        found: the file.
        replaced: path of the file whose place it takes; empty where there is none.
        release: in production.
    """
    if release is not None and found.counts.first_day <= release.until:
        return f"{found.counts.first_day} is already released ({release.tag} has the days up to {release.until})"
    return f"it replaces {replaced}, which holds other bytes" if replaced else ""
