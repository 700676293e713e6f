"""Progress that a person can watch: a rich bar on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from pricetrail.model.training import Epoch

log = logging.getLogger(__name__)


@dataclass
class Watcher:
    """Shows the epochs of each task; one bar a task."""

    bars: Progress | None
    task: str = ""
    bar: TaskID | None = None

    def epoch(self, task: str, epoch: Epoch, max_epochs: int) -> None:
        """Show an epoch that has ended."""
        text = f"train {epoch.train_mse:.4f} validation {epoch.validation_mse:.4f}"
        if self.bars is None:
            log.info("%s epoch %d/%d: MSE %s", task, epoch.number + 1, max_epochs, text)
            return
        if task != self.task or self.bar is None:
            self.task, self.bar = task, self.bars.add_task(task, total=max_epochs, text="")
        self.bars.update(self.bar, completed=epoch.number + 1, text=text)


@contextmanager
def watching() -> Iterator[Watcher]:
    """A watcher for the time of a ``with`` block."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Watcher(None)
        return
    columns = (TextColumn("{task.description:<14}"), BarColumn(), TextColumn("{task.completed}/{task.total} epochs"))
    with Progress(*columns, TextColumn("MSE {task.fields[text]}"), TimeElapsedColumn(), console=console) as bars:
        yield Watcher(bars)
