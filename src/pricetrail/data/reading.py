"""A shop's files to its lines: the one reading path, of the ETL, of `pricetrail check --data` and of `ingest`."""

from dataclasses import dataclass

from pricetrail.base.params import Params
from pricetrail.data import contract, source_files
from pricetrail.data.cleaning import Cleaned, clean
from pricetrail.data.contract import Parsed
from pricetrail.data.shop_rules import ShopRules, shop_rules
from pricetrail.data.source import Source


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


def read_shop(params: Params) -> Reading:
    """Read, parse and clean all lines of ``data.path``, and hold them against every limit; nothing is written.

    Raises:
        SourceError: a file cannot be read as a table of lines.
        ContractError: too many rows cannot be parsed, or too many are dropped.
        DataError: nothing can be learned from what is left.
    """
    rules = shop_rules(params)
    raw = source_files.read_lines(params.data)
    parsed = contract.parse(raw.table, {source.name: source.written for source in raw.sources}, rules)
    contract.require_parseable(parsed, params.data.max_bad_share)
    cleaned = clean(parsed, rules)
    reading = Reading(raw.sources, rules, parsed, cleaned)
    contract.validate(cleaned.lines, params.data.path)
    contract.require_conservation(reading.rows, len(cleaned.lines), len(parsed.quarantine), cleaned.dropped)
    return reading
