"""Training samples a second, against the usual way of feeding a network: a DataLoader over a TensorDataset."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import harness
import materials
import worker
from harness import Goal, Result
from pricetrail.base import files
from pricetrail.model.inputs import Inputs
from pricetrail.model.network import Network, NetworkSpec
from pricetrail.model.training import MAX_GRADIENT_NORM, one_epoch, rate_share

BATCHES = (256, 1024, 4096)
ROWS = 20_480  # a multiple of every batch
REPEATS = 3
WIDTH = 128
LEAST_RATIO = 4.0
OURS, LOADER, COMPUTE = "index_batches", "dataloader", "compute_only"
NETWORKS = {
    "chosen": "the network that the run's study chose",
    "plain": f"a plain MLP, {WIDTH}-{WIDTH}-1, on the encoder's columns",
}
WHAT = (
    "pricetrail.model.training.one_epoch (index batches of tensors in memory) against the same steps (clipping, fused "
    "AdamW, schedule, the loss added up) over DataLoader(TensorDataset(...), shuffle=True) with num_workers=0 and the "
    "default collation; equal networks, the latest training lines of the demo shop, one process, one thread, in turns; "
    "median of {repeats} epochs of {rows:,} lines after one to warm up. Value and rival: {chosen}, batch {batch}; the "
    "second goal: {plain}."
)
WHY = (
    "A DataLoader reads each line by itself and stacks a batch from them (dataloader_alone); index batches copy a "
    "whole batch at once (index_batches_alone). The steps (compute_only, batches that lie ready) are equal for both. "
    "Where they take most of the time no way of feeding gains much: largest_possible_ratio is the most, dataloader "
    "over compute_only."
)


class Plain(nn.Module):
    """A network whose steps are cheap."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(columns, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1)
        )

    def members(self, inputs: Inputs) -> Tensor:
        """Predict a batch, as one member: (batch, 1)."""
        output: Tensor = self.layers(inputs.x)
        return output


class Learner:
    """A network that is trained in one of the ways, the same for each at the start."""

    def __init__(self, build: Callable[[], Any], steps: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.network = build()
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-3, weight_decay=1e-4, fused=True)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: rate_share(step, steps))

    def epoch(self, batches: Iterable[list[Tensor]]) -> None:
        """`one_epoch` of pricetrail.model.training, but for where its batches come from."""
        self.network.train()
        total = torch.zeros((), dtype=torch.float64)
        for *parts, target in batches:
            loss = (self.network.members(_inputs(parts)) - target.unsqueeze(1)).square().mean()
            self.optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT_NORM)
            self.optimizer.step()
            self.schedule.step()
            total += loss.detach() * len(target)
        float(total)


def _inputs(parts: list[Tensor]) -> Inputs:
    """Inputs of the tensors that a network reads, the others empty."""
    return Inputs(*parts, *[parts[0].new_zeros(len(parts[0]), 0)] * (4 - len(parts)))


def _index_batches(inputs: Inputs, target: Tensor, batch: int) -> Iterator[tuple[Inputs, Tensor]]:
    """How `one_epoch` makes its batches."""
    for rows in torch.split(torch.randperm(len(target)), batch):
        yield inputs.take(rows), target.index_select(0, rows)


def _use_up(batches: Iterable[object]) -> None:
    for _ in batches:
        pass


def compare(build: Callable[[], Any], parts: list[Tensor], target: Tensor, batch: int, seed: int) -> dict[str, Any]:
    """Both ways in turns, and what feeding and computing cost by themselves.

    Args:
        build: makes the network.
        parts: what it reads of n lines, the first tensors of ``Inputs``.
        target: (n,).
        batch: lines in a step.
        seed: of the networks.
    """
    inputs = _inputs(parts)
    steps = (REPEATS + 1) * -(-len(target) // batch)
    ours, theirs, ready = (Learner(build, steps, seed) for _ in range(3))
    loader = DataLoader(TensorDataset(*parts, target), batch_size=batch, shuffle=True)
    batches = list(loader)
    epochs: dict[str, Callable[[], object]] = {
        OURS: lambda: one_epoch(ours.network, ours.optimizer, ours.schedule, inputs, target, batch),
        LOADER: lambda: theirs.epoch(loader),
        COMPUTE: lambda: ready.epoch(batches),
        f"{OURS}_alone": lambda: _use_up(_index_batches(inputs, target, batch)),
        f"{LOADER}_alone": lambda: _use_up(loader),
    }
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(REPEATS + 1):
        for name, epoch in epochs.items():
            start = time.perf_counter()
            epoch()
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    return {
        "samples_per_second": {name: len(target) / median[name] for name in (OURS, LOADER)},
        "ratio": median[LOADER] / median[OURS],
        "largest_possible_ratio": median[LOADER] / median[COMPUTE],
        "microseconds_a_sample": {name: 1e6 * value / len(target) for name, value in median.items()},
    }


def work() -> dict[str, Any]:
    """Compare on both networks and all batches; the worker runs this."""
    params, material = materials.read()
    data = material.tensors()
    latest, target = data.train.last(ROWS), (data.y_train[-ROWS:] - data.scale.mean) / data.scale.std
    validation: dict[str, Any] = files.read_json(Path("metrics/validation.json"))
    spec = _spec(validation["chosen"][0])
    cases: dict[str, tuple[Callable[[], nn.Module], list[Tensor]]] = {
        "chosen": (
            lambda: Network(spec, material.encoder.column_edges, data.events),
            [latest.x, latest.query, latest.past_sku, latest.past_customer],
        ),
        "plain": (lambda: Plain(latest.x.shape[1]), [latest.x]),
    }
    found: dict[str, Any] = {
        name: {f"batch_{batch}": compare(build, parts, target, batch, params.seed) for batch in BATCHES}
        for name, (build, parts) in cases.items()
    }
    return {**found, "rows": len(target), "columns": latest.x.shape[1], "chosen_network": validation["chosen"][0]}


def _spec(record: dict[str, Any]) -> NetworkSpec:
    """The network of ``metrics/validation.json``."""
    values = {name: record[name] for name in NetworkSpec.__dataclass_fields__}
    return NetworkSpec(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})


def measure() -> Result:
    """Compare in a process of its own; the goal is part 2's: four times the DataLoader's at batch 256."""
    with harness.finished_clone("demo") as (clone, _):
        found, usage = worker.call(clone, __file__)
    batch = BATCHES[0]
    at_goal = {name: found[name][f"batch_{batch}"] for name in NETWORKS}
    speed = at_goal["chosen"]["samples_per_second"]
    goals = (
        Goal(f"times the DataLoader's, {NETWORKS[name]}", figures["ratio"], ">=", LEAST_RATIO, "x")
        for name, figures in at_goal.items()
    )
    return Result(
        name="train_speed",
        value=speed[OURS],
        unit="samples/s",
        rival="DataLoader(TensorDataset), same network and batch",
        rival_value=speed[LOADER],
        ratio=at_goal["chosen"]["ratio"],
        what_was_run=WHAT.format(repeats=REPEATS, rows=found["rows"], batch=batch, **NETWORKS),
        goals=tuple(goals),
        details={**found, "where_the_time_goes": WHY, "largest_gib": usage.largest_gib},
    )


if __name__ == "__main__":
    worker.main(measure, work)
