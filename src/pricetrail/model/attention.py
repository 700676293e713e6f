"""Past lines, pooled by learned likeness.

Attention (Bahdanau et al. 2015, arXiv:1409.0473, additive scores) over the past lines of a row: a small network scores
how a past line relates to the row (price ratio, days between, alike customers), and the scores weigh what these lines
sold. It is a kernel regression whose kernel is learned; a row without past lines pools nothing.
"""

from typing import Final

import torch
from torch import Tensor, nn

from pricetrail.data.past_lines import EVENT_COLUMNS

HEADS: Final = 4
WIDTH: Final = 24
SAME_PRICE: Final = 0.004  # log ratio: a penny at 2.50 GBP
LATE_MONTHS: Final = 0.3  # of 28 days: the last week
_QUANTITY, _SKU_MEAN, _CUSTOMER_MEAN, _PRICE, _PRICE_VS_MEAN, _REGISTERED, _SKU, _CUSTOMER, _MONTH = range(
    len(EVENT_COLUMNS)
)


class Pool(nn.Module):
    """Weighted means of values, one a head; a null line with score 0 stands for "none is alike".

    Shape:
        - relation: (batch, lines, relations), values: (batch, lines, V), known: (batch, lines) bool
        - output: (batch, HEADS * (V + 1)), the means and the weight of the known lines
    """

    def __init__(self, relations: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(relations, WIDTH), nn.ReLU(), nn.Linear(WIDTH, HEADS))

    def forward(self, relation: Tensor, values: Tensor, known: Tensor) -> Tensor:
        """Pool a batch."""
        score = self.score(relation).masked_fill(~known.unsqueeze(2), -torch.inf)
        null = score.new_zeros(len(score), 1, HEADS)
        weight = torch.cat([score, null], dim=1).softmax(dim=1)[:, :-1]
        means = torch.einsum("bmh,bmv->bhv", weight, values)
        return torch.cat([means.flatten(1), weight.sum(dim=1)], dim=1)


class HistoryAttention(nn.Module):
    """The SKU's and the customer's past lines of a row, pooled.

    Args:
        events: of all past lines, shape (m + 1, 9); the last row is no line. Data, not a weight.

    Shape:
        - query: (batch, 9), past_sku: (batch, sku_lines), past_customer: (batch, customer_lines)
        - output: (batch, sku_columns + customer_columns)
    """

    events: Tensor
    sku_columns: Final = HEADS * 3
    customer_columns: Final = HEADS * 4

    def __init__(self, events: Tensor) -> None:
        super().__init__()
        self.register_buffer("events", events, persistent=False)
        self.sku, self.customer = Pool(9), Pool(10)

    def forward(self, query: Tensor, past_sku: Tensor, past_customer: Tensor) -> Tensor:
        """Pool a batch."""
        row = query.unsqueeze(1)
        past, known = self._lines(past_sku)
        of_sku = self.sku(_sku_relation(row, past), past[..., [_QUANTITY, _CUSTOMER_MEAN]], known)
        past, known = self._lines(past_customer)
        excess = past[..., _QUANTITY] - past[..., _SKU_MEAN]
        values = torch.stack([excess, past[..., _QUANTITY], past[..., _PRICE_VS_MEAN]], dim=2)
        return torch.cat([of_sku, self.customer(_customer_relation(row, past), values, known)], dim=1)

    def _lines(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The events at positions, (batch, lines, 9), and which of them are lines."""
        past = self.events.index_select(0, positions.flatten()).view(*positions.shape, self.events.shape[1])
        return past, positions < len(self.events) - 1


def _sku_relation(row: Tensor, past: Tensor) -> Tensor:
    """How past lines of the SKU relate to the row: price, time, whether the buyers are alike. (batch, lines, 9)."""
    price = row[..., _PRICE] - past[..., _PRICE]
    buyer = row[..., _CUSTOMER_MEAN] - past[..., _CUSTOMER_MEAN]
    registered = past[..., _REGISTERED]
    relations = [
        price,
        price.abs(),
        (price.abs() < SAME_PRICE).float(),
        torch.log1p(row[..., _MONTH] - past[..., _MONTH]),
        buyer,
        buyer.abs(),
        (row[..., _CUSTOMER] == past[..., _CUSTOMER]).float() * registered,
        registered - 0.5,
        (row[..., _REGISTERED] == registered).float(),
    ]
    return torch.stack(relations, dim=2)


def _customer_relation(row: Tensor, past: Tensor) -> Tensor:
    """How past lines of the customer relate to the row: price, time, whether the SKUs are alike. (batch, lines, 10)."""
    price = row[..., _PRICE] - past[..., _PRICE]
    sku = row[..., _SKU_MEAN] - past[..., _SKU_MEAN]
    months = row[..., _MONTH] - past[..., _MONTH]
    relations = [
        price,
        price.abs(),
        torch.log1p(months),
        (months < LATE_MONTHS).float(),
        sku,
        sku.abs(),
        (row[..., _SKU] == past[..., _SKU]).float(),
        past[..., _SKU_MEAN],
        row[..., _PRICE_VS_MEAN] - past[..., _PRICE_VS_MEAN],
        past[..., _PRICE_VS_MEAN],
    ]
    return torch.stack(relations, dim=2)
