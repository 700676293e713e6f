"""Past lines that a line may look back at: strictly earlier days only (law 2).

A table can hold a mean of past lines; the network reads the lines themselves, the latest ones of the SKU and of the
customer, and learns which of them are alike (``model.attention``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pricetrail.data.features import DAY, TARGET

Positions = NDArray[np.int32]
Events = NDArray[np.float32]

LOGS: Final = (TARGET, "sku_mean", "customer_mean")  # in log1p(units): centred and scaled like the target
EVENT_COLUMNS: Final = (*LOGS, "log_unit_price", "log_price_vs_mean", "registered", "sku", "customer", "month")
HISTORY_COLUMNS: Final = ("sku", "customer_id", DAY, *EVENT_COLUMNS[:6])
DAYS_A_MONTH: Final = 28.0
CHUNK_ROWS: Final = 100_000
HISTORY_UNITS: Final = {
    "sku_history": "latest earlier lines of the SKU, attended to by the network",
    "customer_history": "latest earlier lines of the customer, attended to by the network",
}


@dataclass(frozen=True)
class _Sorted:
    """Positions of the lines by key and day.

    Attributes:
        position: of each line in the table, ordered by key, then time; shape (m,).
        key_day: key and day of these lines as one increasing number.
        start: where each key begins, shape (keys + 1,).
    """

    position: NDArray[np.int64]
    key_day: NDArray[np.int64]
    start: NDArray[np.int64]

    @classmethod
    def of(cls, codes: NDArray[np.int64], days: NDArray[np.int64], keys: int) -> _Sorted:
        """Sort lines that are in order of time; -1 is no key."""
        position = np.flatnonzero(codes >= 0)
        position = position[np.argsort(codes[position], kind="stable")]
        key_day = _key_day(codes[position], days[position])
        return cls(position, key_day, np.searchsorted(codes[position], np.arange(keys + 1)))

    def latest(self, codes: NDArray[np.int64], days: NDArray[np.int64], lines: int, none: int) -> Positions:
        """The latest ``lines`` lines of each key before the day, latest first; ``none`` where there are no more.

        Shape (n, lines).
        """
        known = codes >= 0
        key = np.where(known, codes, 0)
        before = np.searchsorted(self.key_day, _key_day(key, days), side="left")
        place = before[:, None] - 1 - np.arange(lines)
        is_there = known[:, None] & (place >= self.start[key][:, None])
        found = self.position[np.maximum(place, 0)] if len(self.position) else np.zeros_like(place)
        return np.where(is_there, found, none).astype(np.int32)


def _key_day(codes: NDArray[np.int64], days: NDArray[np.int64]) -> NDArray[np.int64]:
    return codes * np.int64(1 << 22) + days  # days since 1970 stay below 2**22 for ten thousand years


class History:
    """All lines up to some day, in order of time.

    Args:
        table: ``HISTORY_COLUMNS``, shape (m, 9).
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self.skus, self.customers = pd.Index(table["sku"].unique()), pd.Index(table["customer_id"].dropna().unique())
        sku, customer, days = self._codes(table)
        self._by_sku = _Sorted.of(sku, days, len(self.skus))
        self._by_customer = _Sorted.of(customer, days, len(self.customers))

    @classmethod
    def of(cls, lines: pd.DataFrame) -> History:
        """The history that the feature table of all lines gives."""
        return cls(lines[list(HISTORY_COLUMNS)].reset_index(drop=True))

    def look_back(self, rows: pd.DataFrame, sku_lines: int, customer_lines: int) -> tuple[Positions, Positions]:
        """Positions of the latest earlier lines of each row's SKU and of its customer.

        Args:
            rows: with ``sku``, ``customer_id`` and ``day``, shape (n, …); need not be in the history.
            sku_lines: how many lines of the SKU.
            customer_lines: how many lines of the customer; a guest has none.

        Returns:
            Shapes (n, sku_lines) and (n, customer_lines), latest first; ``len(table)`` stands for no line.
        """
        sku, customer, days = self._codes(rows)
        none = len(self.table)
        past_sku = np.empty((len(rows), sku_lines), np.int32)
        past_customer = np.empty((len(rows), customer_lines), np.int32)
        for start in range(0, len(rows), CHUNK_ROWS):  # what is computed on the way is eight times as large
            part = slice(start, start + CHUNK_ROWS)
            past_sku[part] = self._by_sku.latest(sku[part], days[part], sku_lines, none)
            past_customer[part] = self._by_customer.latest(customer[part], days[part], customer_lines, none)
        return past_sku, past_customer

    def events(self, target_mean: float, target_std: float) -> Events:
        """What the network sees of each past line, shape (m + 1, 9): ``EVENT_COLUMNS``; the last row is no line."""
        quantity = self.table[TARGET].to_numpy().astype(np.float32)
        events = self._matrix(self.table, quantity, target_mean, target_std)
        return np.concatenate([events, np.zeros((1, events.shape[1]), np.float32)])

    def queries(self, rows: pd.DataFrame, target_mean: float, target_std: float) -> Events:
        """The same columns of rows that look back, shape (n, 9); their own quantity is not looked at.

        Args:
            rows: with the columns of the history but ``log_quantity``, shape (n, …).
            target_mean: of the training rows, log1p(units).
            target_std: of the training rows, log1p(units).
        """
        unknown = np.full(len(rows), np.nan, dtype=np.float32)
        return self._matrix(rows, unknown, target_mean, target_std)

    def _matrix(self, rows: pd.DataFrame, log_quantity: Events, target_mean: float, target_std: float) -> Events:
        """``EVENT_COLUMNS`` of rows; a gap becomes 0, which is the training mean of the centred columns."""
        sku, customer, days = self._codes(rows)
        columns = {name: rows[name].to_numpy().astype(np.float32) for name in EVENT_COLUMNS[1:6]}
        columns[TARGET] = log_quantity
        for name in LOGS:
            columns[name] = (columns[name] - np.float32(target_mean)) / np.float32(target_std)
        codes = {"sku": sku, "customer": customer, "month": days / DAYS_A_MONTH}
        columns |= {name: code.astype(np.float32) for name, code in codes.items()}
        matrix = np.stack([columns[name] for name in EVENT_COLUMNS], axis=1)
        return np.where(np.isfinite(matrix), matrix, np.float32(0))

    def _codes(self, rows: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """SKU and customer codes, -1 where there is none or it is not known, and the number of the day."""
        sku = self.skus.get_indexer(pd.Index(rows["sku"])).astype(np.int64)
        customer = self.customers.get_indexer(pd.Index(rows["customer_id"])).astype(np.int64)
        return sku, customer, (rows[DAY] - pd.Timestamp(0)).dt.days.to_numpy().astype(np.int64)
