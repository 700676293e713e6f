"""One source file, held against the contract as ``etl_pipeline`` will read it."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from pricetrail.base.dvc_hashes import md5_of
from pricetrail.base.errors import PricetrailError
from pricetrail.base.params import Params
from pricetrail.data import contract, source_files
from pricetrail.data.shop_rules import shop_rules


@dataclass(frozen=True)
class SourceFile:
    """A file that keeps the contract.

    Attributes:
        name: its path inside the source folder.
        place: the file as the person named it, for messages.
        md5: of its bytes.
        rows: lines below the header.
        unparseable: how many of them go to quarantine.
        first_day: of its lines, fees and cancellations too.
        last_day: likewise.
    """

    name: str
    place: str
    md5: str
    rows: int
    unparseable: int
    first_day: dt.date
    last_day: dt.date


def read_source_file(file: Path, params: Params, name: str, place: str) -> SourceFile:
    """Read and parse a whole file by itself.

    Args:
        file: where its bytes lie.
        params: how source files are written, and the shop; ``data.path`` and ``pattern`` play no part.
        name: its path inside the source folder.
        place: what messages call it.

    Raises:
        SourceError: it is no whole table with the columns of ``data.columns``, or has no line.
        ContractError: more than ``data.max_bad_share`` of its rows cannot be parsed.
    """
    try:
        data = params.data.model_copy(update={"path": str(file)})
        raw = source_files.read_lines(data)
        written = {source.name: source.written for source in raw.sources}
        parsed = contract.parse(raw.table, written, shop_rules(params))
        contract.require_parseable(parsed, data.max_bad_share)
    except PricetrailError as error:
        raise type(error)(error.place.replace(str(file), place), error.rule, error.value) from None
    days = parsed.lines["invoiced_at"]
    return SourceFile(
        name=name,
        place=place,
        md5=md5_of(file),
        rows=len(raw.table),
        unparseable=len(parsed.quarantine),
        first_day=days.min().date(),
        last_day=days.max().date(),
    )


def span(first: dt.date, last: dt.date) -> str:
    """Days in words.

    >>> span(dt.date(2011, 12, 5), dt.date(2011, 12, 9)), span(dt.date(2011, 12, 5), dt.date(2011, 12, 5))
    ('2011-12-05 to 2011-12-09', '2011-12-05')
    """
    return f"{first}" if first == last else f"{first} to {last}"
