"""Take the demo shop out of a project that has lines of its own: DVC pulls whatever a lock names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pricetrail.base import files
from pricetrail.base.errors import OperationError
from pricetrail.base.locks import alone
from pricetrail.lineage.commit import LOCK, Commit
from pricetrail.lineage.git import git
from pricetrail.lineage.lock import is_of_other_lines
from pricetrail.lineage.paths import overlap
from pricetrail.lineage.place import changed
from pricetrail.operation.ingest.add_files import LOCK as ALONE

OUTS: Final = ("demo/lines", "demo/truth.parquet")  # of stage `simulate`
FILES: Final = ("demo/dvc.yaml", "demo/dvc.lock", "demo/dag.yaml")  # its stage, its lock, and the link to the first
PIPELINE: Final = "dvc.yaml"
DEPENDENCY: Final = re.compile(r"^ *- *demo/dag\.yaml *\n", re.M)  # of stage `record_run`
MESSAGE: Final = "Detach the demo shop"


@dataclass(frozen=True)
class Detached:
    """What was done.

    Attributes:
        removed: files of the demo shop's stage that are gone now.
        edited: whether ``dvc.yaml`` named one, and does no longer.
        left: what the stage wrote and is still on disk, outside of git and DVC.
        changed: paths that git has not committed as they are now.
        is_run: ``dvc.lock`` is of the lines of ``data.path``.
        commit: made for them; empty where none was.
    """

    removed: tuple[str, ...]
    edited: bool
    left: tuple[str, ...]
    changed: tuple[str, ...]
    is_run: bool
    commit: str = ""


def detach_demo(*, commit: bool = False) -> Detached:
    """Remove the stage of the demo shop, its lock, and what ``dvc.yaml`` says of them; again, it finds nothing to do.

    Args:
        commit: the change.

    Raises:
        OperationError: ``data.path`` still is the demo shop, or a commit would take other changes along.
        LineageError: git fails.
    """
    path = files.read_params().data.path
    if any(overlap(path, out) for out in OUTS):
        rule = "data.path must be of lines of your own: set it to such as data/lines, then `pricetrail ingest`"
        raise OperationError("params.yaml", rule, path)
    with alone(ALONE):
        text = files.read_text(Path(PIPELINE))
        without = DEPENDENCY.sub("", text)
        if commit:
            _require_committable(without)
        there = tuple(name for name in FILES if Path(name).is_symlink() or Path(name).exists())
        if without != text:  # first: a stage that depends on what is gone is worse than a file that nobody reads
            files.write_text(Path(PIPELINE), without)
        for name in there:
            Path(name).unlink()
        found = changed(Path(), *FILES, PIPELINE)
        left = tuple(out for out in OUTS if Path(out).exists())
        stages = Commit.at().locks.get(LOCK, ())
        is_run = bool(stages) and not is_of_other_lines(stages, path)
        done = Detached(there, without != text, left, found, is_run)
        return replace(done, changed=(), commit=_commit(found)) if commit and found else done


def _require_committable(text: str) -> None:
    """Stop where a commit would take more than this change of ``dvc.yaml`` along."""
    if DEPENDENCY.sub("", Commit.at("HEAD").text(PIPELINE)) != text:
        raise OperationError(PIPELINE, "must have no changes of yours to be committed along: commit them first")


def _commit(paths: Sequence[str]) -> str:
    git("commit", "-q", "-m", MESSAGE, "--", *paths)
    return Commit.at("HEAD").hash
