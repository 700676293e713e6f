"""Tables of a bundle as Parquet bytes: no index, no version of pandas, equal tables give equal bytes."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def table_to_bytes(table: pd.DataFrame, schema: pa.Schema | None = None) -> bytes:
    """A table, shape (n, columns), as Parquet; with ``schema`` its columns and types are those."""
    sink = io.BytesIO()
    arrow = pa.Table.from_pandas(table, schema=schema, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(arrow, sink, compression="zstd")
    return sink.getvalue()


def table_from_bytes(content: bytes) -> pa.Table:
    """The table of Parquet bytes.

    Raises:
        pyarrow.ArrowException: where they are not Parquet.
    """
    return pq.ParquetFile(io.BytesIO(content)).read()
