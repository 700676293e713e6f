"""Source files, read together with all others of their folder, as ``etl_pipeline`` will."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pricetrail.base.dvc_hashes import md5_of
from pricetrail.base.errors import ContractError, PricetrailError, SourceError
from pricetrail.base.params import Params
from pricetrail.data import contract
from pricetrail.data.reading import Counted, Reading, read_shop

_ZONES = dt.timedelta(days=1)  # the shop's day may be one ahead of the clock of this machine


@dataclass(frozen=True)
class SourceFile:
    """A file that keeps the contract.

    Attributes:
        name: its path inside the source folder.
        place: the file as the person named it, for messages.
        md5: of its bytes.
        rows: lines below the header.
        unparseable: how many of them go to quarantine.
        dropped: how many of them are no sales, by reason.
        repeats: how many of them other files, or sheets, of the folder hold as well.
        first_day: of its lines, fees and cancellations too.
        last_day: likewise.
    """

    name: str
    place: str
    md5: str
    rows: int
    unparseable: int
    dropped: Mapping[str, int]
    repeats: Mapping[str, int]
    first_day: dt.date
    last_day: dt.date


def read_files(folder: Path, params: Params, fresh: Mapping[str, str]) -> Mapping[str, SourceFile]:
    """Read all files of a folder, and hold those that are new against what the others need not keep.

    Args:
        folder: the source folder, or one that holds what it is about to.
        params: how source files are written, and the shop; messages call the folder by its ``data.path``.
        fresh: of the new files, path inside the folder and what messages call it.

    Returns:
        All files with lines by their path inside the folder; those that no run reads are not among them.

    Raises:
        SourceError: one is no whole table with the columns of ``data.columns``, or a new one has no line.
        ContractError: the lines break a limit, or more than ``data.max_bad_share`` of the rows of a new file cannot be
            parsed, or it holds a day after today.
    """
    data = params.data.model_copy(update={"path": str(folder)})
    try:
        reading = read_shop(params.model_copy(update={"data": data}), learnable=False)
        counted: dict[str, list[Counted]] = {}
        for source in reading.by_source():
            counted.setdefault(Path(source.source.file).relative_to(folder).as_posix(), []).append(source)
        for name in [name for name in counted if name in fresh]:
            _require_good(folder / name, counted[name], reading, data.max_bad_share)
    except PricetrailError as error:
        said = [_as_named(text, folder, params.data.path, fresh) for text in (error.place, error.rule)]
        raise type(error)(said[0], said[1], error.value) from None
    return {
        name: _source_file(name, parts, folder, params.data.path, fresh)
        for name, parts in counted.items()
        if any(part.days for part in parts)
    }


def _require_good(file: Path, parts: list[Counted], reading: Reading, max_bad_share: float) -> None:
    """What holds for a new file by itself."""
    if not sum(part.source.rows for part in parts):
        raise SourceError(str(file), "must hold at least one line below the header", 0)
    names, parsed = [part.source.name for part in parts], reading.parsed
    own = replace(
        parsed,
        lines=parsed.lines[parsed.source_file.isin(names)],
        quarantine=parsed.quarantine[parsed.quarantine[contract.SOURCE_FILE].isin(names)],
    )
    contract.require_parseable(own, max_bad_share)
    today = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    late = parsed.rows[parsed.rows[contract.SOURCE_FILE].isin(names) & (parsed.rows["day"] > today + _ZONES)]
    if len(late):
        first = late.iloc[0]
        rule = f"invoiced_at must not be after today, {today:%Y-%m-%d} ({len(late)} such rows)"
        place = f"{first[contract.SOURCE_FILE]}: row {first[contract.SOURCE_ROW]}"
        raise ContractError(place, f"{rule}; see data.datetime_format, or mend the file", f"{first['day']:%Y-%m-%d}")


def _source_file(name: str, parts: list[Counted], folder: Path, path: str, fresh: Mapping[str, str]) -> SourceFile:
    own, repeats, days = {part.source.name for part in parts}, dict[str, int](), [part.days for part in parts]
    for part in parts:
        for other, rows in part.repeats.items():
            if other not in own:
                shown = _as_named(other, folder, path, fresh)
                repeats[shown] = repeats.get(shown, 0) + rows
    return SourceFile(
        name=name,
        place=fresh.get(name, f"{path}/{name}"),
        md5=md5_of(folder / name),
        rows=sum(part.source.rows for part in parts),
        unparseable=sum(part.quarantined for part in parts),
        dropped={reason: sum(part.dropped[reason] for part in parts) for reason in parts[0].dropped},
        repeats=repeats,
        first_day=min(first for first, _ in filter(None, days)),
        last_day=max(last for _, last in filter(None, days)),
    )


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
