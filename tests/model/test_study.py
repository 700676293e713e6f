"""The study: it repeats, chooses by validation days, covers its grid, and a kill changes nothing of its result."""

from __future__ import annotations

import itertools
import logging
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import optuna
import pandas as pd
import pytest
import torch

from pricetrail.base.errors import TrainingError
from pricetrail.base.params_schema import Tuning
from pricetrail.base.random_streams import stream_seed
from pricetrail.model import study as search_module
from pricetrail.model.study import USUAL, Study, grid, grid_trials, search, suggest
from pricetrail.model.study_journal import Journal, digest
from pricetrail.model.training import train
from support.source_tree import ROOT
from support.tiny_network import BROKEN, DATA, ENCODER
from support.tiny_study import NO_PARAMETERS, TINY, Watch, run


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def assert_same(study: Study, other: Study) -> None:
    pd.testing.assert_frame_equal(study.trials, other.trials)
    pd.testing.assert_frame_equal(study.importances, other.importances)
    assert study.best == other.best


@pytest.fixture(scope="module", params=["median", "hyperband", "none"])
def tuning(request: pytest.FixtureRequest) -> Tuning:
    return TINY.model_copy(update={"pruner": request.param})


@pytest.fixture(scope="module")
def unbroken(tuning: Tuning) -> Study:
    return run(tuning)


def test_the_study_repeats_and_picks_the_lowest_validation_error(unbroken: Study, tuning: Tuning) -> None:
    watch = Watch()
    assert_same(run(tuning, watch=watch), unbroken)
    assert run(tuning.model_copy(update={"n_trials": 1}), seed=4).trials.iloc[0, 2] != unbroken.trials.iloc[0, 2]
    trials = unbroken.trials
    assert trials["trial"].tolist() == list(range(6))
    assert watch.seen == [
        f"trial {trial + 1}/6 epoch {epoch}" for trial, epochs in enumerate(trials["epochs"]) for epoch in range(epochs)
    ]
    complete = trials[trials["state"] == "complete"]
    best = complete.loc[complete["validation_mse"].idxmin()]
    assert len(unbroken.best.network.widths) == best["layers"]
    assert unbroken.best.network.widths[0] == best["width_0"]
    assert unbroken.best.training.learning_rate == best["learning_rate"]
    assert (trials["state"] == "pruned").any() == (tuning.pruner != "none")
    assert (trials.loc[trials["state"] == "pruned", "epochs"] < 4).any() == (tuning.pruner != "none")


def test_a_trial_is_trained_as_its_row_says_on_the_latest_rows(unbroken: Study) -> None:
    """Trial n anew by ``train``, from its row and the seed alone."""
    row = unbroken.trials.iloc[1]
    dials = {name: value for name, value in row.items() if name not in NO_PARAMETERS and value == value}
    dials = {name: int(value) if name.startswith(("width", "layers")) else value for name, value in dials.items()}
    choice = suggest(optuna.trial.FixedTrial(dials), TINY)
    latest = replace(DATA, train=DATA.train.take(torch.arange(len(DATA.y_train))[-400:]), y_train=DATA.y_train[-400:])
    found = train(choice.network, choice.training, ENCODER.column_edges, latest, stream_seed(3, "trial 1"))
    assert min(epoch.validation_mse for epoch in found.curve[: row["epochs"]]) == row["validation_mse"]


def test_a_study_that_was_cut_off_ends_as_an_unbroken_one(unbroken: Study, tuning: Tuning, tmp_path: Path) -> None:
    """In the middle of a trial, twice; what was finished is not trained again."""
    stops = {"median": (1, MemoryError), "hyperband": (9, KeyboardInterrupt), "none": (6, SystemExit)}
    stop_at, error = stops[tuning.pruner]
    journal, watches = tmp_path / "a" / "study.journal", [Watch(stop_at, error), Watch(2, error), Watch()]
    for watch in watches[:2]:
        with pytest.raises(error):
            run(tuning, journal, watch)
    assert_same(run(tuning, journal, watches[2]), unbroken)
    total = int(unbroken.trials["epochs"].sum())
    assert total <= sum(len(watch.seen) for watch in watches) <= total + 2 * tuning.max_epochs
    assert_same(run(tuning, journal, Watch(0, AssertionError)), unbroken)  # a finished study trains nothing
    Journal(journal).delete()
    assert not any(journal.parent.iterdir())


