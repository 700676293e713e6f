"""Features to a float32 matrix: fitted on the training rows, applied anywhere, state as JSON.

Numeric features are imputed with their training median, with a flag column where training rows had gaps; a category
becomes one column a level. Each column has edges: the bins of the piecewise-linear encoding that the network applies
to it (Gorishniy et al. 2022, arXiv:2203.05556, quantile bins).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pricetrail.base.errors import BundleError, DataError
from pricetrail.base.limits import load_json
from pricetrail.data.features import CATEGORICAL_FEATURES, NUMERIC_FEATURES

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class NumericState:
    """What training rows said of a numeric feature.

    Attributes:
        median: value for a gap.
        edges: increasing bin edges, at least two; outside of them the encoding is flat, so time cannot run off.
        has_gaps: whether training rows had gaps, which gives the feature a flag column.
    """

    name: str
    median: float
    edges: tuple[float, ...]
    has_gaps: bool


@dataclass(frozen=True)
class CategoricalState:
    """The levels with a column of their own, most frequent first; all others share the column ``(other)``."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Encoder:
    """Fitted state of all features.

    Attributes:
        numeric: states in the order of their columns; features constant on the training rows are absent.
        categorical: states in the order of their columns, which come after all numeric ones.
    """

    numeric: tuple[NumericState, ...]
    categorical: tuple[CategoricalState, ...]

    @property
    def column_features(self) -> tuple[str, ...]:
        """The feature behind each matrix column, shape (columns,)."""
        names: list[str] = []
        for state in self.numeric:
            names += [state.name] * (2 if state.has_gaps else 1)
        for category in self.categorical:
            names += [category.name] * (len(category.levels) + 1)
        return tuple(names)

    @property
    def column_edges(self) -> tuple[tuple[float, ...], ...]:
        """Bin edges of each matrix column; (0, 1) for a flag."""
        edges: list[tuple[float, ...]] = []
        for state in self.numeric:
            edges += [state.edges, (0.0, 1.0)] if state.has_gaps else [state.edges]
        for category in self.categorical:
            edges += [(0.0, 1.0)] * (len(category.levels) + 1)
        return tuple(edges)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The features the encoder reads."""
        return tuple(dict.fromkeys(self.column_features))

    @property
    def home_country(self) -> str:
        """The most frequent country of the training rows."""
        return next(state.levels[0] for state in self.categorical if state.name == "country")

    def transform(self, features: pd.DataFrame) -> Matrix:
        """Encode rows.

        Args:
            features: shape (n, …), holding ``feature_names``.

        Returns:
            Shape (n, len(column_features)), finite.

        Raises:
            BundleError: a feature is missing.
        """
        absent = [name for name in self.feature_names if name not in features]
        if absent:
            raise BundleError("features", f"must hold {absent[0]!r}", ", ".join(map(str, features.columns)))
        columns: list[Matrix] = []
        for state in self.numeric:
            values = features[state.name].to_numpy().astype(np.float32)
            gap = ~np.isfinite(values)
            columns.append(np.where(gap, np.float32(state.median), values))
            if state.has_gaps:
                columns.append(gap.astype(np.float32))
        for category in self.categorical:
            codes = pd.Index(category.levels).get_indexer(pd.Index(features[category.name].astype(str)))
            codes = np.where(codes < 0, len(category.levels), codes)
            columns += [(codes == level).astype(np.float32) for level in range(len(category.levels) + 1)]
        return np.stack(columns, axis=1)

    def to_json(self) -> str:
        """The state as JSON text; the same state gives the same bytes."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Encoder:
        """The state from JSON text.

        Raises:
            BundleError: where the text is not such a state.
        """
        try:
            tree = load_json(text)
            return cls(
                numeric=tuple(NumericState(**{**state, "edges": tuple(state["edges"])}) for state in tree["numeric"]),
                categorical=tuple(CategoricalState(s["name"], tuple(s["levels"])) for s in tree["categorical"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError("encoder.json", f"must be the state of an encoder: {error}") from None


def fit_encoder(features_train: pd.DataFrame, bins: int, max_countries: int) -> Encoder:
    """Learn medians, bins and levels from the training rows.

    Args:
        features_train: training rows only, shape (n, …).
        bins: quantile bins a numeric feature; equal edges are merged.
        max_countries: levels with a column of their own.

    Raises:
        DataError: where every feature is constant.
    """
    states = [_fit_numeric(name, features_train[name].to_numpy(), bins) for name in NUMERIC_FEATURES]
    numeric = tuple(state for state in states if state is not None)
    if not numeric:
        raise DataError("training rows", "must have a feature that is not constant")
    categorical = []
    for name in CATEGORICAL_FEATURES:
        counts = features_train[name].value_counts().rename_axis("level").reset_index(name="rows")
        ordered = counts.sort_values(["rows", "level"], ascending=[False, True])["level"]
        categorical.append(CategoricalState(name, tuple(ordered.astype(str)[:max_countries])))
    return Encoder(numeric, tuple(categorical))


def _fit_numeric(name: str, values: NDArray[np.float32], bins: int) -> NumericState | None:
    """Median and quantile edges of the known values; None where they are constant."""
    known = values[np.isfinite(values)].astype(np.float64)
    if known.size == 0:
        return None
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)).astype(np.float32))
    if len(edges) < 2:
        return None
    return NumericState(
        name=name,
        median=float(np.float32(np.median(known))),
        edges=tuple(float(edge) for edge in edges),
        has_gaps=bool(known.size < values.size),
    )
