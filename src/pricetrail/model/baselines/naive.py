"""The models that stand beside the network, each as data: each is a backup of the bundle, too.

A fit gives the stored form, and predictions are always made from that form, so a file brings back the same predictions
and the same bytes. Nothing is executed from a file (law 5). The naive ones are here, those that learn in
``baselines.learned``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
from lightgbm.basic import LightGBMError
from safetensors import SafetensorError

from pricetrail.base.errors import BundleError
from pricetrail.base.parquet import table_from_bytes, table_to_bytes
from pricetrail.data.encoder import Encoder
from pricetrail.data.features import TARGET
from pricetrail.model.baselines.learned import ElasticNet, Floats, LightGbm, Svr

# The keys of a naive model's groups, coarsest first: a finer group that is known overrules.
GROUPS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "median": ((),),
    "sku_median": ((), ("sku",)),
    "customer_sku_median": ((), ("sku",), ("customer_id", "sku")),
}
BACKUP_FILES: Final[Mapping[str, str]] = {
    **{name: f"{name}.parquet" for name in GROUPS},
    **{model.name: model.file for model in (ElasticNet, LightGbm, Svr)},
}
INDEX: Final = "index.json"  # of a folder of baselines: ``name`` and ``validation_mse_log_quantity`` of each
_KEYS: Final = ("customer_id", "sku")
_SCHEMA: Final = pa.schema([*((key, pa.string()) for key in _KEYS), (TARGET, pa.float64())])


class Baseline(Protocol):
    """A fitted model beside the network."""

    @property
    def name(self) -> str:
        """One of ``BACKUP_FILES``."""

    def predict(self, rows: pd.DataFrame, encoder: Encoder) -> Floats:
        """log1p(units) of each line, shape (n,); ``rows`` hold the encoder's features, ``sku`` and ``customer_id``."""

    def to_files(self) -> dict[str, bytes]:
        """The model as its one file of ``BACKUP_FILES``."""


@dataclass(frozen=True)
class GroupMedian:
    """Median of the training lines of the finest group that is known.

    Attributes:
        name: key of ``GROUPS``.
        table: one row a group: ``customer_id, sku, log_quantity``; a missing key stands for all values of it.
    """

    name: str
    table: pd.DataFrame

    def predict(self, rows: pd.DataFrame, encoder: Encoder) -> Floats:
        """See ``Baseline``; the encoder is not needed."""
        prediction = np.full(len(rows), np.nan)
        known = self.table[list(_KEYS)].notna()
        for keys in GROUPS[self.name]:
            group = self.table[(known == [key in keys for key in _KEYS]).all(axis=1)]
            if keys:
                wanted = rows[list(keys)].astype("str").merge(group, how="left", on=list(keys))[TARGET].to_numpy()
            else:
                wanted = np.full(len(rows), group[TARGET].item())
            prediction = np.where(np.isnan(wanted), prediction, wanted)
        return prediction

    def to_files(self) -> dict[str, bytes]:
        """See ``Baseline``."""
        return {BACKUP_FILES[self.name]: table_to_bytes(self.table, _SCHEMA)}

    @classmethod
    def from_bytes(cls, name: str, content: bytes) -> GroupMedian:
        """Read what ``to_files`` wrote."""
        table = table_from_bytes(content)
        if table.schema != _SCHEMA:
            raise ValueError(f"columns must be {', '.join(_SCHEMA.names)}")
        return cls(name, table.to_pandas())


def fit_medians(rows: pd.DataFrame) -> tuple[GroupMedian, ...]:
    """The naive models: of all lines, a SKU's, and a customer's lines of a SKU, where a line has a customer.

    Args:
        rows: training rows, shape (n, …), holding ``sku``, ``customer_id`` and the target.
    """
    lines = rows[[*_KEYS, TARGET]].astype({**dict.fromkeys(_KEYS, "str"), TARGET: "float64"})
    return tuple(
        GroupMedian(name, pd.concat([_medians(lines, keys) for keys in groups], ignore_index=True))
        for name, groups in GROUPS.items()
        if "customer_id" not in groups[-1] or rows["customer_id"].notna().any()
    )


def _medians(lines: pd.DataFrame, keys: tuple[str, ...]) -> pd.DataFrame:
    """One row a group in order of its keys; a line without one of the keys, such as a guest's, is in no group."""
    if keys:
        table = lines.groupby(list(keys), sort=True)[TARGET].median().reset_index()
    else:
        table = pd.DataFrame({TARGET: [lines[TARGET].median()]})
    return table.reindex(columns=_SCHEMA.names).astype(lines.dtypes)


def load_baseline(name: str, files: Mapping[str, bytes]) -> Baseline:
    """A baseline from its file, one of those in ``files``.

    Raises:
        BundleError: where it is not there, or is not such a model.
    """
    file = BACKUP_FILES.get(name)
    if file is None or file not in files:
        raise BundleError(f"backup {name}", f"must be one of {', '.join(BACKUP_FILES)}, with its file", sorted(files))
    try:
        if name in GROUPS:
            return GroupMedian.from_bytes(name, files[file])
        return _READERS[name](files[file])
    except (KeyError, TypeError, ValueError, RuntimeError, pa.ArrowException, SafetensorError, LightGBMError) as error:
        raise BundleError(file, f"must be a stored {name} model: {error}") from None


_READERS: Final[Mapping[str, Callable[[bytes], Baseline]]] = {
    model.name: model.from_bytes for model in (LightGbm, ElasticNet, Svr)
}
