"""Progress that a person can watch: a rich bar on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dvclive.live import Live
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


@contextmanager
def live_curve(folder: Path) -> Iterator[Callable[[Epoch], None]]:
    """Writes each epoch's errors as DVCLive plots while it runs, for ``dvc plots show`` and editors that watch them.

    Args:
        folder: of the plots; no clock and no machine gets into it (law 1).
    """
    with Live(str(folder), save_dvc_exp=False, dvcyaml=None, report=None, monitor_system=False) as live:

        def epoch_ended(epoch: Epoch) -> None:
            for name, value in (("train_mse", epoch.train_mse), ("validation_mse", epoch.validation_mse)):
                live.log_metric(name, float(f"{value:.6g}"))
            live.next_step()

        yield epoch_ended
