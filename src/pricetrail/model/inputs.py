"""What the network reads of rows: the encoder's matrix, and where to look back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from pricetrail.data.encoder import Encoder
from pricetrail.data.past_lines import History


@dataclass(frozen=True)
class TargetScale:
    """Mean and standard deviation of the training targets, log1p(units); prediction = output * std + mean."""

    mean: float
    std: float

    @classmethod
    def of(cls, target: Tensor) -> TargetScale:
        """The scale of training targets, shape (n,); a constant target has a tiny std instead of none."""
        return cls(float(target.mean()), max(float(target.std(correction=0)), 1e-6))


@dataclass(frozen=True)
class LookBack:
    """How many past lines a line sees: of its SKU, of its customer."""

    sku_lines: int
    customer_lines: int


@dataclass(frozen=True)
class Inputs:
    """n rows.

    Attributes:
        x: matrix of the encoder, (n, C) float32.
        query: the rows in the columns of ``past_lines.EVENT_COLUMNS``, (n, 9) float32.
        past_sku: positions in the events, (n, sku_lines) int32.
        past_customer: positions in the events, (n, customer_lines) int32.
    """

    x: Tensor
    query: Tensor
    past_sku: Tensor
    past_customer: Tensor

    @classmethod
    def of(
        cls, rows: pd.DataFrame, encoder: Encoder, history: History, look_back: LookBack, scale: TargetScale
    ) -> Inputs:
        """Encode rows.

        Raises:
            BundleError: a feature is missing.
        """
        past_sku, past_customer = history.look_back(rows, look_back.sku_lines, look_back.customer_lines)
        query = history.queries(rows, scale.mean, scale.std)
        return cls(*(torch.from_numpy(part) for part in (encoder.transform(rows), query, past_sku, past_customer)))

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Tensor) -> Inputs:
        """Some rows, by their positions, shape (rows,)."""
        return Inputs(*(part.index_select(0, rows) for part in self._parts()))

    def last(self, size: int) -> Inputs:
        """The last rows, at most ``size`` of them, without a copy."""
        return Inputs(*(part[-size:] for part in self._parts()))

    def split(self, size: int) -> Iterator[Inputs]:
        """Parts of ``size`` rows, in order, without a copy."""
        for parts in zip(*(torch.split(part, size) for part in self._parts()), strict=True):
            yield Inputs(*parts)

    def _parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.x, self.query, self.past_sku, self.past_customer
