"""What a run does when something breaks in the middle: a killed study, a bundle without its weights."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

import pytest

from support.clone import Clone, md5
from support.commands import environment, stage_command

pytestmark = pytest.mark.slow


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for `dvc repro` and for the stage that it runs: nobody gets a chance to tidy up."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.long
def test_a_study_killed_in_the_middle_ends_as_an_unbroken_one(copy: Clone) -> None:
    """kill -9 during tuning; the next `dvc repro` goes on with the finished trials, and the bundle is the same."""
    copy.params(tuning__n_trials=4, tuning__max_epochs=6)
    copy.must("dvc", "repro", "--no-run-cache")
    unbroken = {path.name: md5(path) for path in (copy.folder / "models/candidate").iterdir()}
    journals = copy.folder / ".pricetrail/journals"
    assert list(journals.glob("*")) == [], "a study that is done leaves no journal"
    command = ["dvc", "repro", "--no-run-cache", "-s", "-f", "tune_primary_model"]
    with (copy.folder / "killed.log").open("wb") as log:
        killed = subprocess.Popen(
            command, cwd=copy.folder, env=environment(copy.folder), stdout=log, stderr=log, start_new_session=True
        )
        deadline = time.monotonic() + 120
        while "trial 3/4" not in (copy.folder / "killed.log").read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        stop(killed)
    assert not (copy.folder / "models/candidate/manifest.json").exists()
    assert len(list(journals.glob("*.journal"))) == 1
    output = copy.must("dvc", "repro", "--no-run-cache")
    assert re.search(r"resuming: [23] finished trials", output)
    assert "trial 1/4" not in output
    assert {path.name: md5(path) for path in (copy.folder / "models/candidate").iterdir()} == unbroken


@pytest.mark.long
def test_without_its_weights_the_first_backup_answers(copy: Clone) -> None:
    """The bundle answers with a log line; the pipeline stops, since a backup is no candidate to release."""
    weights = copy.folder / "models/candidate/weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.unlink()
    weights.write_bytes(bytes(content))
    rows = "pandas.read_parquet('data/splits/test')"
    ask = f"import logging, pandas; from pathlib import Path; from pricetrail.model.bundle import Bundle; \
from pricetrail.model.trust import trust_this_run; \
logging.basicConfig(); folder = Path('models/candidate'); \
bundle = Bundle.load(folder, trust_this_run(folder)); \
print(bundle.answers, (bundle.predict({rows}) == bundle.backups[0].model.predict({rows}, bundle.encoder)).all())"
    done = copy.run("python", "-c", ask)
    assert done.returncode == 0, done.stderr
    first = json.loads((copy.folder / "models/candidate/model.json").read_text())["backups"][0]["name"]
    assert done.stdout.split() == [first, "True"]
    reason = "models/candidate/weights.safetensors: must have sha256"
    assert f"the network is not loaded, backups answer: {reason}" in done.stderr
    assert re.search(rf"backup {first} answers for (\d+) of \1 rows: the network could not be loaded", done.stderr)
    stage = copy.run("bash", "-c", stage_command("inference_primary_model"))
    assert stage.returncode == 1
    assert "must hold a network that can be loaded" in stage.stderr
    assert "Traceback" not in stage.stderr
