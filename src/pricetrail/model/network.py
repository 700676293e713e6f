"""The primary model: an MLP on piecewise-linear encoded columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class NetworkSpec:
    """Shape of the network: ``layers`` hidden layers of ``width`` units, each followed by ``dropout``."""

    layers: int
    width: int
    dropout: float


class PiecewiseLinearEncoding(nn.Module):
    """Each column becomes one value a bin: 0 below the bin, 1 above, linear inside.

    Gorishniy et al. 2022, "On Embeddings for Numerical Features" (arXiv:2203.05556), eq. 1, but flat outside of the
    outermost edges, so that a value beyond all training rows is treated as their extreme.

    Args:
        column_edges: for each of the C columns its increasing edges, at least two.

    Shape:
        - input: (batch, C)
        - output: (batch, bins), bins = sum of (edges - 1) over columns
    """

    column: Tensor
    low: Tensor
    inverse_width: Tensor

    def __init__(self, column_edges: Sequence[Sequence[float]]) -> None:
        super().__init__()
        column = [i for i, edges in enumerate(column_edges) for _ in edges[1:]]
        low = [low for edges in column_edges for low in edges[:-1]]
        high = [high for edges in column_edges for high in edges[1:]]
        self.register_buffer("column", torch.tensor(column), persistent=False)
        self.register_buffer("low", torch.tensor(low), persistent=False)
        self.register_buffer("inverse_width", 1 / (torch.tensor(high) - torch.tensor(low)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Encode a batch: (batch, C) -> (batch, bins)."""
        return x.index_select(1, self.column).sub_(self.low).mul_(self.inverse_width).clamp_(0, 1)


class Network(nn.Module):
    """Piecewise-linear encoding, then an MLP with ReLU and dropout.

    ``head`` is a plain ``Sequential`` in which no module stands twice: SHAP's DeepExplainer needs both.

    Shape:
        - input: (batch, C) matrix of the encoder
        - output: (batch,) standardised target
    """

    def __init__(self, spec: NetworkSpec, column_edges: Sequence[Sequence[float]]) -> None:
        super().__init__()
        self.encoding = PiecewiseLinearEncoding(column_edges)
        modules: list[nn.Module] = []
        inputs = len(self.encoding.low)
        for _ in range(spec.layers):
            modules += [nn.Linear(inputs, spec.width), nn.ReLU(), nn.Dropout(spec.dropout)]
            inputs = spec.width
        self.head = nn.Sequential(*modules, nn.Linear(inputs, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Predict a batch: (batch, C) -> (batch,)."""
        output: Tensor = self.head(self.encoding(x))
        return output.squeeze(1)
