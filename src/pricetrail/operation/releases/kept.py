"""What every release needs of the remote: what of it is lost there, and bringing it back from another remote."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pricetrail.lineage.commit import WORKSPACE, Commit
from pricetrail.lineage.dvc_cache import object_at
from pricetrail.operation.releases.built import objects_of
from pricetrail.operation.releases.registry import Registry
from pricetrail.operation.releases.remote import BUNDLE_LIMIT, Objects, Remote, open_remote
from pricetrail.operation.releases.sbom import sbom_name
from pricetrail.operation.releases.trust import Trust


@dataclass(frozen=True)
class Lost:
    """What one release needs, and the remote has not.

    Attributes:
        serving: md5 of the bundle's objects: without them it cannot be served, nor rolled back to.
        sbom: name of its bill of materials, without which it is not verified; empty where that is there.
        others: md5 of what else its lock names: without them it cannot be replayed.
    """

    version: str
    serving: tuple[str, ...]
    sbom: str
    others: tuple[str, ...]

    @property
    def is_usable(self) -> bool:
        """Whether it can still be verified and served."""
        return not self.serving and not self.sbom

    def __str__(self) -> str:
        """In words.

        >>> str(Lost("v1.0.0", ("1f", "2e"), "3d.sbom.cdx.json", ("4c",)))
        'v1.0.0 lacks 2 objects of its bundle, its bill of materials, 1 other object'
        """
        counts = [(len(self.serving), " of its bundle"), (len(self.others), "")]
        bundle, others = (f"{count} {'' if of else 'other '}object{'s' * (count != 1)}{of}" for count, of in counts)
        sbom = "its bill of materials" if self.sbom else ""
        told = [bundle * bool(self.serving), sbom, others * bool(self.others)]
        return f"{self.version} lacks {', '.join(filter(None, told))}"


def named_with_members(md5s: frozenset[str], objects: Objects) -> frozenset[str]:
    """Objects, and those inside the folders among them; a list that is nowhere hides its own, and is missing itself.

    Raises:
        ReleaseError: a list is damaged.
        NoAnswerError: the remote does not answer.
    """
    lists = {md5 for md5 in md5s if md5.endswith(".dir")}
    nowhere = set(objects.remote.missing(md5 for md5 in lists if object_at(objects.cache, md5) is None))
    return md5s.union(member for md5 in sorted(lists - nowhere) for _, member in objects.members(md5))


def lost_of_releases(
    folder: Path, objects: Objects, remote: Remote, newest: int = 0, trust: Trust | None = None
) -> tuple[Lost, ...]:
    """The releases that are not whole in a remote, newest first.

    Args:
        folder: of the project: its tags are asked.
        objects: where the lists of folders are read.
        remote: that should have all.
        newest: the release that serves and the one that a rollback would take, if 2; all for 0.
        trust: the keys whose releases count; the project's where none is given.

    Raises:
        NoAnswerError: the remote does not answer.
    """
    registry = Registry.read(folder, trust)
    used = [registry.production.version if registry.production else None, registry.previous]
    needs = list(_needs(folder, registry, objects, used[:newest] if newest else None))
    missing = set(remote.missing(md5 for _, _, bundle, others in needs for md5 in bundle | others))
    found = [
        Lost(version, tuple(sorted(bundle & missing)), "" if remote.has_kept(sbom) else sbom,
             tuple(sorted((others - bundle) & missing)))
        for version, sbom, bundle, others in needs
    ]  # fmt: skip
    return tuple(lost for lost in found if lost.serving or lost.sbom or lost.others)


def _needs(
    folder: Path, registry: Registry, objects: Objects, versions: list[str | None] | None
) -> Iterator[tuple[str, str, frozenset[str], frozenset[str]]]:
    """Version, bill of materials, objects of the bundle and of the lock."""
    here = Commit.at(WORKSPACE, folder)
    for version in reversed(registry.versions):
        if versions is None or version.name in versions:
            bundle = named_with_members(frozenset({version.record.bundle_md5}), objects)
            others = named_with_members(objects_of(here.other(version.tag.commit)), objects)
            yield version.name, sbom_name(version.record.sbom_sha256), bundle, others


def copy_releases(folder: Path, cache: Path, source: str, trust: Trust | None = None) -> tuple[int, tuple[Lost, ...]]:
    """Bring into the default remote what its releases lack there, from the cache and from another remote.

    Args:
        folder: of the project.
        cache: DVC's.
        source: name of the other remote.
        trust: as above.

    Returns:
        How many files were copied, and what is still lost.

    Raises:
        ReleaseError: there is no such remote, one does not answer, or what it has is altered.
    """
    count = 0
    with open_remote(folder) as remote, open_remote(folder, source) as other:
        objects = Objects(cache, other)
        found = lost_of_releases(folder, objects, remote, trust=trust)
        md5s = {md5 for lost in found for md5 in (*lost.serving, *lost.others)}
        # A folder's list goes last: DVC takes it for a sign that its files are there.
        for md5 in sorted(md5s, key=lambda name: (name.endswith(".dir"), name)):
            if object_at(cache, md5) is not None or not other.missing([md5]):
                remote.put(md5, objects.read(md5, BUNDLE_LIMIT))
                count += 1
        for name in sorted({lost.sbom for lost in found} - {""}):
            content = other.kept(name)
            if content is not None:
                remote.keep(name, content)
                count += 1
        return count, lost_of_releases(folder, objects, remote, trust=trust) if found else ()
