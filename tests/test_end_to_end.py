"""The real commands on a tiny demo shop, in a temporary clone: the laws that only a run can show."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pricetrail.base.errors import PricetrailError
from support.clone import TINY, Clone, edit_params, make_clone, md5
from support.commands import environment, fast_programs, stage_command
from support.source_tree import ROOT

pytestmark = pytest.mark.slow
yaml = YAML(typ="safe", pure=True)

STAGES: dict[str, dict[str, Any]] = yaml.load(ROOT / "dvc.yaml")["stages"]

METRICS = {"etl", "drift", "validation", "test", "models", "model_drift", "intervals", "prices", "fairness", "decision"}

FIXED: dict[str, Any] = {
    "widths": [8],
    "dropouts": [0.1],
    "bins": 2,
    "batch_norm": True,
    "residual": True,
    "ensemble_size": 1,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "weight_decay": 0.001,
    "batch_size": 64,
}

# Another value for every dial, none of which may matter to a stage that does not declare it.
OTHER: dict[str, Any] = {
    "seed": 5,
    "threads": 2,
    "data.path": "elsewhere",
    "data.pattern": "*.csv",
    "data.columns.sku": "Other",
    "data.datetime_format": "%d.%m.%Y",
    "data.delimiter": ";",
    "data.encoding": "latin-1",
    "data.max_bad_share": 0.5,
    "data.max_files": 9,
    "data.max_rows": 999,
    "data.max_mb": 99,
    "data.max_expansion": 9,
    "data.sku": "12345",
    "data.restated": {"a.csv": "a reason"},
    "demo.weeks": 3,
    "demo.lines": 500,
    "features.half_life_days": 3,
    "split.test_share": 0.3,
    "encoding.bins": 3,
    "encoding.max_countries": 1,
    "drift.current_days": 9,
    "drift.policy": "stop",
    "drift.max_share": 0.2,
    "drift.max_rows": 300,
    "drift.numeric_method": "PSI",
    "drift.numeric_threshold": 0.7,
    "drift.categorical_method": "PSI",
    "drift.categorical_threshold": 0.7,
    "drift.max_column_ratio": 3.5,
    "drift.missing_threshold": 0.6,
    "drift.methods": {"country": "PSI"},
    "drift.thresholds": {"country": 0.5},
    "drift.max_error_growth": 0.6,
    "tuning.method": "grid",
    "tuning.fixed": FIXED,
    "tuning.pruner": "none",
    "tuning.n_trials": 3,
    "tuning.max_minutes": 9.5,
    "tuning.sku_lines": 3,
    "tuning.customer_lines": 3,
    "baselines.models": ["svr"],
    "baselines.n_trials": 2,
    "baselines.folds": 3,
    "baselines.search_rows": 300,
    "baselines.svr_rows": 90,
    "tuning.max_epochs": 1,
    "tuning.patience_epochs": 1,
    "tuning.min_steps": 9,
    "tuning.search_rows": 500,
    "tuning.space.width": [8],
    "explain.background_rows": 5,
    "explain.max_rows": 7,
    "pricing.objective": "quantity",
    "pricing.grid_points": 3,
    "pricing.max_change": 0.1,
    "pricing.window_days": 3,
    "pricing.min_lines": 2,
    "gates.min_skill": 0.5,
    "gates.bootstrap_samples": 50,
    "gates.confidence": 0.5,
    "gates.overrides": {"drift": "a reason"},
    "fairness.columns": ["country_group"],
    "fairness.intersections": False,
    "fairness.metric": "mse_ratio",
    "fairness.threshold": 0.7,
    "fairness.min_rows": 3,
    "weekly.cron": "1 2 * * 3",
    "weekly.timezone": "Asia/Tokyo",
    "weekly.repository": "origin",
    "weekly.branch": "other",
    "weekly.search_every": 3,
    "weekly.retries": 1,
    "weekly.retry_delay_seconds": 0.5,
    "weekly.timeout_minutes": 7.0,
    "weekly.author": "a <a@b.c>",
    "weekly.release": False,
    "weekly.webhook_url": "http://127.0.0.1:1/",
}


def long(*values: Any) -> Any:
    """Values of a test for `make test-all` alone."""
    return pytest.param(*values, marks=pytest.mark.long)


def names(entries: list[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def stages_run(output: str) -> list[str]:
    return re.findall(r"Running stage '(?:demo/dvc.yaml:)?(\w+)'", output)


def test_every_result_is_there_and_speaks_of_the_same_rows(shop: Clone) -> None:
    read = {path.stem: json.loads(path.read_text()) for path in (shop.folder / "metrics").glob("*.json")}
    assert set(read) == METRICS
    dropped = sum(entry["rows"] for entry in read["etl"]["dropped"])
    assert read["etl"]["rows_read"] == read["etl"]["rows_kept"] + dropped + read["etl"]["rows_quarantined"]
    splits = {path.name: len(pd.read_parquet(path)) for path in (shop.folder / "data/splits").iterdir()}
    assert splits.pop("history") == sum(splits.values()) == read["etl"]["rows_kept"]
    predictions = pd.read_parquet(shop.folder / "data/predictions.parquet")
    assert len(predictions) == splits["test"] == read["test"]["rows"]
    mse = ((predictions["log_quantity"] - predictions["predicted_log_quantity"]) ** 2).mean()
    assert read["test"]["mse_log_quantity"] == pytest.approx(mse, rel=1e-5)
    assert read["test"]["mse_log_quantity"] < read["test"]["baseline_mse_log_quantity"]
    shap_values = pd.read_parquet(shop.folder / "data/shap_values.parquet")
    assert len(shap_values) == TINY["explain.max_rows"]
    explained = predictions["predicted_log_quantity"].iloc[shap_values["test_row"]].to_numpy()
    base = explained - shap_values.drop(columns="test_row").sum(axis=1).to_numpy()
    assert base.max() - base.min() < 1e-4, "one base value for all rows: values belong to their rows"
    assert read["decision"]["outcome"] == "released"
    assert len(pd.read_parquet(shop.folder / "data/prices.parquet")) == read["prices"]["skus"] > 0


UNIT_OF_METRIC = re.compile(
    r"rows(_\w+)?|(current|validation)_rows|skus|open_gates"  # counts
    r"|\w*mse_log_quantity|shap_(base|largest_gap)_log_quantity|\w+_added_disparity|rmsle"  # log1p(units)
    r"|mean_width_log_quantity|ratio_of_network|coverage(_low|_high)?"
    r"|mae_units|\w+_share|predicted_revenue_change|skill|target_distance"  # units, shares, standard deviations
    r"|error_ratio|worst_column_ratio"  # times the validation error, times the threshold
)
SAME_FIGURE_OF_OTHER_ROWS = {"rows", "mse_log_quantity", "mae_units", "rmsle", "passed"}


def flat(tree: dict[str, Any], parent: str = "") -> Iterator[tuple[str, Any]]:
    """Keys as DVC joins them, with a dot; lists stay whole, as DVC drops them."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{parent}{key}.")
        else:
            yield f"{parent}{key}", value


