"""DeepSHAP of the head, without its forward pass once a background row.

DeepLIFT's rescale rule (Shrikumar et al. 2017, arXiv:1704.02685) averaged over background rows (DeepSHAP, Lundberg &
Lee 2017, arXiv:1705.07874); the values of ``shap.DeepExplainer``. What that does once a pair of row and background row
is done here once a row: the forward pass, and all products with the wide first matrix. A pair costs one product a
hidden layer after the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from pricetrail.model.network import Block, Head

CHUNK_FLOATS: Final = 200_000  # of a chunk's largest array: it stays in the CPU's cache
TINY: Final = 1e-30


@dataclass(frozen=True)
class _Layer:
    """A hidden layer before its ReLU, scales of the members and batch norm folded in: z = w · input + b.

    Attributes:
        weight: of each member, (members, outputs, inputs); in the first layer one for all, (outputs, inputs).
        scale: of the first layer, which follows the shared product, (members, outputs).
        bias: (members, outputs).
        is_residual: the input is added to what leaves the ReLU.
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor
    is_residual: bool

    @classmethod
    def of(cls, block: Block, members: int) -> _Layer:
        """Fold a block as it is in evaluation mode."""
        linear, norm = block.linear, block.norm
        weight, bias = linear.linear.weight, linear.linear.bias
        scale, shift = torch.ones(members, len(weight)), torch.zeros(members, len(weight))
        if linear.is_scaled:
            scale, shift = linear.scale_out, linear.bias
        shift = shift + bias * scale
        if norm is not None:
            seen = norm.state_dict()
            slope = norm.weight * (seen["running_var"] + norm.eps).rsqrt()
            scale, shift = scale * slope, (shift - seen["running_mean"]) * slope + norm.bias
        if not linear.is_first:
            weight = scale.unsqueeze(2) * weight
            weight = weight * linear.scale_in.unsqueeze(1) if linear.is_scaled else weight
        return cls(weight, scale, shift, block.is_residual)


@dataclass(frozen=True)
class _Size:
    """Of pre-activations z, both of one shape: z where positive, else 0; |z|."""

    positive: Tensor
    absolute: Tensor

    @classmethod
    def of(cls, z: Tensor) -> _Size:
        return cls(z.relu(), z.abs())

    def slopes(self, reference: _Size) -> Tensor:
        """The multiplier of a ReLU, (relu(a) - relu(b)) / (a - b), of each row a and reference b.

        Where a and b have one sign it is 0 or 1, else |a - b| = |a| + |b|; so it is (relu(a) + relu(b)) / (|a| + |b|),
        in which nothing cancels. A difference of 0 gives the gradient, as the rule wants.

        Shape (n, units) and (r, units) to (n · r, units).
        """
        rise = self.positive.unsqueeze(1) + reference.positive
        return rise.div_(self.absolute.unsqueeze(1) + reference.absolute).flatten(0, 1)


class DeepShap:
    """SHAP values of the mean of a head's members, in evaluation mode.

    Args:
        head: what is explained.
        background: encoded rows that the values are measured against, (r, columns), r >= 1.
        owner: number of the feature that each column belongs to, (columns,), all of 0 … features - 1.
    """

    def __init__(self, head: Head, background: Tensor, owner: Tensor) -> None:
        with torch.inference_mode():
            self._rows = len(background)
            self._groups = functional.one_hot(owner).to(background.dtype)
            self._wide = head.wide.weight[0]
            self._centre = background.mean(dim=0, dtype=torch.float64).to(background.dtype)
            members = len(head.deep) if len(head.blocks) else 0
            self._layers = [_Layer.of(block, members) for block in head.blocks if isinstance(block, Block)]
            if not self._layers:
                return
            self._deep = head.deep / members
            self._references = [
                [_Size(z.relu(), z.abs().clamp_min(TINY)) for z in layers] for layers in self._activate(background)
            ]
            first, centred = self._layers[0].weight, background - self._centre
            of_feature = [centred[:, columns] @ first[:, columns].T for columns in self._groups.T.bool()]
            self._reference_part = torch.stack(of_feature, dim=2).flatten(0, 1) / self._rows

    def values(self, encoded: Tensor) -> Tensor:
        """SHAP values of rows, on the scale of the head's output: (n, columns) -> (n, features)."""
        with torch.inference_mode():
            if not self._layers:
                return ((encoded - self._centre) * self._wide) @ self._groups
            widest = max(layer.bias.shape[1] for layer in self._layers)
            chunk = max(1, CHUNK_FLOATS // (self._rows * widest))
            return torch.cat([self._chunk(part) for part in torch.split(encoded, chunk)])

    def _chunk(self, encoded: Tensor) -> Tensor:
        """As ``values``, for few rows.

        The mean over references of multiplier x (row - reference) is the mean multiplier x (row - centre) less the mean
        of multiplier x (reference - centre), whose columns were summed by feature before.
        """
        multipliers = self._multipliers(encoded)
        pairs = multipliers.view(len(encoded), self._rows, multipliers.shape[1])
        of_column = (pairs.mean(dim=1) @ self._layers[0].weight + self._wide) * (encoded - self._centre)
        values: Tensor = of_column @ self._groups - pairs.flatten(1) @ self._reference_part
        return values

    def _multipliers(self, encoded: Tensor) -> Tensor:
        """Of the first matrix's products, summed over members: (n, columns) -> (n · r, outputs)."""
        total = torch.zeros(())
        for member, activations in enumerate(self._activate(encoded)):
            slopes = [_Size.of(z).slopes(b) for z, b in zip(activations, self._references[member], strict=True)]
            multiplier = self._deep[member]
            for slope, layer in zip(slopes[:0:-1], self._layers[:0:-1], strict=True):
                below = slope.mul_(multiplier)
                direct = multiplier if layer.is_residual else torch.zeros(())
                multiplier = torch.addmm(direct, below, layer.weight[member])
            total = total + slopes[0].mul_(multiplier).mul_(self._layers[0].scale[member])
        return total

    def _activate(self, encoded: Tensor) -> list[list[Tensor]]:
        """Pre-activations of each member and layer: (n, columns) -> (n, units) each."""
        first, *others = self._layers
        shared = encoded @ first.weight.T
        found = []
        for member in range(len(self._deep)):
            z = shared * first.scale[member] + first.bias[member]
            hidden, seen = z.relu(), [z]
            for layer in others:
                z = torch.addmm(layer.bias[member], hidden, layer.weight[member].T)
                hidden = hidden + z.relu() if layer.is_residual else z.relu()
                seen.append(z)
            found.append(seen)
        return found