def test_a_failed_trial_is_taken_up_with_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[int] = []

    def moody(*args: object) -> object:
        calls.append(int(args[4]))
        if args[4] == stream_seed(3, "trial 1"):
            raise TrainingError("epoch 2", "errors must stay finite")
        return train(*args)

    monkeypatch.setattr(search_module, "train", moody)
    expected = run()
    assert expected.trials["state"].tolist().count("fail") == 1
    assert expected.trials["reason"].tolist() == ["", "epoch 2: errors must stay finite", "", "", "", ""]
    with pytest.raises(KeyboardInterrupt):
        run(TINY, tmp_path / "j", Watch(9))
    assert_same(run(TINY, tmp_path / "j"), expected)
    assert calls.count(stream_seed(3, "trial 1")) == 2, "once in each study"


CHILD = """
import sys, time
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from pathlib import Path
from support.tiny_study import Watch, run
class Slow(Watch):
    def epoch(self, *args):
        super().epoch(*args)
        print(len(self.seen), flush=True)
        if len(self.seen) > {epochs}:
            time.sleep(60)
run(journal=Path(sys.argv[1]), watch=Slow())
"""


@pytest.mark.long
def test_kill_minus_nine_in_the_middle_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = tmp_path / "study.journal"
    code = CHILD.format(tests=str(ROOT / "tests"), epochs=8)
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen([sys.executable, "-c", code, str(journal)], stdout=subprocess.PIPE, env=env) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) == 9:
                child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    torn = journal.read_bytes() + b'{"op_code":8,"worker_id":"'  # as a full disk may leave it
    journal.write_bytes(torn)
    journal.with_name("study.journal.lock").symlink_to(journal)  # held by the dead process
    journal.with_name("study.journal.new").write_bytes(torn[:200])  # killed while it took the trials up
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waits for a dead process's lock"))
    watch = Watch()
    assert_same(run(journal=journal, watch=watch), run())
    assert watch.seen[0] != "trial 1/6 epoch 0"
    assert_same(run(journal=journal, watch=Watch(0, AssertionError)), run())


def test_a_kill_while_the_trials_are_taken_up_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = tmp_path / "study.journal"
    expected = run(journal=journal)
    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "add_trials", lambda self, trials: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(journal=journal)
    assert_same(run(journal=journal, watch=Watch(0, AssertionError)), expected)


def test_the_digest_tells_all_that_decides_a_study_apart(tmp_path: Path) -> None:
    parts = [b"dials", b"data", b"code"]
    names = {
        digest(other) for other in (parts, parts[::-1], [b"dialsdata", b"code"], [*parts, b""], [b"x", *parts[1:]])
    }
    assert len(names) == 5
    assert digest(parts) == digest(iter(parts))
    run(TINY.model_copy(update={"n_trials": 1}), tmp_path / f"{digest(parts)}.journal")
    with pytest.raises(KeyboardInterrupt):  # another digest's trials are not taken up
        run(TINY.model_copy(update={"n_trials": 1}), tmp_path / f"{digest(parts[1:])}.journal", Watch(0))


ONE = {"width": (8, 16), "bins": (4,), "layers": (1, 2), "dropout": (0.0, 0.0), "batch_norm": (False,)}
ONE |= {"residual": (False,), "ensemble_size": (1,), "optimizer": ("adam",), "batch_size": (512,)}
ONE |= {"learning_rate": (1e-3, 1e-2), "weight_decay": (1e-4, 1e-4)}
GRID = TINY.model_copy(
    update={
        "method": "grid",
        "pruner": "none",
        "n_trials": 99,
        "max_epochs": 1,
        "space": TINY.space.model_copy(update=ONE),
    }
)


