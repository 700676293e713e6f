"""Bring what a run may read, before its stages run: run as a module in its clone, with the remote's credentials there.

``dvc repro --pull`` would need those credentials while the stages run, and brings a part of a folder where one stage
reads a part of it: another that reads the whole then fails. Here each output is brought whole, and nothing where
nothing is due. A program of its own, so that a hanging one can be killed.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from pricetrail.base.errors import OperationError
from pricetrail.lineage.paths import overlap

PIPELINE: Final = "dvc.yaml"  # what a run reproduces, with all that it reads


@dataclass(frozen=True)
class Inputs:
    """What is known of a run before it runs; paths are from the root.

    Attributes:
        due: stages that are out of date, in the order of the run.
        perhaps: those that follow from them.
        brought: outputs and tracked sources that are whole on disk now.
        lost: those of which an object is neither in the cache nor in the remote, and which stages may do without.
        kept_by_git: locks, and outputs that DVC does not keep: what a run may change of the files that git tracks.
    """

    due: tuple[str, ...]
    perhaps: tuple[str, ...]
    brought: tuple[str, ...]
    lost: tuple[str, ...]
    kept_by_git: tuple[str, ...]


def bring() -> Inputs:
    """Work out what is due in this folder, as ``dvc repro --allow-missing`` does, and bring what that reads.

    Raises:
        OperationError: DVC cannot read the pipeline, the remote does not answer, or what a stage needs is nowhere.
    """
    from dvc.repo import Repo, lock_repo

    try:
        with Repo() as repo, lock_repo(repo):
            due, perhaps = planned(repo)
            wanted = _read_by(repo, due, perhaps)
            lost = _pull(repo, list(wanted))
            if needed := [path for path in lost if wanted[path]]:
                rule = f"must be in the cache or the remote, since stage {wanted[needed[0]]} reads it: `dvc push` it"
                raise OperationError(needed[0], f"{rule} where it was made")
            names = [tuple(str(stage.addressing) for stage in stages) for stages in (due, perhaps)]
            brought = tuple(path for path in wanted if path not in lost)
            return Inputs(names[0], names[1], brought, tuple(lost), kept_by_git(repo))
    except OperationError:
        raise
    except Exception as error:  # DVC and its file systems have no error in common
        raise OperationError("dvc", f"must bring what the run reads: {str(error) or repr(error)}") from None


def _pull(repo: Any, paths: list[str]) -> list[str]:  # noqa: ANN401  dvc.repo.Repo, untyped
    """Bring all at once, or else each that can be brought; those that cannot.

    Raises:
        OperationError: the remote does not answer.
    """
    from dvc.exceptions import CheckoutError, DownloadError

    try:
        if paths:
            repo.pull(paths)
        return []
    except (CheckoutError, DownloadError) as error:
        try:
            odb = repo.cloud.get_remote_odb()
            odb.fs.exists(odb.path)
        except Exception as told:
            raise OperationError("remote", f"must answer: {str(told) or repr(told)}") from error
    return paths if len(paths) == 1 else [lost for path in paths for lost in _pull(repo, [path])]


def planned(repo: Any) -> tuple[list[Any], list[Any]]:  # noqa: ANN401  dvc.repo.Repo, untyped
    """The stages of the pipeline that are out of date, and all others that follow from them, in DVC's order."""
    from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro

    graph = get_active_graph(repo.index.graph)
    due, perhaps = list[Any](), list[Any]()
    for stage in plan_repro(graph, collect_stages(repo, [PIPELINE])):
        reads = list(graph.successors(stage))
        if stage.changed(allow_missing=True, upstream=reads):
            due.append(stage)
        elif any(other in (*due, *perhaps) for other in reads):
            perhaps.append(stage)
    return due, perhaps


def _read_by(repo: Any, due: Sequence[Any], perhaps: Sequence[Any]) -> dict[str, str]:  # noqa: ANN401
    """The outputs that stages read, or add to, but those surely made anew; with who cannot do without, where one can't.

    A stage that perhaps runs may not: its old output, then, is what the next one reads.
    """
    wanted = dict[str, str]()
    for stage in (*due, *perhaps):
        read = [_path(repo, dep) for dep in stage.deps if dep.protocol == "local"]
        for out in repo.index.outs:
            path = _path(repo, out)
            is_read = any(overlap(path, dep) for dep in read) and out.stage not in due
            if out.use_cache and out.hash_info and (is_read or (out.stage is stage and out.persist)):
                needs = is_read and stage in due and out.stage not in perhaps
                wanted[path] = wanted.get(path) or (str(stage.addressing) if needs else "")
    return wanted


def kept_by_git(repo: Any) -> tuple[str, ...]:  # noqa: ANN401
    """Paths that a run may change of what git tracks."""
    made = {_path(repo, out) for out in repo.index.outs if not out.use_cache}
    files = {PurePosixPath(os.path.relpath(stage.path, repo.root_dir)) for stage in repo.index.stages}
    return tuple(sorted(made | {str(file.with_suffix(".lock")) for file in files if file.name == PIPELINE}))


def _path(repo: Any, out: Any) -> str:  # noqa: ANN401
    return PurePosixPath(os.path.relpath(out.fs_path, repo.root_dir)).as_posix()


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(asdict(bring())) + "\n")
    except OperationError as error:
        sys.exit(f"ERROR: {error}")
