"""Tables come back as they were, whatever encoding their values get, and are no larger than Arrow's own files."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricetrail.base.parquet import partition_bytes, table_from_bytes, table_to_bytes
from pricetrail.data.contract import iso_week

ROWS = 4000
DICTIONARY, SPLIT, DELTA, TEXT = "RLE_DICTIONARY", "BYTE_STREAM_SPLIT", "DELTA_BINARY_PACKED", "DELTA_BYTE_ARRAY"


def drawn(values: Callable[[np.random.Generator], object], distinct: float) -> pd.Series:
    """A column of which a share is distinct."""
    pool = pd.Series(values(np.random.default_rng(1)))
    count = int(distinct * ROWS)
    return pool.iloc[np.arange(ROWS) % count].reset_index(drop=True)


def floats(rng: np.random.Generator) -> object:
    return rng.normal(size=ROWS)


def singles(rng: np.random.Generator) -> object:
    return rng.normal(size=ROWS).astype("float32")


def whole(rng: np.random.Generator) -> object:
    return rng.permutation(ROWS)


def times(rng: np.random.Generator) -> object:
    return (pd.Timestamp("2011-01-01") + pd.to_timedelta(rng.permutation(ROWS), unit="min")).astype("datetime64[us]")


def words(rng: np.random.Generator) -> object:
    return [f"abcdef012345-{row:06d}" for row in rng.permutation(ROWS)]


@pytest.mark.parametrize(
    ("values", "distinct", "encoding"),
    [
        (floats, 0.1, DICTIONARY),
        (floats, 0.3, SPLIT),
        (singles, 0.1, DICTIONARY),
        (singles, 1.0, SPLIT),
        (whole, 0.4, DICTIONARY),
        (whole, 0.6, DELTA),
        (times, 0.4, DICTIONARY),
        (times, 1.0, DELTA),
        (words, 0.4, DICTIONARY),
        (words, 1.0, TEXT),
    ],
)
def test_mostly_distinct_values_get_no_dictionary(
    values: Callable[[np.random.Generator], object], distinct: float, encoding: str
) -> None:
    table = pd.DataFrame({"a": drawn(values, distinct), "b": 1})
    content = table_to_bytes(table)
    used = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0).column(0).encodings
    assert encoding in used
    assert (DICTIONARY in used) == (encoding == DICTIONARY)
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(content)), table)


def test_a_file_like_ours_is_smaller_than_arrows_own() -> None:
    """SHAP values, ids, times: what fills the larger files."""
    rng = np.random.default_rng(2)
    steps = {f"shap_{i}": (rng.normal(0, 2000, ROWS).round() * 2.0**-17).astype("float32") for i in range(5)}
    ids = [f"0123456789ab-{row:06d}" for row in range(ROWS)]
    table = pd.DataFrame({**steps, "id": ids, "row": np.arange(ROWS), "predicted": rng.normal(size=ROWS)})
    plain = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), plain, compression="zstd")
    assert len(table_to_bytes(table)) < 0.8 * len(plain.getvalue())


COLUMNS = {
    "float64": st.floats(allow_subnormal=True),
    "float32": st.floats(width=32),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "str": st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]))),
    "bool": st.booleans(),
    "datetime64[us]": st.datetimes().map(pd.Timestamp),
}


@pytest.mark.parametrize("dtype", COLUMNS)
@settings(max_examples=40)
@given(data=st.data())
def test_every_value_comes_back_bit_by_bit(dtype: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(COLUMNS[dtype], max_size=30))
    table = pd.DataFrame({"a": pd.Series(values, dtype=dtype)})
    content = table_to_bytes(table)
    assert content == table_to_bytes(table.set_index(pd.Index(range(len(table), 0, -1))))
    pd.testing.assert_frame_equal(table_from_bytes(content).to_pandas(), table)
    if dtype.startswith("float"):
        again = table_from_bytes(content).to_pandas()["a"].to_numpy()
        known = ~np.isnan(again)
        assert again[known].tobytes() == table["a"].to_numpy()[known].tobytes(), "the sign of zero, too"


def test_partitions_are_files_of_their_own_in_order_of_name() -> None:
    at = pd.Series(pd.to_datetime(["2011-01-12", "2010-12-31", "2011-01-02", "2011-01-03"]))
    table = pd.DataFrame({"at": at.astype("datetime64[us]"), "units": [1, 4, 2, 7]})
    files = partition_bytes(table, iso_week(table["at"]))
    assert list(files) == ["2010-W52.parquet", "2011-W01.parquet", "2011-W02.parquet"]
    assert files["2010-W52.parquet"] == table_to_bytes(table.iloc[1:3])
    read = pd.concat([pd.read_parquet(io.BytesIO(content)) for content in files.values()], ignore_index=True)
    pd.testing.assert_frame_equal(read, table.iloc[[1, 2, 3, 0]].reset_index(drop=True))
    assert partition_bytes(table.head(0), iso_week(table["at"].head(0))) == {}
