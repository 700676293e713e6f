"""A shop's files to its lines: the one reading path, of the ETL, of `pricetrail check --data` and of `ingest`."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pricetrail.base.params import Params
from pricetrail.data import contract, losses, source_files
from pricetrail.data.cleaning import Cleaned, clean
from pricetrail.data.contract import Parsed
from pricetrail.data.shop_rules import ShopRules, shop_rules
from pricetrail.data.source import Source


@dataclass(frozen=True)
class Counted:
    """What became of the rows of one source.

    Attributes:
        source: a file, or a sheet or member of one.
        dropped: lines by reason.
        quarantined: rows that cannot be parsed.
        repeats: how many lines another source has as well, whichever of the two they count for.
        days: the first and the last of its lines, fees and cancellations too; None where it has no line.
    """

    source: Source
    dropped: Mapping[str, int]
    quarantined: int
    repeats: Mapping[str, int]
    days: tuple[dt.date, dt.date] | None


@dataclass(frozen=True)
class Reading:
    """What the files of a shop say.

    Attributes:
        sources: the tables that were read, in order of name.
        rules: of the shop.
        parsed: every row, as a line or in quarantine.
        cleaned: sales of products, and what was dropped.
    """

    sources: tuple[Source, ...]
    rules: ShopRules
    parsed: Parsed
    cleaned: Cleaned

    @property
    def rows(self) -> int:
        """Rows below the headers, blank ones left out."""
        return sum(source.rows for source in self.sources)

    def by_source(self) -> tuple[Counted, ...]:
        """What became of each source's rows."""
        name, day = self.parsed.source_file.astype("str"), self.parsed.lines["invoiced_at"]
        dropped = pd.Series(self.cleaned.reason).groupby([name, self.cleaned.reason]).size().to_dict()
        bad = self.parsed.quarantine[contract.SOURCE_FILE].value_counts()
        days = {str(of): (at.min().date(), at.max().date()) for of, at in day.groupby(name)}
        return tuple(
            Counted(
                source=source,
                dropped={reason: int(dropped.get((source.name, reason), 0)) for reason in self.cleaned.dropped},
                quarantined=int(bad.get(source.name, 0)),
                repeats=_shared(source.name, self.cleaned.repeats),
                days=days.get(source.name),
            )
            for source in self.sources
        )


def _shared(name: str, repeats: Mapping[tuple[str, str], int]) -> Mapping[str, int]:
    """The other sources that hold lines of this one, and how many."""
    others = [(pair[pair[0] == name], rows) for pair, rows in repeats.items() if name in pair and pair[0] != pair[1]]
    return {other: sum(rows for one, rows in others if one == other) for other, _ in others}


def read_shop(params: Params, *, learnable: bool = True) -> Reading:
    """Read, parse and clean all lines of ``data.path``, and hold them against every limit; nothing is written.

    Args:
        params: where the lines are, how they are written and what the shop is.
        learnable: whether there must be enough of them to learn from; the first days of a shop are too few.

    Raises:
        SourceError: a file cannot be read as a table of lines.
        ContractError: too many rows cannot be parsed, or are of one kind, or too many are dropped.
        DataError: nothing can be learned from what is left.
    """
    rules = shop_rules(params)
    raw = source_files.read_lines(params.data)
    parsed = contract.parse(raw.table, {source.name: source.written for source in raw.sources}, rules)
    contract.require_parseable(parsed, params.data.max_bad_share)
    losses.require_dirt(raw.table, parsed)
    cleaned = clean(parsed, rules)
    losses.require_few_dropped(parsed, cleaned, rules, params.data.path)
    reading = Reading(raw.sources, rules, parsed, cleaned)
    contract.validate(cleaned.lines, params.data.path)
    if learnable:
        contract.require_learnable(cleaned.lines, params.data.path)
    contract.require_conservation(reading.rows, len(cleaned.lines), len(parsed.quarantine), cleaned.dropped)
    return reading
