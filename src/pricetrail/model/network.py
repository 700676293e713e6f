"""The primary model: an MLP, or an ensemble of them in one, on encoded columns and attended past lines."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pricetrail.model.attention import HistoryAttention
from pricetrail.model.inputs import Inputs


@dataclass(frozen=True)
class NetworkSpec:
    """Shape of the network.

    Attributes:
        widths: units of each hidden layer.
        dropouts: dropout after each hidden layer, as long as ``widths``.
        bins: piecewise-linear bins a column at the most; the encoder may have more, which are then merged.
        batch_norm: normalise before each activation.
        residual: add the input of a hidden layer to its output where the widths agree.
        ensemble_size: members that share the large matrices (TabM); 1 is a plain MLP.
    """

    widths: tuple[int, ...]
    dropouts: tuple[float, ...]
    bins: int
    batch_norm: bool = False
    residual: bool = False
    ensemble_size: int = 1


def merge_bins(edges: Sequence[float], bins: int) -> tuple[float, ...]:
    """At most ``bins`` bins out of many: the outermost edges and evenly chosen ones between them.

    >>> merge_bins((0.0, 1.0, 2.0, 3.0, 4.0), 2), merge_bins((0.0, 1.0), 2)
    ((0.0, 2.0, 4.0), (0.0, 1.0))
    """
    have = len(edges) - 1
    if have <= bins:
        return tuple(edges)
    return tuple(edges[(have * place) // bins] for place in range(bins + 1))


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


class SharedLinear(nn.Module):
    """One matrix for all members; each scales its inputs and outputs and has a bias of its own.

    BatchEnsemble (Wen et al. 2020, arXiv:2002.06715) as in TabM (Gorishniy et al. 2024, arXiv:2410.24210). In the first
    layer the members' inputs are equal, so they differ in the scale of the outputs only, drawn from {-1, 1}: the large
    product is then computed once.

    Shape:
        - input: (batch, inputs) in the first layer, else (batch, members, inputs)
        - output: (batch, members, outputs)
    """

    def __init__(self, inputs: int, outputs: int, members: int, is_first: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.is_scaled, self.is_first = members > 1, is_first
        if self.is_scaled:
            signs = torch.randint(0, 2, (members, outputs)) * 2.0 - 1
            self.scale_out = nn.Parameter(signs if is_first else torch.ones(members, outputs))
            self.bias = nn.Parameter((torch.rand(members, outputs) * 2 - 1) / inputs**0.5)
            if not is_first:
                self.scale_in = nn.Parameter(torch.ones(members, inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Apply to a batch."""
        x = x.unsqueeze(1) if self.is_first else x
        if not self.is_scaled:
            output: Tensor = self.linear(x)
            return output
        x = x if self.is_first else x * self.scale_in
        scaled: Tensor = self.linear(x) * self.scale_out + self.bias
        return scaled


class Block(nn.Module):
    """A hidden layer: linear, batch norm where wanted, ReLU, dropout, and the input added where wanted.

    Shape: as ``SharedLinear``.
    """

    def __init__(self, spec: NetworkSpec, layer: int, inputs: int) -> None:
        super().__init__()
        width = spec.widths[layer]
        self.linear = SharedLinear(inputs, width, spec.ensemble_size, is_first=layer == 0)
        self.norm = nn.BatchNorm1d(width) if spec.batch_norm else None
        self.activation, self.dropout = nn.ReLU(), nn.Dropout(spec.dropouts[layer])
        self.is_residual = spec.residual and layer > 0 and inputs == width

    def forward(self, x: Tensor) -> Tensor:
        """Apply to a batch."""
        hidden: Tensor = self.linear(x)
        if self.norm is not None:
            hidden = self.norm(hidden.flatten(0, 1)).view_as(hidden)
        hidden = self.dropout(self.activation(hidden))
        return x + hidden if self.is_residual else hidden


class Head(nn.Module):
    """The hidden layers and a linear way beside them ("wide and deep", Cheng et al. 2016, arXiv:1606.07792).

    No module stands twice and each activation is a module: SHAP's DeepExplainer needs both.

    Shape:
        - input: (batch, columns)
        - output: (batch, ensemble_size)
    """

    def __init__(self, spec: NetworkSpec, columns: int) -> None:
        super().__init__()
        inputs = (columns, *spec.widths)
        self.blocks = nn.ModuleList(Block(spec, layer, inputs[layer]) for layer in range(len(spec.widths)))
        self.wide = nn.Linear(columns, 1)
        nn.init.zeros_(self.wide.weight)
        width, members = inputs[-1], spec.ensemble_size
        if spec.widths:
            self.deep = nn.Parameter((torch.rand(members, width) * 2 - 1) / width**0.5)

    def forward(self, encoded: Tensor) -> Tensor:
        """Predict a batch, each member's."""
        wide: Tensor = self.wide(encoded)
        if not len(self.blocks):
            return wide
        x = encoded
        for block in self.blocks:
            x = block(x)
        return wide + (x * self.deep).sum(dim=2)


class Network(nn.Module):
    """Columns and past lines encoded, then the head.

    Args:
        spec: shape of the head.
        column_edges: bins of each of the C columns.
        events: past lines, shape (m + 1, 9), see ``past_lines.History.events``.
    """

    def __init__(self, spec: NetworkSpec, column_edges: Sequence[Sequence[float]], events: Tensor) -> None:
        super().__init__()
        self.encoding = PiecewiseLinearEncoding([merge_bins(edges, spec.bins) for edges in column_edges])
        self.attention = HistoryAttention(events)
        pooled = self.attention.sku_columns + self.attention.customer_columns
        self.head = Head(spec, len(self.encoding.low) + pooled)

    def encode(self, inputs: Inputs) -> Tensor:
        """What the head reads of a batch: (batch, bins + pooled columns)."""
        pooled = self.attention(inputs.query, inputs.past_sku, inputs.past_customer)
        return torch.cat([self.encoding(inputs.x), pooled], dim=1)

    def members(self, inputs: Inputs) -> Tensor:
        """Each member's standardised prediction of a batch: (batch, ensemble_size)."""
        output: Tensor = self.head(self.encode(inputs))
        return output

    def forward(self, inputs: Inputs) -> Tensor:
        """The standardised prediction of a batch: (batch,)."""
        return self.members(inputs).mean(dim=1)
