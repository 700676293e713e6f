"""Putting an earlier release back into production, with a reason; no tag moves, a new one is added."""

from dataclasses import dataclass
from pathlib import Path

from pricetrail.base.errors import ReleaseError
from pricetrail.operation.releases import tags
from pricetrail.operation.releases.registry import REASON, ROLLED_BACK, Registry
from pricetrail.operation.releases.verify import require_verified


@dataclass(frozen=True)
class Rollback:
    """What served, what serves now, and the tag that says so."""

    version_before: str
    version: str
    stage_tag: str


def roll_back(folder: Path, to: str, reason: str, author: str, cache: Path) -> Rollback:
    """Put a release back into production once it is verified; nothing is pushed.

    Args:
        folder: of the project; its git gets the tag.
        to: version; empty for the one that served before and was not withdrawn.
        reason: why, for the tag's message.
        author: of the tag, ``Name <mail>``.
        cache: DVC's.

    Raises:
        ReleaseError: there is no such release, it serves already, it is not verified, or the reason is empty.
    """
    registry = Registry.read(folder)
    if not reason.strip():
        raise ReleaseError("--reason", "must say why", reason)
    if registry.production is None:
        raise ReleaseError(f"{tags.ARTIFACT}#{tags.STAGE}", "must be in use: there is no release to roll back")
    serving = registry.production.version
    version = to or registry.previous
    if version is None:
        raise ReleaseError("rollback", f"must have an earlier release, and {serving} is the only one that served")
    if registry.version(version).version == serving:
        raise ReleaseError("rollback", "must be to another release than the one in production", version)
    require_verified(folder, version, cache)
    note = {REASON: " ".join(reason.split()), ROLLED_BACK: serving}
    return Rollback(serving, version, tags.assign(folder, version, author, note))
