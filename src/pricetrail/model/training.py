"""One training run: tensors in memory, index batches, early stopping that restores the best epoch."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor, nn

from pricetrail.base.errors import TrainingError
from pricetrail.model.inputs import Inputs, TargetScale
from pricetrail.model.network import Network, NetworkSpec

PREDICT_BATCH: Final = 4096
WARM_UP_SHARE: Final = 0.1
MAX_GRADIENT_NORM: Final = 1.0
MOMENTUM: Final = 0.9

OptimizerName = Literal["adamw", "adam", "sgd"]


@dataclass(frozen=True)
class TrainingSpec:
    """How one network is trained.

    Attributes:
        learning_rate: the peak of the schedule.
        max_epochs: epochs, where these are ``min_steps`` steps; few rows get more of them.
        patience_epochs: of ``max_epochs``; in proportion where there are more.
    """

    optimizer: OptimizerName
    learning_rate: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience_epochs: int
    min_steps: int = 1

    def steps_an_epoch(self, rows: int) -> int:
        """Batches of one epoch."""
        return math.ceil(rows / self.batch_size)

    def epochs(self, rows: int) -> int:
        """Epochs of a run on so many rows."""
        return max(self.max_epochs, math.ceil(self.min_steps / self.steps_an_epoch(rows)))

    def patience(self, rows: int) -> int:
        """Epochs without a better validation error before a run on so many rows stops."""
        return math.ceil(self.patience_epochs * self.epochs(rows) / self.max_epochs)


@dataclass(frozen=True)
class TrainingData:
    """Rows to learn from and to stop by.

    Attributes:
        train, validation: n and v rows.
        y_train, y_validation: log quantities, (n,) and (v,) float32.
        scale: of the training targets; the events and queries are in it.
        events: past lines that the rows look back at, (m + 1, 9).
    """

    train: Inputs
    y_train: Tensor
    validation: Inputs
    y_validation: Tensor
    scale: TargetScale
    events: Tensor


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
        scale: prediction = output * std + mean.
        curve: every epoch that ran.
        best: the epoch whose weights these are.
    """

    weights: dict[str, Tensor]
    scale: TargetScale
    curve: tuple[Epoch, ...]
    best: Epoch


def predict_standardised(network: nn.Module, inputs: Inputs) -> Tensor:
    """Outputs in evaluation mode, in batches of one size, so that the bytes do not depend on the caller.

    Args:
        network: maps a batch of inputs to (batch,).
        inputs: n rows.

    Returns:
        Shape (n,), on the standardised scale.
    """
    network.eval()
    with torch.inference_mode():
        return torch.cat([network(part) for part in inputs.split(PREDICT_BATCH)])


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
    """Train until the validation error has not fallen for the spec's patience, and return the best epoch.

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
    network = Network(network_spec, column_edges, data.events)
    mean, std = data.scale.mean, data.scale.std
    target = (data.y_train - mean) / std
    optimizer = _optimizer(network, spec)
    epochs, patience = spec.epochs(len(target)), spec.patience(len(target))
    steps = epochs * spec.steps_an_epoch(len(target))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_share(step, steps))
    curve: list[Epoch] = []
    best, weights = Epoch(-1, math.inf, math.inf), {}
    for number in range(epochs):
        train_mse = one_epoch(network, optimizer, schedule, data.train, target, spec.batch_size) * std**2
        prediction = predict_standardised(network, data.validation) * std + mean
        epoch = _finite(Epoch(number, train_mse, _mse(prediction, data.y_validation)))
        curve.append(epoch)
        if epoch.validation_mse < best.validation_mse:
            best, weights = epoch, {name: value.clone() for name, value in network.state_dict().items()}
        on_epoch(epoch)
        if number - best.number >= patience:
            break
    return Trained(weights, data.scale, tuple(curve), best)


def _optimizer(network: Network, spec: TrainingSpec) -> torch.optim.Optimizer:
    """The optimiser of a spec; the fused kernels are the fast ones on a CPU."""
    parameters, rate, decay = network.parameters(), spec.learning_rate, spec.weight_decay
    match spec.optimizer:
        case "adamw":
            return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
        case "adam":
            return torch.optim.Adam(parameters, lr=rate, weight_decay=decay, fused=True)
        case "sgd":
            return torch.optim.SGD(
                parameters, lr=rate, weight_decay=decay, momentum=MOMENTUM, nesterov=True, fused=True
            )


def _mse(prediction: Tensor, truth: Tensor) -> float:
    """Mean squared error, summed in double precision."""
    return float((prediction - truth).square().mean(dtype=torch.float64))


def _finite(epoch: Epoch) -> Epoch:
    """The epoch, or an error where the run has diverged."""
    if not (math.isfinite(epoch.train_mse) and math.isfinite(epoch.validation_mse)):
        raise TrainingError(f"epoch {epoch.number}", "errors must stay finite", (epoch.train_mse, epoch.validation_mse))
    return epoch


def one_epoch(
    network: Network,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    inputs: Inputs,
    target: Tensor,
    batch_size: int,
) -> float:
    """One pass over the rows in a random order; the members' mean squared error seen on the way, standardised.

    Each member has an error of its own (TabM), which keeps the members apart.
    """
    network.train()
    total = torch.zeros((), dtype=torch.float64)
    for rows in torch.split(torch.randperm(len(target)), batch_size):
        members = network.members(inputs.take(rows))
        loss = (members - target.index_select(0, rows).unsqueeze(1)).square().mean()
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), MAX_GRADIENT_NORM)
        optimizer.step()
        schedule.step()
        total += loss.detach() * len(rows)
    return float(total) / len(target)
