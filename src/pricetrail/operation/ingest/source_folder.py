"""The source folder ``data.path``: what its ``.dvc`` file names, and what lies in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pricetrail.base import files
from pricetrail.base.dvc_hashes import list_folder, md5_of_tree
from pricetrail.base.errors import OperationError
from pricetrail.base.params import Params
from pricetrail.data.source_files import require_regular
from pricetrail.lineage.commit import Commit
from pricetrail.lineage.dvc_cache import cache_folder, listing
from pricetrail.lineage.dvc_yaml import parse_pipeline
from pricetrail.lineage.git import git
from pricetrail.lineage.lock import parse_source, parse_yaml, writers
from pricetrail.lineage.paths import inside


@dataclass(frozen=True)
class SourceFolder:
    """Files by their path inside the folder, with their md5.

    Attributes:
        path: of the folder.
        tracked: what the ``.dvc`` file names; empty where there is none.
        present: what lies on disk.
    """

    path: str
    tracked: Mapping[str, str]
    present: Mapping[str, str]

    @property
    def pointer(self) -> str:
        """The ``.dvc`` file."""
        return pointer(self.path)

    @property
    def pending(self) -> tuple[str, ...]:
        """Files that are there and not as tracked: an ingest was stopped, or a person changed the folder."""
        return tuple(sorted(name for name, md5 in self.present.items() if self.tracked.get(name) != md5))


def pointer(path: str) -> str:
    """The ``.dvc`` file of a folder, as ``dvc add`` names it."""
    return f"{PurePosixPath(path)}.dvc"


def source_folder(params: Params) -> SourceFolder:
    """The folder that new files go to.

    Raises:
        SourceError: something in it is no file of its own, see ``source_files.require_regular``.
        OperationError: it is none of one's own: a stage writes it, it is imported or lies in what another ``.dvc`` file
            tracks, is a file, or tracked files are not there, or the cache does not know them.
        LineageError: this is no project of git and DVC.
    """
    path = params.data.path
    _require_no_output(path, params)
    if Path(path).is_file():
        raise OperationError("params.yaml", "data.path must be a folder to take new files", path)
    dot_dvc = Path(pointer(path))
    _require_own(path, dot_dvc)
    for file in Path(path).rglob("*"):  # DVC would follow each link, and wait for each pipe
        if file.is_symlink() or not file.is_dir():
            require_regular(file, Path(path))
    present = list_folder(Path(path))
    if not dot_dvc.exists():
        return SourceFolder(path, {}, present)
    tracked = _tracked_files(files.read_text(dot_dvc), str(dot_dvc), present)
    if missing := sorted(set(tracked) - set(present)):
        rule = f"must be there, since {dot_dvc} names it: run `dvc pull {dot_dvc}`"
        raise OperationError(f"{path}/{missing[0]}", rule)
    return SourceFolder(path, tracked, present)


def _tracked_files(text: str, place: str, present: Mapping[str, str]) -> Mapping[str, str]:
    """The files that a ``.dvc`` file names; where it is what lies on disk, no cache is needed."""
    (md5,) = parse_source(text, place).outs.values()
    if not md5.endswith(".dir"):
        raise OperationError(place, "must track a folder to take new files", md5)
    if md5 == md5_of_tree(present):
        return present
    tracked = listing(cache_folder(), md5)
    if tracked is None:
        raise OperationError(place, f"must be in the cache, to tell what it tracks: run `dvc pull {place}`")
    return tracked


def _require_no_output(path: str, params: Params) -> None:
    settings = params.model_dump()
    for file in Commit.at().paths:
        if PurePosixPath(file).name != "dvc.yaml":
            continue
        for plan in parse_pipeline(files.read_text(Path(file)), settings, file):
            if any(inside(path, out) or inside(out, path) for out in plan.outs):
                rule = (
                    f"data.path must be a folder of your own to take new files, and stage {plan.name} writes this one: "
                    "set it to such as data/lines, and `pricetrail ingest` makes the folder (docs/data.md)"
                )
                raise OperationError("params.yaml", rule, path)


def _require_own(path: str, dot_dvc: Path) -> None:
    tree = parse_yaml(files.read_text(dot_dvc), str(dot_dvc)) if dot_dvc.exists() else None
    if isinstance(tree, Mapping) and tree.get("deps"):  # of `dvc import-url` or `dvc import`
        raise OperationError(str(dot_dvc), f"must be no import to take new files: get them by `dvc update {dot_dvc}`")
    others = writers([source for source in Commit.at().sources if Path(source.name) != dot_dvc], path)
    if others:
        raise OperationError("params.yaml", f"data.path must not be tracked by {others[0].name} as well", path)
    if git("ls-files", "--", path):
        raise OperationError("params.yaml", f"data.path must be tracked by DVC, not git: `git rm -r --cached {path}`")