def test_the_grid_covers_each_combination_once_and_then_ends(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """One layer of two widths, or two layers: (2 + 4) x three learning rates; a cut-off grid goes on."""
    with pytest.raises(KeyboardInterrupt):
        run(GRID, tmp_path / "grid", Watch(5))
    study = run(GRID, tmp_path / "grid")
    assert_same(study, run(GRID))
    widths = [(8,), (16,), (8, 8), (8, 16), (16, 8), (16, 16)]
    rates = [1e-3, math.sqrt(1e-3 * 1e-2), 1e-2]
    names = ["width_0", "width_1", "learning_rate"]
    found = [(*(int(w) for w in row[:2] if w == w), row[2]) for row in study.trials[names].itertuples(index=False)]
    assert Counter(found) == Counter((*width, rate) for width, rate in itertools.product(widths, rates))
    assert found != sorted(found), "in a drawn order"
    assert not [str(warning.message) for warning in recwarn if "optuna" in str(warning.filename)]


def test_a_grid_of_millions_is_not_listed() -> None:
    wide = {"layers": (1, 4), "width": (8, 16, 32, 64), "dropout": (0.0, 0.5), "learning_rate": (1e-4, 1e-2)}
    space = TINY.space.model_copy(update=wide)
    tuning = TINY.model_copy(update={"method": "grid", "n_trials": 50, "space": space})
    started = time.process_time()
    trials = grid_trials(tuning, seed=1)
    assert time.process_time() - started < 0.5
    assert len({tuple(trial.items()) for trial in trials}) == 50
    assert trials == grid_trials(tuning, seed=1) != grid_trials(tuning, seed=2)
    for trial in trials:
        values = grid(tuning.space, int(trial["layers"]))
        assert all(trial[name] in options for name, options in values.items())
        suggest(optuna.trial.FixedTrial(trial), tuning)
    two = grid(tuning.space, 2)
    assert two["dropout_1"] == [0.0, 0.25, 0.5]
    assert two["learning_rate"] == [1e-4, pytest.approx(1e-3), 1e-2]
    assert set(two) == {
        *(f"{dial}_{layer}" for dial in ("width", "dropout") for layer in (0, 1)),
        *(set(ONE) - {"layers", "width", "dropout"}),
    }


def test_minutes_end_a_study_and_the_log_says_what_breaks(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(run(TINY.model_copy(update={"max_minutes": 1e-6})).trials) == 1
    assert "ends the study by the clock" in caplog.text
    assert len(run(TINY.model_copy(update={"max_minutes": 60.0, "n_trials": 2})).trials) == 2


def test_the_first_trial_takes_usual_values_of_the_space() -> None:
    """The learning rate, the layers and one choice are in the space, the widths are not; a grid has no such trial."""
    first = run(TINY.model_copy(update={"n_trials": 1})).trials.iloc[0]
    inside = {name: value for name, value in USUAL.items() if name in first and not name.startswith(("width", "bins"))}
    assert {name: first[name] for name in inside} == inside
    assert first["width_0"] in TINY.space.width
    other = TINY.space.model_copy(update={"learning_rate": (1e-5, 1e-4), "layers": (1, 1)})
    drawn = run(TINY.model_copy(update={"n_trials": 1, "space": other})).trials.iloc[0]
    assert (drawn["layers"], drawn["optimizer"]) == (1, USUAL["optimizer"])
    assert 1e-5 <= drawn["learning_rate"] <= 1e-4


def test_no_good_trial_is_an_error_with_the_reason(tmp_path: Path) -> None:
    tuning = TINY.model_copy(update={"n_trials": 2, "max_epochs": 1})
    for _ in range(2):  # the second time from the journal
        with pytest.raises(TrainingError, match="one trial that ends well, got 'epoch 0: errors must stay finite"):
            search(BROKEN, ENCODER.column_edges, tuning, 3, Watch(), Journal(tmp_path / "j"))


def test_importances_are_shares_or_empty_for_few_trials() -> None:
    many = run(TINY.model_copy(update={"pruner": "none", "n_trials": 8, "max_epochs": 1})).importances
    assert list(many.columns) == ["parameter", "importance"]
    assert many["importance"].sum() == pytest.approx(1)
    assert many["importance"].is_monotonic_decreasing
    assert "learning_rate" in set(many["parameter"])
    few = run(TINY.model_copy(update={"n_trials": 3, "max_epochs": 1})).importances
    assert (list(few.columns), len(few)) == (["parameter", "importance"], 0)
