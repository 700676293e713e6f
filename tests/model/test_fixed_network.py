"""``tuning.method: fixed``: the values of a study give the study's candidate, without a trial."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import optuna
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from pricetrail.base.params import parse_params
from pricetrail.base.params_edit import with_settings
from pricetrail.base.params_schema import Fixed, Tuning
from pricetrail.lineage.ledger import parse_ledger
from pricetrail.model import candidate, study_figures
from pricetrail.model.fixed_network import fixed_study, with_final_fit
from pricetrail.model.study import Study, suggest
from pricetrail.model.training import Epoch, Trained
from pricetrail.operation.weekly.study_due import settings_of_next_run
from support.clone import Clone
from support.tiny_network import DATA, ENCODER
from support.tiny_study import NO_PARAMETERS, TINY, run


def best_row(trials: pd.DataFrame) -> dict[str, Any]:
    """The dials of the trial with the lowest error, as plain values of Python; those it did not draw are left out."""
    complete = trials[trials["state"] == "complete"]
    row = complete.loc[complete["validation_mse"].idxmin()].drop(list(NO_PARAMETERS)).dropna()
    return {name: getattr(value, "item", lambda value=value: value)() for name, value in row.items()}


def fixed_of(row: dict[str, Any], **undrawn: Any) -> dict[str, Any]:
    """A row of trials as section ``tuning.fixed`` has it; ``undrawn`` for dials with a single choice."""
    layers = range(int(row["layers"]))
    plain = {name: value for name, value in row.items() if not re.match(r"layers|width|dropout", name)}
    widths, dropouts = [int(row[f"width_{n}"]) for n in layers], [float(row[f"dropout_{n}"]) for n in layers]
    return {"widths": widths, "dropouts": dropouts, **undrawn, **plain}


@pytest.fixture(scope="module")
def study() -> Study:
    torch.set_num_threads(1)
    return run()


@pytest.fixture(scope="module")
def tuning(study: Study) -> Tuning:
    """What the study chose, from its table of trials; the batch size is no dial there."""
    fixed = Fixed.model_validate(fixed_of(best_row(study.trials), batch_size=TINY.space.batch_size[0]))
    return TINY.model_copy(update={"method": "fixed", "fixed": fixed})


def find_one(tuning: Tuning) -> Study:
    found = fixed_study(tuning)
    assert found is not None
    return found


def test_the_values_of_a_study_are_its_choice_and_no_trial_runs(study: Study, tuning: Tuning) -> None:
    found = find_one(tuning)
    assert found.best == study.best
    assert len(found.trials) == 0
    assert (list(found.importances.columns), len(found.importances)) == (["parameter", "importance"], 0)
    other = tuning.model_copy(update={"max_epochs": 7, "patience_epochs": 6, "min_steps": 5})
    training = find_one(other).best.training
    assert (training.max_epochs, training.patience_epochs, training.min_steps) == (7, 6, 5), "the budget is a dial"


def test_with_another_method_the_given_network_does_not_count(tuning: Tuning) -> None:
    assert fixed_study(tuning.model_copy(update={"method": "tpe"})) is None


def test_the_final_fit_is_the_only_row_in_the_columns_of_a_study(study: Study, tuning: Tuning) -> None:
    curve = tuple(Epoch(number, 0.9, error) for number, error in enumerate((0.5, 0.3, 0.4, 0.6)))
    trained = Trained({}, DATA.scale, curve, curve[1])
    row = with_final_fit(find_one(tuning), trained).trials
    assert row[list(NO_PARAMETERS)].to_dict("records") == [
        {"trial": 0, "state": "fixed", "validation_mse": 0.3, "epochs": 4, "reason": ""}
    ]
    dials = row.drop(columns=list(NO_PARAMETERS)).to_dict("records")[0]
    assert dials == {**best_row(study.trials), "batch_size": 256}
    assert with_final_fit(study, trained) is study


def test_a_study_that_draws_the_row_has_its_network() -> None:
    """Two layers that differ; ``search.suggest`` reads the columns."""
    fixed = Fixed(
        widths=(16, 8),
        dropouts=(0.1, 0.3),
        bins=2,
        batch_norm=True,
        residual=False,
        ensemble_size=2,
        optimizer="sgd",
        learning_rate=0.01,
        weight_decay=0.001,
        batch_size=256,
    )
    found = find_one(TINY.model_copy(update={"method": "fixed", "fixed": fixed}))
    trained = Trained({}, DATA.scale, (), Epoch(0, 0.1, 0.1))
    row = with_final_fit(found, trained).trials.drop(columns=list(NO_PARAMETERS)).to_dict("records")[0]
    assert suggest(optuna.trial.FixedTrial(row), TINY) == found.best


def test_the_plot_of_the_only_row_names_every_dial(tuning: Tuning, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    def labels(figure: Figure) -> bytes:
        shown.extend(label.get_text() for label in figure.axes[0].get_xticklabels())
        assert len(figure.axes[0].lines) == 1
        assert "No study ran" in figure.axes[0].get_title()
        plt.close(figure)  # an open one would be drawn into by the next test
        return b""

    monkeypatch.setattr(study_figures, "png", labels)
    found = find_one(tuning)
    choice = replace(found.best, training=replace(found.best.training, max_epochs=1))
    trained = candidate.fit(choice, DATA, ENCODER, 3, lambda epoch: None)
    trials = with_final_fit(found, trained).trials
    study_figures.parallel_coordinates(trials)
    assert [label.split("\n")[0] for label in shown] == [*trials.columns.drop(list(NO_PARAMETERS)), "validation_mse"]
    assert f"width_0\n{tuning.fixed.widths[0] if tuning.fixed else 0}" in shown
    assert not [label for label in shown if " to " in label or "nan" in label]


@pytest.mark.slow
@pytest.mark.long
def test_a_studys_values_fixed_make_the_same_candidate(copy: Clone, tmp_path: Path) -> None:
    """Unrounded, from the study's own table: of all that the run wrote, only what tells of the study is other."""
    before = copy.lock()
    fixed = fixed_of(best_row(pd.read_parquet(copy.folder / "reports/tuning/trials.parquet")))
    copy.params(tuning__method="fixed", tuning__fixed=fixed)
    output = copy.must("dvc", "repro", "--no-run-cache")
    ran = re.findall(r"Running stage '(\w+)'", output)
    assert ran == ["tune_primary_model", "record_run", "model_card", "report"], "what reads the candidate is as it was"
    assert "trial" not in re.findall(r"tune_primary_model: (\w+)", output)
    after = copy.lock()
    moved = {path for stage, outs in after.items() for path, md5 in outs.items() if before[stage][path] != md5}
    told = {"reports/lineage.json", "reports/runs.jsonl", "reports/model_card.md"}
    assert moved == {"reports/tuning", "reports/index.html", *told}

    with (copy.folder / "reports/tuning/trials.csv").open() as file:
        [row] = csv.DictReader(file)
    validation = json.loads((copy.folder / "metrics/validation.json").read_text())
    assert (row["state"], float(row["validation_mse"])) == ("fixed", validation["mse_log_quantity"])
    assert (copy.folder / "reports/tuning/importances.csv").read_text() == "parameter,importance\n"
    assert "No study ran" in (copy.folder / "reports/index.html").read_text()
    assert "no study in this run" in (copy.folder / "reports/model_card.md").read_text()
    (copy.folder / ".dvc/plots").mkdir(exist_ok=True)
    copy.must("python", "-m", "pricetrail.report.plots_page", ".dvc/plots/page.html")
    copy.must("dvc", "plots", "show", "-o", str(tmp_path / "plots"))
    assert (tmp_path / "plots/index.html").read_text().count("vegaEmbed('#") == 8, "as many as with a study"

    text = (copy.folder / "params.yaml").read_text()
    runs = parse_ledger((copy.folder / "reports/runs.jsonl").read_text(), "ledger")
    dials = settings_of_next_run(parse_params(text).tuning, 4, runs, validation)
    assert set(dials) <= {"tuning.fixed"}, "validation.json has six digits, the table of trials all"
    rounded = parse_params(with_settings(text, dials)).tuning
    assert rounded.fixed is not None
    assert rounded.fixed.learning_rate == pytest.approx(fixed["learning_rate"], rel=1e-5)
    assert settings_of_next_run(rounded, 4, runs, validation) == {}
