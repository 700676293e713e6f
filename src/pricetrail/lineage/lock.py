"""What DVC wrote down of a run, as types: each stage's command, dependencies, parameters and outputs by hash.

Read from the text of ``dvc.lock`` files and of ``.dvc`` files (tracked sources, which no stage made).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from ruamel.yaml.error import YAMLError

from pricetrail.base.errors import DataError
from pricetrail.base.limits import load_yaml
from pricetrail.lineage.paths import overlap

READER: Final = "etl_pipeline"  # the stage that reads ``data.path``


@dataclass(frozen=True)
class StageRecord:
    """One stage of a lock, or one tracked source.

    Attributes:
        name: of the stage, or the path of the ``.dvc`` file.
        cmd: the shell command; empty for a tracked source.
        deps: DVC's md5 by path; a folder's ends in ``.dir``.
        params: value by dotted key of ``params.yaml``.
        outs: as ``deps``.
    """

    name: str
    cmd: str = ""
    deps: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    outs: Mapping[str, str] = field(default_factory=dict)


def parse_lock(text: str, place: str = "dvc.lock") -> tuple[StageRecord, ...]:
    r"""The stages of a ``dvc.lock``, in its order.

    >>> lock = "schema: '2.0'\nstages: {a: {cmd: make a, outs: [{path: a.txt, md5: 0cc1}]}}"
    >>> parse_lock(lock)
    (StageRecord(name='a', cmd='make a', deps={}, params={}, outs={'a.txt': '0cc1'}),)

    Raises:
        DataError: the text is no lock.
    """
    try:
        stages: Any = parse_yaml(text, place)["stages"]
        return tuple(
            StageRecord(
                name=str(name),
                cmd=" ".join(str(entry["cmd"]).split()),
                deps=_hashes(entry.get("deps", [])),
                params={k: v for file in entry.get("params", {}).values() for k, v in file.items()},
                outs=_hashes(entry.get("outs", [])),
            )
            for name, entry in stages.items()
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(place, f"must be a lock that DVC wrote: {error!r}") from None


def parse_source(text: str, place: str) -> StageRecord:
    """A ``.dvc`` file: what it tracks, relative to the project.

    Raises:
        DataError: the text is no ``.dvc`` file.
    """
    try:
        folder = PurePosixPath(place).parent
        outs = _hashes(parse_yaml(text, place)["outs"])
        return StageRecord(place, outs={str(folder / path): md5 for path, md5 in outs.items()})
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(place, f"must be a .dvc file: {error!r}") from None


def writer(stages: Sequence[StageRecord], path: str) -> StageRecord | None:
    """The stage whose output is ``path``, a folder around it, or a file in it; None where no stage wrote it."""
    return next(iter(writers(stages, path)), None)


def writers(stages: Sequence[StageRecord], path: str) -> tuple[StageRecord, ...]:
    """Every stage with an output that is ``path``, a folder around it, or a file in it."""
    return tuple(stage for stage in stages if any(overlap(path, out) for out in stage.outs))


def is_of_other_lines(stages: Sequence[StageRecord], path: str) -> bool:
    """Whether the stages of a lock read other lines than those of ``path``, such as the demo shop's that ships."""
    wanted = PurePosixPath(path)  # without a slash at its end
    readers = [stage for stage in stages if stage.name == READER]
    return any(wanted not in map(PurePosixPath, stage.deps) for stage in readers)


def ancestry(stages: Sequence[StageRecord], path: str) -> tuple[StageRecord, ...]:
    """Every stage that ``path`` comes from, sources first, its own writer last; empty where no stage wrote it."""
    order: list[StageRecord] = []
    open_: list[StageRecord] = []  # being visited: a damaged lock may hold a circle

    def visit(wanted: str) -> None:
        for stage in writers(stages, wanted):
            if stage in order or stage in open_:
                continue
            open_.append(stage)
            for dep in stage.deps:
                visit(dep)
            order.append(stage)

    visit(path)
    return tuple(order)


def parse_yaml(text: str, place: str) -> Any:  # noqa: ANN401  any YAML
    """YAML as DVC reads it.

    Raises:
        DataError: the text is none.
    """
    try:
        return load_yaml(text)
    except (YAMLError, ValueError) as error:
        raise DataError(place, f"must be YAML: {getattr(error, 'problem', error)}") from None


def _hashes(entries: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {str(entry["path"]): str(entry["md5"]) for entry in entries}
