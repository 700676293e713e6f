"""Progress that a person can watch: a rich bar on a terminal, a line a task and one every half minute elsewhere."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

from dvclive.live import Live
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pricetrail.model.training import Epoch

QUIET_SECONDS: Final = 30.0  # between two lines of one task, where there is no terminal

log = logging.getLogger(__name__)


class Watcher:
    """Shows the epochs of one task after the other: a trial, or the final fit.

    Args:
        bars: of a terminal; without them there are log lines.
    """

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars
        self._bar = bars.add_task("", total=None, text="") if bars else None
        self._task, self._epochs, self._best, self._told = "", 0, math.inf, 0.0

    def epoch(self, task: str, epoch: Epoch, max_epochs: int) -> None:
        """Show an epoch that has ended."""
        if task != self._task:
            self.end()
            self._task, self._best, self._told = task, math.inf, time.monotonic()
            if self._bars is not None and self._bar is not None:
                self._bars.reset(self._bar, total=max_epochs, description=task)
        self._epochs, self._best = epoch.number + 1, min(self._best, epoch.validation_mse)
        text = f"train {epoch.train_mse:.4f} validation {epoch.validation_mse:.4f}"
        if self._bars is not None and self._bar is not None:
            self._bars.update(self._bar, completed=self._epochs, text=text)
        elif time.monotonic() - self._told > QUIET_SECONDS:
            self._told = time.monotonic()
            log.info("%s epoch %d/%d: MSE %s", task, self._epochs, max_epochs, text)

    def end(self) -> None:
        """Say in one line what became of the task, where there is one."""
        if not self._task:
            return
        told = f"{self._task}: {self._epochs} epochs, best validation MSE {self._best:.4f}"
        if self._bars is None:
            log.info("%s", told)
        else:
            self._bars.console.print(told, highlight=False)
        self._task = ""


@contextmanager
def watching(console: Console | None = None) -> Iterator[Watcher]:
    """A watcher for the time of a ``with`` block, on stderr where no console is given."""
    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description:<14}"), BarColumn(), TextColumn("{task.completed}/{task.total} epochs"))
    last = (TextColumn("MSE {task.fields[text]}"), TimeElapsedColumn())
    bars = Progress(*columns, *last, console=console, transient=True) if console.is_terminal else None
    with bars or nullcontext():
        watcher = Watcher(bars)
        yield watcher
        watcher.end()


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
