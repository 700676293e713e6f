"""Progress: few lines where nobody watches, one bar where somebody does."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from pricetrail.model import progress
from pricetrail.model.progress import watching
from pricetrail.model.training import Epoch


def one_sku_study(console: Console, epochs: int = 100) -> None:
    """Six trials and the final fit on few lines, so of many epochs each."""
    with watching(console) as watch:
        for task in (*(f"trial {n}/6" for n in range(1, 7)), "all rows"):
            for number in range(epochs):
                watch.epoch(task, Epoch(number, 0.5, 0.4 + abs(number - 60) / 1000), epochs)


def test_a_log_has_a_line_a_trial(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    out = io.StringIO()
    one_sku_study(Console(file=out))
    tasks = [*(f"trial {n}/6" for n in range(1, 7)), "all rows"]
    assert caplog.messages == [f"{task}: 100 epochs, best validation MSE 0.4000" for task in tasks]
    assert out.getvalue() == ""


def test_a_long_fit_tells_that_it_lives(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    now = iter(range(0, 10_000, 10))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(now)))
    with watching(Console(file=io.StringIO())) as watch:
        for number in range(20):
            watch.epoch("all rows", Epoch(number, 0.5, 0.4), 20)
    lines = [message for message in caplog.messages if " epoch " in message]
    assert 3 <= len(lines) <= 6
    assert lines[0].startswith("all rows epoch ")


def test_a_terminal_has_one_bar_and_a_line_a_trial() -> None:
    out = io.StringIO()
    one_sku_study(Console(file=out, force_terminal=True, width=100, color_system=None))
    text = out.getvalue()
    for task in (*(f"trial {n}/6" for n in range(1, 7)), "all rows"):
        assert text.count(f"{task}: 100 epochs, best validation MSE 0.4000\n") == 1
    assert "/100 epochs" in text
    assert "\x1b[2A" not in text, "more than one bar at a time"