def test_every_metric_has_an_owner_and_a_unit(shop: Clone) -> None:
    """Law 7. What two files share is the same figure of other rows: validation and test, or one gate and another."""
    owners: dict[str, list[str]] = {}
    for file in (shop.folder / "metrics").glob("*.json"):
        for key, value in flat(json.loads(file.read_text())):
            if isinstance(value, int | float) and not isinstance(value, bool):
                assert UNIT_OF_METRIC.fullmatch(key.rpartition(".")[2]), f"{file.name}: {key}"
            if not isinstance(value, list):
                owners.setdefault(key, []).append(file.name)
    shared = {key for key, files in owners.items() if len(files) > 1}
    assert shared == SAME_FIGURE_OF_OTHER_ROWS


def test_git_stays_clean_and_nothing_reruns(shop: Clone) -> None:
    assert shop.must("git", "status", "--porcelain") == ""
    assert stages_run(shop.must("dvc", "repro")) == []
    assert shop.must("git", "status", "--porcelain") == ""


@pytest.mark.parametrize("is_real", [False, long(True)], ids=["forks", "processes"])
def test_same_inputs_same_bytes_in_another_place_and_time_zone(shop: Clone, tmp_path: Path, is_real: bool) -> None:
    """Law 1. The other clone has another path, time zone, language, hash seed and number of BLAS threads.

    The stages are forks of a second server, which loaded its packages with these variables; the network is trained once
    more by a real process. In `make test-all` every process is real.
    """
    other = make_clone(tmp_path / "a much longer path, with spaces", TINY, fast=False)
    env = {"TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "77", "OMP_NUM_THREADS": "2", "COLUMNS": "40"}
    forks = {} if is_real else {"PATH": f"{fast_programs(**env)}{os.pathsep}{environment()['PATH']}"}
    other.must("dvc", "repro", "-f", **env, **forks)
    assert other.lock() == shop.lock()
    assert sum(len(outs) for outs in shop.lock().values()) >= 24
    if not is_real:
        other.must("bash", "-c", stage_command("tune_primary_model"), **env)
        assert "up to date" in other.must("dvc", "status", "tune_primary_model", **env, **forks)


def sandbox(shop: Clone, folder: Path, stage: dict[str, Any]) -> None:
    """A folder with a stage's declared dependencies and dials, and nothing else of the project."""
    for name in stage["deps"]:
        source = shop.folder / name.replace("${data.path}", "demo/lines")
        target = folder / source.relative_to(shop.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    declared = tuple(stage.get("params", []))
    undeclared = {
        key: value
        for key, value in OTHER.items()
        if not any(key == name or key.startswith(f"{name}.") for name in declared)
    }
    (folder / "params.yaml").write_text(edit_params((shop.folder / "params.yaml").read_text(), undeclared))


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_needs_its_declared_inputs_and_no_others(shop: Clone, tmp_path: Path, name: str) -> None:
    """Law 3. With its deps alone, and every other dial changed, it writes the bytes of the lock."""
    sandbox(shop, tmp_path, STAGES[name])
    Clone(tmp_path).must("bash", "-c", stage_command(name))
    for path in names([*STAGES[name].get("outs", []), *STAGES[name].get("metrics", [])]):
        made, kept = tmp_path / path, shop.folder / path
        files = sorted(p.relative_to(kept) for p in kept.rglob("*") if p.is_file()) if kept.is_dir() else [Path()]
        assert files
        for file in files:
            assert md5(made / file) == md5(kept / file), f"{path}/{file}"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_reads_each_of_its_data_dependencies(
    shop: Clone, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law 3, the other half: without one of them it stops with a one-line error and writes nothing."""
    sandbox(shop, tmp_path, STAGES[name])
    monkeypatch.chdir(tmp_path)
    code = {"requirements.lock", "src/pricetrail", "src/pricetrail/report/page/templates"}
    deps = [dep for dep in STAGES[name]["deps"] if dep not in code and not dep.endswith((".py", ".j2"))]
    for dep in deps:
        gone, hidden = tmp_path / dep.replace("${data.path}", "demo/lines"), tmp_path / "hidden"
        gone.rename(hidden)
        if dep == deps[0]:
            done = Clone(tmp_path).run("bash", "-c", stage_command(name))
            assert done.returncode == 1, dep
            assert "Traceback" not in done.stderr, done.stderr
            assert len([line for line in done.stderr.splitlines() if " ERROR " in line]) == 1
        else:  # in this process, since most of a stage's time is its imports; run_stage makes the one line of the error
            with pytest.raises(PricetrailError):
                importlib.import_module(f"pricetrail.stages.{name}").main()
        for path in names([*STAGES[name].get("outs", []), *STAGES[name].get("metrics", [])]):
            assert not (tmp_path / path).exists(), f"{path} without {dep}"
        hidden.rename(gone)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("pricing/recommend.py", ["inference_primary_model"]),
        long("stages/preprocess.py", ["preprocess"]),
        long("checks/fairness.py", ["assess_model_risk"]),
        long("checks/data_drift.py", ["data_drift_check"]),
    ],
)
def test_touching_a_module_reruns_its_stages_and_nothing_else(copy: Clone, module: str, expected: list[str]) -> None:
    """A comment changes no output, so what follows is not run either; but the run has another record."""
    assert (copy.folder / "src/pricetrail" / module).is_file()
    with (copy.folder / "src/pricetrail" / module).open("a") as file:
        file.write("# a comment\n")
    assert stages_run(copy.must("dvc", "repro")) == [*expected, "record_run", "model_card", "report"]


def by_week(folder: Path) -> dict[str, str]:
    """Hash of each Parquet file below a folder."""
    return {path.relative_to(folder).as_posix(): md5(path) for path in sorted(folder.rglob("*.parquet"))}


@pytest.mark.long
def test_a_new_week_is_one_new_partition(copy: Clone) -> None:
    source = copy.folder / "demo/lines"
    shutil.copytree(source, copy.folder / "data/mine")
    weeks = sorted((copy.folder / "data/mine").glob("*.parquet"))
    held_back = weeks[-1].rename(copy.folder / weeks[-1].name)
    copy.params(data__path="data/mine")
    copy.must("dvc", "add", "data/mine")
    copy.must("dvc", "repro")
    processed, splits, bundle = (copy.folder / name for name in ("data/processed", "data/splits", "models/candidate"))
    before, stored = by_week(processed), {*by_week(processed).values(), *by_week(splits).values()}
    held_back.rename(weeks[-1])
    recorded = (copy.folder / "data/mine.dvc").read_text()
    assert set(stages_run(copy.must("dvc", "repro", "--no-run-cache"))) == set(STAGES)
    assert (copy.folder / "data/mine.dvc").read_text() != recorded, "`dvc repro` records the new state of the source"
    after = by_week(processed)
    assert set(after) - set(before) == {weeks[-1].name}
    assert {name: after[name] for name in before} == before
    cut = by_week(splits)
    history = {name.removeprefix("history/"): cut.pop(name) for name in list(cut) if name.startswith("history/")}
    assert set(history) == set(after)
    assert [name for name in history if history[name] not in stored] == [weeks[-1].name]
    kept = {name.removeprefix("history-"): value for name, value in by_week(bundle).items() if "history-" in name}
    assert kept == history, "the bundle's are the same objects"
    parts = Counter(Path(name).name for name in cut)
    assert set(parts) == set(after)
    new = {name for name in cut if cut[name] not in {*stored, *after.values()}}
    assert new, "the days of the splits moved"
    assert {Path(name).name for name in new} <= {week for week, count in parts.items() if count > 1}
    assert len(new) <= 4, "two cuts, each through one week"


@pytest.mark.long
def test_policy_stop_ends_the_run_and_keeps_the_evidence(copy: Clone) -> None:
    copy.params(drift__policy="stop", drift__max_share=0.01, drift__numeric_threshold=0.0001)
    stopped = copy.run("dvc", "repro")
    output = stopped.stdout + stopped.stderr
    assert stopped.returncode != 0
    assert stages_run(output) == ["data_drift_check", "drift_gate"]
    assert "metrics/drift.json: share of drifted input columns is" in output
    assert "Traceback" not in output
    evidence = json.loads((copy.folder / "metrics/drift.json").read_text())
    assert evidence["passed"] is False
    assert md5(copy.folder / "metrics/drift.json") == copy.lock()["data_drift_check"]["metrics/drift.json"]
    assert "data_drift_check" not in copy.must("dvc", "status"), "the evidence is tracked and up to date"
    assert (copy.folder / "models/candidate/manifest.json").exists(), "what was there before stays"
    copy.params(gates__overrides={"drift": "Christmas; seen by the owner of the shop"})
    copy.must("dvc", "repro")
    decision = json.loads((copy.folder / "metrics/decision.json").read_text())
    (drift,) = [gate for gate in decision["gates"] if gate["gate"] == "drift"]
    assert (drift["passed"], drift["open"]) == (False, True)
    assert drift["override"] == "Christmas; seen by the owner of the shop"


@pytest.mark.long
def test_policy_withhold_runs_on_and_withholds(copy: Clone) -> None:
    copy.params(drift__policy="withhold", drift__max_share=0.01, drift__numeric_threshold=0.0001)
    copy.must("dvc", "repro")
    decision = json.loads((copy.folder / "metrics/decision.json").read_text())
    assert decision["outcome"] == "withheld"
    assert {gate["gate"]: gate["open"] for gate in decision["gates"]}["drift"] is False


@pytest.mark.long
def test_one_sku_keeps_the_whole_shops_history(copy: Clone) -> None:
    all_test = pd.read_parquet(copy.folder / "data/splits/test")
    sku = all_test["sku"].value_counts().index[0]
    copy.params(data__sku=sku)
    ran = stages_run(copy.must("dvc", "repro"))
    assert "etl_pipeline" not in ran
    splits = copy.folder / "data/splits"
    own = pd.concat(pd.read_parquet(splits / name) for name in ("train", "validation", "test"))
    assert set(own["sku"]) == {sku}
    whole = pd.concat(pd.read_parquet(path) for path in (copy.folder / "data/processed").glob("*.parquet"))
    assert len(pd.read_parquet(splits / "history")) == len(whole), "a customer's other lines count, too"
    keys = ["invoice", "invoiced_at", "quantity", "customer_log_lines", "country_mean"]
    expected = whole[whole["sku"] == sku][keys].sort_values(keys).reset_index(drop=True)
    pd.testing.assert_frame_equal(own[keys].sort_values(keys).reset_index(drop=True), expected)


def test_a_wrong_dial_stops_before_any_work(copy: Clone) -> None:
    text = (copy.folder / "params.yaml").read_text()
    (copy.folder / "params.yaml").write_text(text.replace("n_trials: 2", "n_trials: 0", 1))
    done = copy.run("pricetrail", "check")
    assert done.returncode == 1
    assert done.stderr == "error: params.yaml: tuning.n_trials must be >= 1, got 0\n"
    stage = copy.run("dvc", "repro")
    assert stage.returncode != 0
    assert "params.yaml: tuning.n_trials must be >= 1, got 0" in stage.stderr
    assert "Traceback" not in stage.stderr


def test_plots_show(shop: Clone, tmp_path: Path) -> None:
    (shop.folder / ".dvc/plots").mkdir(exist_ok=True)
    shop.must("python", "-m", "pricetrail.report.plots_page", ".dvc/plots/page.html")
    shop.must("dvc", "plots", "show", "-o", str(tmp_path / "plots"))
    page = (tmp_path / "plots/index.html").read_text()
    assert page.count("vegaEmbed('#") == 8
    assert "beeswarm" in page
    assert "cdn.jsdelivr.net/npm/vega@" not in page.split("<body>")[1]
    assert 'src="http' not in page


def test_prices_are_shown(shop: Clone) -> None:
    output = shop.must("pricetrail", "prices", "--most", "3")
    assert len(re.findall(r"(?m)^\d{5}\w* ", output)) == 3
    unknown = shop.run("pricetrail", "prices", "99999")
    assert unknown.returncode == 1
    assert "has no recommendation for SKU 99999" in unknown.stderr


def test_models_are_shown_as_the_table_has_them(shop: Clone, tmp_path: Path) -> None:
    output = shop.must("pricetrail", "models", COLUMNS="80")
    table = pd.read_csv(shop.folder / "reports/models.csv")
    shown = re.findall(r"(?m)^(\w+) +([\d.]+) ", output)
    assert shown == [(row.model, f"{row.mse_log_quantity:.4g}") for row in table.itertuples()]
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/models.csv").write_text("model,mse\nnetwork,1\n")
    broken = Clone(tmp_path).run("pricetrail", "models", PYTHONPATH=str(shop.folder / "src"))
    assert broken.returncode == 1
    assert broken.stderr.startswith("error: reports/models.csv: must be the table of the last `dvc repro`: ")
    assert "Traceback" not in broken.stderr
