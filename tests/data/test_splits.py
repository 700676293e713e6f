"""Splits are cut between days, and every row is in exactly one."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricetrail.base.errors import DataError
from pricetrail.data.features import DAY
from pricetrail.data.splits import find_boundaries, split_by_day

FIRST = pd.Timestamp("2011-01-03")


def days_of(counts: list[int]) -> pd.Series:
    """The day of each line, ``counts[i]`` lines on the i-th day."""
    return pd.Series([FIRST + pd.Timedelta(days=i) for i, count in enumerate(counts) for _ in range(count)])


def test_boundaries_by_hand() -> None:
    """20 lines, a tenth is 2: the last day has 1, so test takes two days; the day before these has 3, enough."""
    boundaries = find_boundaries(days_of([8, 5, 3, 3, 1]), 0.1)
    assert boundaries.test_from == FIRST + pd.Timedelta(days=3)
    assert boundaries.validation_from == FIRST + pd.Timedelta(days=2)


@given(counts=st.lists(st.integers(1, 30), min_size=3, max_size=40), share=st.floats(0.01, 0.4))
def test_each_split_holds_its_share_or_all_days_it_may_take(counts: list[int], share: float) -> None:
    lines = pd.DataFrame({DAY: days_of(counts)})
    splits = split_by_day(lines, find_boundaries(lines[DAY], share))
    parts = (splits.train, splits.validation, splits.test)
    assert pd.concat(parts)[DAY].tolist() == lines[DAY].tolist()
    assert all(len(part) > 0 for part in parts)
    assert splits.train[DAY].max() < splits.validation[DAY].min()
    assert splits.validation[DAY].max() < splits.test[DAY].min()
    wanted = share * len(lines)
    if len(splits.test) >= wanted:
        last_days = splits.test[splits.test[DAY] > splits.test[DAY].min()]
        assert len(last_days) < wanted, "a day fewer would not have been enough"
    else:
        assert splits.validation[DAY].nunique() == splits.train[DAY].nunique() == 1


def test_two_days_cannot_be_split() -> None:
    with pytest.raises(DataError, match="must hold at least 3 days"):
        find_boundaries(days_of([4, 4]), 0.1)
