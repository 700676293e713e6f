"""How every table becomes Parquet: no index, no version of pandas, equal tables give equal bytes.

Arrow's own packages hold the compressor, so the lock of the packages fixes these bytes.
"""

from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ZSTD_LEVEL: Final = 3  # 9 saves 2% more, and costs the ETL a tenth of its time
# A dictionary of values pays where they repeat. Above this share of distinct values another encoding is smaller.
DISTINCT_FLOATS: Final = 0.2
DISTINCT_OTHERS: Final = 0.5


def table_to_bytes(table: pd.DataFrame, schema: pa.Schema | None = None) -> bytes:
    """A table, shape (n, columns), as Parquet; with ``schema`` its columns and types are those."""
    arrow = pa.Table.from_pandas(table, schema=schema, preserve_index=False).replace_schema_metadata(None)
    encodings = {field.name: name for field in arrow.schema if (name := _encoding(field.type, arrow[field.name]))}
    sink = pa.BufferOutputStream()
    pq.write_table(
        arrow,
        sink,
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        use_dictionary=[name for name in arrow.column_names if name not in encodings],
        column_encoding=encodings or None,
    )
    return bytes(sink.getvalue())


def table_from_bytes(content: bytes) -> pa.Table:
    """The table of Parquet bytes.

    Raises:
        pyarrow.ArrowException: where they are not Parquet.
    """
    return pq.ParquetFile(pa.BufferReader(content)).read()


def partition_bytes(table: pd.DataFrame, partition: pd.Series) -> dict[str, bytes]:
    """One Parquet file a partition, by its name with ``.parquet``, in order of name.

    Args:
        table: rows, in the order they keep inside a partition.
        partition: name of each row's partition, shape (n,).
    """
    groups = table.groupby(partition.to_numpy(), sort=True)
    return {f"{name}.parquet": table_to_bytes(rows) for name, rows in groups}


def _encoding(dtype: pa.DataType, values: pa.ChunkedArray) -> str | None:
    """How a column of mostly distinct values is written; None where a dictionary is better."""
    if pa.types.is_floating(dtype):
        share, name = DISTINCT_FLOATS, "BYTE_STREAM_SPLIT"
    elif pa.types.is_integer(dtype) or pa.types.is_timestamp(dtype):
        share, name = DISTINCT_OTHERS, "DELTA_BINARY_PACKED"
    elif pa.types.is_string(dtype) or pa.types.is_large_string(dtype):
        share, name = DISTINCT_OTHERS, "DELTA_BYTE_ARRAY"
    else:
        return None
    return name if pc.count_distinct(values).as_py() > share * len(values) else None
