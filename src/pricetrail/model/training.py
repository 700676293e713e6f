"""One training run: tensors in memory, index batches, early stopping that restores the best epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pricetrail.errors import TrainingError
from pricetrail.model.network import Network, NetworkSpec

PREDICT_BATCH = 8192
WARM_UP_SHARE = 0.1
MAX_GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class TrainingSpec:
    """How one network is trained (AdamW; ``learning_rate`` is the peak of the schedule)."""

    learning_rate: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience_epochs: int


@dataclass(frozen=True)
class TrainingData:
    """Encoded rows, (n, C) float32, and log quantities, (n,) float32."""

    x_train: Tensor
    y_train: Tensor
    x_validation: Tensor
    y_validation: Tensor


@dataclass(frozen=True)
class Epoch:
    """One point of the learning curve: mean squared errors of log quantity (of training rows with dropout on)."""

    number: int
    train_mse: float
    validation_mse: float


@dataclass(frozen=True)
class Trained:
    """The network of the best epoch.

    Attributes:
        weights: state of the network, by name.
        target_mean, target_std: of the training targets; prediction = output * std + mean.
        curve: every epoch that ran.
        best: the epoch whose weights these are.
    """

    weights: dict[str, Tensor]
    target_mean: float
    target_std: float
    curve: tuple[Epoch, ...]
    best: Epoch


def predict_standardised(network: nn.Module, x: Tensor) -> Tensor:
    """Outputs in evaluation mode, in batches of one size, so that the bytes do not depend on the caller.

    Args:
        network: maps (batch, C) to (batch,).
        x: shape (n, C).

    Returns:
        Shape (n,), on the standardised scale.
    """
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(part) for part in torch.split(x, PREDICT_BATCH)])


def rate_share(step: int, steps: int) -> float:
    """Share of the peak learning rate at a step: up in a straight line, then down to nothing.

    A straight line, since a cosine's last bit may differ between C libraries, and then all weights do.

    >>> [rate_share(step, 20) for step in (0, 1, 2, 11, 20)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    warm_up = max(1, round(WARM_UP_SHARE * steps))
    return min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))


def train(
    network_spec: NetworkSpec,
    spec: TrainingSpec,
    column_edges: Sequence[Sequence[float]],
    data: TrainingData,
    seed: int,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Trained:
    """Train until the validation error has not fallen for ``patience_epochs``, and return the best epoch.

    Args:
        network_spec: shape of the network.
        spec: optimiser and budget.
        column_edges: bins of each of the C columns.
        data: training and validation rows.
        seed: of weights, dropout and order of batches; results repeat for an equal seed and thread count.
        on_epoch: called after each epoch; may raise to stop.

    Raises:
        TrainingError: where the error is no longer finite.
    """
    torch.manual_seed(seed)
    network = Network(network_spec, column_edges)
    mean, std = float(data.y_train.mean()), max(float(data.y_train.std(correction=0)), 1e-6)
    target = (data.y_train - mean) / std
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=spec.learning_rate, weight_decay=spec.weight_decay, fused=True
    )
    steps = spec.max_epochs * math.ceil(len(target) / spec.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_share(step, steps))
    curve: list[Epoch] = []
    best, weights = Epoch(-1, math.inf, math.inf), {}
    for number in range(spec.max_epochs):
        train_mse = _one_epoch(network, optimizer, schedule, data.x_train, target, spec.batch_size) * std**2
        prediction = predict_standardised(network, data.x_validation) * std + mean
        epoch = _finite(Epoch(number, train_mse, _mse(prediction, data.y_validation)))
        curve.append(epoch)
        if epoch.validation_mse < best.validation_mse:
            best, weights = epoch, {name: value.clone() for name, value in network.state_dict().items()}
        on_epoch(epoch)
        if number - best.number >= spec.patience_epochs:
            break
    return Trained(weights, mean, std, tuple(curve), best)


def _mse(prediction: Tensor, truth: Tensor) -> float:
    """Mean squared error, summed in double precision."""
    return float((prediction - truth).square().mean(dtype=torch.float64))


def _finite(epoch: Epoch) -> Epoch:
    """The epoch, or an error where the run has diverged."""
    if not (math.isfinite(epoch.train_mse) and math.isfinite(epoch.validation_mse)):
        raise TrainingError(f"epoch {epoch.number}", "errors must stay finite", (epoch.train_mse, epoch.validation_mse))
    return epoch


def _one_epoch(
    network: Network,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    x: Tensor,
    target: Tensor,
    batch_size: int,
) -> float:
    """One pass over the rows in a random order; the mean squared error seen on the way, standardised."""
    network.train()
    total = 0.0
    for rows in torch.split(torch.randperm(len(target)), batch_size):
        loss = nn.functional.mse_loss(network(x.index_select(0, rows)), target.index_select(0, rows))
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        schedule.step()
        total += float(loss.detach()) * len(rows)
    return total / len(target)
