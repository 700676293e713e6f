"""Which days a release has learned from: lines of these days that come later rewrite history."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from pricetrail.base import files
from pricetrail.base.errors import DataError
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.git import git
from pricetrail.operation.ingest.source_file import SourceFile

ARTIFACT: Final = "price-model"  # of dvc.yaml
ETL: Final = "metrics/etl.json"
_STAGE_TAG: Final = re.compile(re.escape(ARTIFACT) + r"#production(#[0-9]+)?")  # GTO's; `!` in one takes a stage back


@dataclass(frozen=True)
class Released:
    """The release in production.

    Attributes:
        tag: of git.
        until: the last day of its data.
    """

    tag: str
    until: dt.date


def released() -> Released | None:
    """The production release: that of the newest stage tag, by its counter, so that no clock plays a part.

    Raises:
        LineageError: this is no git repository, or the tagged commit has no ``metrics/etl.json``.
        DataError, SourceError: that file does not tell the days.
    """
    listed = git("for-each-ref", "--sort=version:refname", "--format=%(refname:strip=2)", "refs/tags")
    tags = [tag for tag in listed.splitlines() if _STAGE_TAG.fullmatch(tag)]
    if not tags:
        return None
    place = f"{tags[-1]}:{ETL}"
    days = files.parse_json(Commit.at(f"refs/tags/{tags[-1]}").content(ETL), place).get("days")
    try:
        _, last = TypeAdapter(tuple[dt.date, dt.date]).validate_python(days)
    except ValidationError:
        raise DataError(place, "days must be the first and the last day of the data", days) from None
    return Released(tags[-1], last)


def rewriting(found: SourceFile, replaced: str, release: Released | None) -> str:
    """What history a file rewrites, as a clause; empty where it rewrites none.

    Args:
        found: the file.
        replaced: path of the file whose place it takes; empty where there is none.
        release: in production.
    """
    if release is not None and found.first_day <= release.until:
        return f"{found.first_day} is already released ({release.tag} has the days up to {release.until})"
    return f"it replaces {replaced}, which holds other bytes" if replaced else ""
