"""What the ETL leaves in ``metrics/etl.json``."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dropped:
    """Lines that the ETL left out for one reason."""

    reason: str
    rows: int


@dataclass(frozen=True)
class EtlResult:
    """Lines read and kept, and their first and last day (ISO dates)."""

    rows_read: int
    rows_kept: int
    rows_dropped: int
    rows_quarantined: int
    dropped: tuple[Dropped, ...]
    days: tuple[str, str]
