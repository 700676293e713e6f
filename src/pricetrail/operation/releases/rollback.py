"""Putting an earlier release back into production, with a reason; no tag moves, a new one is added."""

from dataclasses import dataclass
from pathlib import Path

from pricetrail.base.errors import ReleaseError
from pricetrail.operation.releases import tags
from pricetrail.operation.releases.keys import KeyPair
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.releases.trust import Trust, trusted
from pricetrail.operation.releases.verify import require_verified


@dataclass(frozen=True)
class Rollback:
    """What served, empty where nothing did, what serves now, and the tag that says so."""

    version_before: str
    version: str
    stage_tag: str


def roll_back(
    folder: Path, to: str, reason: str, author: str, keys: KeyPair, cache: Path, trust: Trust | None = None
) -> Rollback:
    """Put a release back into production once it is verified; nothing is pushed.

    Args:
        folder: of the project; its git gets the tag.
        to: version; empty for the one that served before and was not withdrawn.
        reason: why, for the tag's message.
        author: of the tag, ``Name <mail>``.
        keys: that sign the tag.
        cache: DVC's.
        trust: the keys that count; None for those of the project.

    Raises:
        ReleaseError: there is no such release, it serves already, it is not verified, the reason is empty, or the key
            is not trusted.
    """
    trust = trust or trusted(folder)
    registry = Registry.read(folder, trust)
    registry.warn()
    if not reason.strip():
        raise ReleaseError("--reason", "must say why", reason)
    if not to:
        registry.require_signed_stage()
    if registry.production is None and not (to and registry.versions):
        raise ReleaseError(f"{tags.ARTIFACT}#{tags.STAGE}", "must be in use: there is no release to roll back")
    serving = registry.production.version if registry.production else ""
    version = to or registry.previous
    if version is None:
        raise ReleaseError("rollback", f"must have an earlier release, and {serving} is the only one that served")
    target = registry.version(version)
    if version == serving:
        raise ReleaseError("rollback", "must be to another release than the one in production", version)
    require_verified(folder, version, cache, trust)
    trust.require(keys.fingerprint, str(keys.public))
    why = {"reason": " ".join(reason.split()), "rolled_back": serving}
    return Rollback(serving, version, registry.assign(folder, target, author, keys, **why))
