"""A shop's files to its lines: the one reading path, of the ETL, of `pricetrail check --data` and of `ingest`."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from pricetrail.base.params import Params
from pricetrail.data import contract, losses, source_files
from pricetrail.data.cleaning import Cleaned, clean
from pricetrail.data.contract import Parsed
from pricetrail.data.order_fields import require_currency
from pricetrail.data.shop_rules import ShopRules, shop_rules
from pricetrail.data.source import Source
from pricetrail.data.text import SOURCE_FILE


@dataclass(frozen=True)
class FileCounts:
    """What became of the rows of one file that holds lines.

    Attributes:
        rows: below the header.
        quarantined: how many of them cannot be parsed.
        dropped: how many are no sales, by reason.
        repeats: how many another file holds as well, whichever of the two they count for.
        first_day: of its lines, fees and cancellations too.
        last_day: likewise.
    """

    rows: int
    quarantined: int
    dropped: Mapping[str, int]
    repeats: Mapping[str, int]
    first_day: dt.date
    last_day: dt.date


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

    def by_file(self) -> Mapping[str, FileCounts]:
        """What became of the rows of each file with lines, by its path."""
        files = {source.name: source.file for source in self.sources}
        rows = self.parsed.rows.assign(file=self.parsed.rows[SOURCE_FILE].astype("str").map(files), dropped="")
        rows.loc[rows["reason"] == "", "dropped"] = self.cleaned.reason
        repeats: dict[str, Counter[str]] = {file: Counter() for file in files.values()}
        for pair, count in self.cleaned.repeats.items():
            one, other = (files[name] for name in pair)
            if one != other:
                repeats[one][other] += count
                repeats[other][one] += count
        found = dict[str, FileCounts]()
        for file, own in rows.groupby("file"):
            lines, dropped = own[own["reason"] == ""], own["dropped"].value_counts()
            if len(lines):
                found[str(file)] = FileCounts(
                    rows=len(own),
                    quarantined=len(own) - len(lines),
                    dropped={name: int(dropped.get(name, 0)) for name in self.cleaned.dropped},
                    repeats=repeats[str(file)],
                    first_day=lines["day"].min().date(),
                    last_day=lines["day"].max().date(),
                )
        return found


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
    require_currency(raw.table, rules.currency)
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
