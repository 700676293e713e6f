"""Percent of a committed run's outputs that `pricetrail replay` builds again byte by byte, on the demo shop and UCI."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import Any

import harness
from harness import BenchmarkError, DataAbsentError, Goal, Result

IDENTITY = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost")


def _commit_run(clone: harness.Clone) -> None:
    """Commit the run of a finished clone, unless that has been done."""
    subprocess.run(["git", "add", "--all"], cwd=clone.path, check=True)
    staged = subprocess.run(["git", "diff", "--cached", "--quiet"], cwd=clone.path)
    if staged.returncode:
        subprocess.run(["git", *IDENTITY, "commit", "--quiet", "--message", "A run"], cwd=clone.path, check=True)


def _replay(clone: harness.Clone) -> dict[str, Any]:
    """What the command says of a clone's HEAD, as JSON; outputs that differ are no failure of it.

    Raises:
        BenchmarkError: where it says nothing.
    """
    harness.log.info("$ pricetrail replay HEAD")
    with tempfile.TemporaryDirectory(prefix="pricetrail-bench-") as folder:
        command = [sys.executable, "-m", "pricetrail.cli", "replay", "HEAD", "--json"]
        env = harness.environment(clone.path) | {"TMPDIR": folder}
        done = subprocess.run(command, cwd=clone.path, env=env, stdout=subprocess.PIPE, text=True)
    if not done.stdout:
        raise BenchmarkError(f"`pricetrail replay HEAD` exited with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _details(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "percent": found["percent"],
        "seconds": found["seconds"],
        "raw_data": [f"{origin['path']} from the {origin['source']}" for origin in found["origins"]],
        "outputs": {output["path"]: output["verdict"] for output in found["outputs"]},
    }


def measure() -> Result:
    """Replay the committed demo run, and a run on the real data where that is there; the result says which."""
    with harness.fresh_clone("demo") as clone:
        found = {"the committed run of the demo shop": _replay(clone)}
    try:
        with harness.finished_clone("real") as (clone, _):
            _commit_run(clone)
            found["a run on the UCI data"] = _replay(clone)
    except DataAbsentError as error:
        harness.log.warning("%s; the demo shop alone is replayed", error)
    outputs = [output["verdict"] for replay in found.values() for output in replay["outputs"]]
    percent = 100 * outputs.count("identical") / len(outputs)
    shares = [Goal(f"outputs identical, {name}", replay["percent"], "=", 100.0, "%") for name, replay in found.items()]
    return Result(
        name="replay",
        value=percent,
        unit="% of outputs identical",
        what_was_run=f"`pricetrail replay HEAD` of {' and of '.join(found)}; all {len(outputs)} outputs of the locks, "
        "a folder as one, each held against its recorded hash and its bytes in git",
        goals=(Goal("outputs identical", percent, "=", 100.0, "%"), *shares),
        details={name: _details(replay) for name, replay in found.items()},
    )


if __name__ == "__main__":
    harness.main(measure)
