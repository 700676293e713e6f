"""Faults that are injected on purpose, and who has to notice each of them.

A fault is put into a copy of a finished run; then a real command is run in it. ``sign`` must be in what it prints with
the fault, and must not be there without: a detector that always fires detects nothing. ``docs/faults.md`` is this list.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from support.clone import Clone
from support.commands import stage_command

Inject = Callable[[Clone], None]


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Attributes:
        name: what is wrong.
        caught_by: the gate, check or test that notices.
        inject: does it, in a copy of a finished run.
        command: run by bash in the copy.
        sign: regular expression of what the command then says.
    """

    name: str
    caught_by: str
    inject: Inject
    command: str
    sign: str

    @property
    def catcher(self) -> str:
        """The first words of ``caught_by``: a gate by its name, otherwise the kind."""
        return re.split("[,;]" if self.caught_by.startswith("gate: ") else "[:,;]", self.caught_by)[0]


def stages(*names: str) -> str:
    """The stages one after the other, then the metrics that they left."""
    return " && ".join(stage_command(name) for name in names)


def unit_test(name: str) -> str:
    """One test of the copy's own suite, on the copy's code."""
    return f"python -m pytest -x -p no:cacheprovider --hypothesis-profile unshrunk {name}"


def edit_table(path: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Inject:
    """Rewrite one Parquet file, or every one of a folder."""

    def inject(clone: Clone) -> None:
        whole = clone.folder / path
        for file in sorted(whole.glob("*.parquet")) if whole.is_dir() else [whole]:
            _unlink_from_cache(file)
            change(pd.read_parquet(file)).to_parquet(file, index=False)

    return inject


def edit_text(path: str, old: str, new: str) -> Inject:
    """Replace a text in a file; it has to be there."""

    def inject(clone: Clone) -> None:
        file = clone.folder / path
        text = file.read_text()
        changed, count = re.subn(old, new, text, count=1)
        assert count, f"{path}: {old}"
        _unlink_from_cache(file)
        file.write_text(changed)

    return inject


def edit_bytes(path: str) -> Inject:
    """Flip the last byte of a file."""

    def inject(clone: Clone) -> None:
        file = clone.folder / path
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        _unlink_from_cache(file)
        file.write_bytes(bytes(content))

    return inject


def remove(path: str) -> Inject:
    """Delete a file."""

    def inject(clone: Clone) -> None:
        (clone.folder / path).unlink()

    return inject


def _unlink_from_cache(file: Path) -> None:
    """DVC's files may be links into its cache, which must not change with them."""
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content)
