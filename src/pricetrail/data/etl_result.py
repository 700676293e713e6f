"""What the ETL leaves in ``metrics/etl.json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_WORDS: Final = MappingProxyType(
    {
        "duplicate": "repeats",
        "cancellation": "cancellations",
        "cancelled_status": "of cancelled orders",
        "not_a_product": "of no product",
        "quantity_not_positive": "returns",
        "price_not_positive": "without a price",
    }
)


@dataclass(frozen=True)
class Dropped:
    """Lines that the ETL left out for one reason."""

    reason: str
    rows: int

    @property
    def words(self) -> str:
        """The reason as people say it, to stand behind a number."""
        return _WORDS.get(self.reason, self.reason)


def dropped_words(dropped: Mapping[str, int]) -> str:
    """Counts by reason in words.

    >>> dropped_words({"duplicate": 1200, "cancellation": 0, "not_a_product": 3})
    '1,200 repeats, 3 of no product'
    """
    return ", ".join(f"{rows:,} {Dropped(reason, rows).words}" for reason, rows in dropped.items() if rows) or "none"


@dataclass(frozen=True)
class EtlResult:
    """Lines read and kept, and their first and last day (ISO dates)."""

    rows_read: int
    rows_kept: int
    rows_dropped: int
    rows_quarantined: int
    dropped: tuple[Dropped, ...]
    days: tuple[str, str]
