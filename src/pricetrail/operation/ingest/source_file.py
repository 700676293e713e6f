"""Source files, read together with all others of their folder, as ``etl_pipeline`` will."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pricetrail.base.errors import ContractError, PricetrailError
from pricetrail.base.params import Params
from pricetrail.data.contract import Parsed, require_parseable
from pricetrail.data.reading import FileCounts, read_shop
from pricetrail.data.text import SOURCE_FILE, SOURCE_ROW

_ZONES = dt.timedelta(days=1)  # the shop's day may be one ahead of the clock of this machine


@dataclass(frozen=True)
class SourceFile:
    """A file that keeps the contract.

    Attributes:
        name: its path inside the source folder.
        place: the file as the person named it, for messages.
        counts: of its rows.
    """

    name: str
    place: str
    counts: FileCounts


def read_files(folder: Path, params: Params, fresh: Mapping[str, str]) -> Mapping[str, SourceFile]:
    """Read all files of a folder, and hold those that are new against what the others need not keep.

    Args:
        folder: the source folder, or one that holds what it is about to.
        params: how source files are written, and the shop; messages call the folder by its ``data.path``.
        fresh: of the new files, path inside the folder and what messages call it.

    Returns:
        All files with lines by their path inside the folder; those that no run reads are not among them.

    Raises:
        SourceError: one is no whole table with the columns of ``data.columns``.
        ContractError: the lines break a limit, or more than ``data.max_bad_share`` of the rows of a new file cannot be
            parsed, or it holds a day after today.
    """
    data, path = params.data.model_copy(update={"path": str(folder)}), params.data.path
    try:
        reading = read_shop(params.model_copy(update={"data": data}), learnable=False)
        for file in (str(folder / name) for name in fresh):
            own = [source.name for source in reading.sources if source.file == file]
            _require_good(own, reading.parsed, data.max_bad_share)
    except PricetrailError as error:
        said = [_as_named(text, folder, path, fresh) for text in (error.place, error.rule)]
        raise type(error)(said[0], said[1], error.value) from None
    found = dict[str, SourceFile]()
    for file, counts in reading.by_file().items():
        name = Path(file).relative_to(folder).as_posix()
        repeats = {_as_named(other, folder, path, fresh): rows for other, rows in counts.repeats.items()}
        found[name] = SourceFile(name, fresh.get(name, f"{path}/{name}"), replace(counts, repeats=repeats))
    return found


def _require_good(names: list[str], parsed: Parsed, max_bad_share: float) -> None:
    """What holds for the sources of a new file by themselves."""
    bad = parsed.quarantine[parsed.quarantine[SOURCE_FILE].isin(names)]
    own = replace(parsed, lines=parsed.lines[parsed.source_file.isin(names)], quarantine=bad)
    require_parseable(own, max_bad_share)
    today = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    late = parsed.rows[parsed.rows[SOURCE_FILE].isin(names) & (parsed.rows["day"] > today + _ZONES)]
    if len(late):
        first = late.iloc[0]
        rule = f"invoiced_at must not be after today, {today:%Y-%m-%d} ({len(late)} such rows)"
        place = f"{first[SOURCE_FILE]}: row {first[SOURCE_ROW]}"
        raise ContractError(place, f"{rule}; see data.datetime_format, or mend the file", f"{first['day']:%Y-%m-%d}")


def _as_named(text: str, folder: Path, path: str, fresh: Mapping[str, str]) -> str:
    """A message with the folder, and each new file, called as the person knows it."""
    names = "|".join(re.escape(name) for name in sorted(fresh, key=len, reverse=True))
    found = rf"{re.escape(str(folder))}(?:/({names})(?![\w.]))?"
    return re.sub(found, lambda match: fresh[match[1]] if match[1] else path, text)


def span(first: dt.date, last: dt.date) -> str:
    """Days in words.

    >>> span(dt.date(2011, 12, 5), dt.date(2011, 12, 9)), span(dt.date(2011, 12, 5), dt.date(2011, 12, 5))
    ('2011-12-05 to 2011-12-09', '2011-12-05')
    """
    return f"{first}" if first == last else f"{first} to {last}"
