"""What the ETL leaves in ``metrics/etl.json``."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

# Why a line is no sale: in words that stand behind a number, the column that tells it, and the setting of ``shop``.
REASONS: Final = MappingProxyType(
    {
        "duplicate": ("repeats", "invoice", "same_line"),
        "cancellation": ("cancellations", "invoice", "cancellation_prefix"),
        "not_a_product": ("of no product", "sku", "not_products"),
        "quantity_not_positive": ("returns", "quantity", ""),
        "price_not_positive": ("without a price", "unit_price", ""),
        "cancelled_status": ("of cancelled orders", "status", "cancelled_status"),
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
        known = REASONS.get(self.reason)
        return known[0] if known else self.reason  # of a file that another version wrote


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
