"""What SHAP's own explainer reads: a head whose output is the mean of its members."""

from __future__ import annotations

from torch import Tensor, nn

from pricetrail.model.network import Head


class MeanHead(nn.Module):
    """The mean of the members, (batch, columns) -> (batch, 1): what is predicted, and what SHAP explains."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head = head

    def forward(self, encoded: Tensor) -> Tensor:
        """Predict a batch."""
        members: Tensor = self.head(encoded)
        return members.mean(dim=1, keepdim=True)
