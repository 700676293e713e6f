"""Chronological train, validation and test rows, cut between days."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pricetrail.base.errors import DataError
from pricetrail.data.features import DAY


@dataclass(frozen=True)
class Boundaries:
    """The first day of validation and of test; training is everything before."""

    validation_from: pd.Timestamp
    test_from: pd.Timestamp


@dataclass(frozen=True)
class Splits:
    """Rows by split, each in order of time."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame


def find_boundaries(days: pd.Series, test_share: float) -> Boundaries:
    """Cut between days: the fewest last days that hold ``test_share`` of the lines, and as many lines before them.

    Args:
        days: the day of every line, shape (n,).
        test_share: share of lines, in (0, 0.4].

    Raises:
        DataError: where no day is left for one of the splits.
    """
    lines_by_day = days.value_counts().sort_index()
    if len(lines_by_day) < 3:
        raise DataError("data", "must hold at least 3 days of sales (train, validation, test)", len(lines_by_day))
    wanted = test_share * len(days)
    from_end = lines_by_day.to_numpy()[::-1].cumsum()
    test_days = _fewest_days(from_end, wanted, leave=2)
    validation_days = _fewest_days(from_end[test_days:] - from_end[test_days - 1], wanted, leave=1)
    return Boundaries(
        validation_from=lines_by_day.index[-(test_days + validation_days)],
        test_from=lines_by_day.index[-test_days],
    )


def _fewest_days(lines_from_end: np.ndarray, wanted: float, leave: int) -> int:
    """How many days from the end hold ``wanted`` lines, leaving some days before them."""
    enough = int(np.searchsorted(lines_from_end, wanted)) + 1
    return max(1, min(enough, len(lines_from_end) - leave))


def split_by_day(lines: pd.DataFrame, boundaries: Boundaries) -> Splits:
    """Rows before, between and from the two boundaries; every row is in exactly one split."""
    day = lines[DAY]
    is_train, is_test = day < boundaries.validation_from, day >= boundaries.test_from
    parts = (lines[is_train], lines[~is_train & ~is_test], lines[is_test])
    return Splits(*(part.reset_index(drop=True) for part in parts))
