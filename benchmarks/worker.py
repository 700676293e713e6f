"""Helper of benchmarks of the training: work in a process of its own, with the settings that the stages run with."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

import harness
from harness import Clone, Result, Usage

STAGES: Final = ["python", "-m", "pricetrail.stages"]  # how `run` of dvc.yaml ends


def call(clone: Clone, program: str, *asked: str) -> tuple[dict[str, Any], Usage]:
    """Have a program's worker do something in a clone.

    Args:
        clone: the worker's working folder; its code is what runs.
        program: file of the benchmark.
        asked: arguments of the worker.

    Returns:
        Its answer, and what it cost.
    """
    with tempfile.TemporaryDirectory(prefix="pricetrail-bench-") as folder:
        answer = Path(folder) / "answer.json"
        usage = clone.run(*_pins(clone), "python", str(Path(program).resolve()), str(answer), *asked)
        return json.loads(answer.read_text(encoding="utf-8")), usage


def main(measure: Callable[[], Result], work: Callable[..., dict[str, Any]]) -> None:
    """Run the benchmark, or with arguments its worker: the file for the answer, then what `call` asked."""
    if len(sys.argv) == 1:
        harness.main(measure)
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    answer, *asked = sys.argv[1:]
    Path(answer).write_text(json.dumps(work(*asked)), encoding="utf-8")


def _pins(clone: Clone) -> list[str]:
    """``env NAME=VALUE …`` of dvc.yaml: what every stage runs behind."""
    tree = YAML(typ="safe").load((clone.path / "dvc.yaml").read_text(encoding="utf-8"))
    words: list[str] = next(entry["run"] for entry in tree["vars"] if "run" in entry).split()
    if words[-len(STAGES) :] != STAGES:
        raise harness.BenchmarkError(f"dvc.yaml: vars.run must end in `{' '.join(STAGES)}`, is `{' '.join(words)}`")
    return words[: -len(STAGES)]
