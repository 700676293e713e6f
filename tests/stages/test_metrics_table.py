"""`dvc metrics show` can be read, and every figure in it is that of the file it repeats."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pricetrail.lineage.dvc_yaml import parse_pipeline
from pricetrail.lineage.ledger import numbers
from support.clone import Clone
from support.commands import environment
from support.source_tree import ROOT

COLUMNS, WIDEST = 10, 100
ERRORS = ("mse_log_quantity", "mae_units", "rmsle")


def dvc_metrics(folder: Path, *options: str) -> str:
    command = ["dvc", "metrics", "show", *options]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=True
    ).stdout


def read(folder: Path, name: str) -> Any:
    return json.loads((folder / f"metrics/{name}.json").read_text())


def check_table(folder: Path) -> None:
    lines = dvc_metrics(folder).splitlines()
    assert max(map(len, lines)) <= WIDEST, max(lines, key=len)
    assert len(lines[0].split()) <= COLUMNS

    shown = {path: entry["data"] for path, entry in json.loads(dvc_metrics(folder, "--json"))[""]["data"].items()}
    gates = {gate["gate"]: gate["value"] for gate in read(folder, "decision")["gates"]}
    decision = {"outcome": read(folder, "decision")["outcome"], "skill": gates["accuracy"], "gap": gates["fairness"]}
    assert shown.pop("metrics/gates/decision.json") == {k: v for k, v in decision.items() if v is not None}
    models = {m["name"].replace("customer_sku", "pair"): m["errors"] for m in read(folder, "models")["models"]}
    models["network"] = read(folder, "test")
    assert shown == {f"metrics/test/{name}.json": {key: row[key] for key in ERRORS} for name, row in models.items()}


def test_the_table_of_the_committed_run_fits_a_screen() -> None:
    check_table(ROOT)


@pytest.mark.slow
def test_the_table_of_a_fresh_run_fits_a_screen(shop: Clone) -> None:
    check_table(shop.folder)


def test_results_hold_each_figure_once() -> None:
    """What the ledger, `pricetrail why` and the weekly message compare: no row of the table a second time."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    plans = parse_pipeline((ROOT / "dvc.yaml").read_text(), params)
    names = ["etl", "drift", "gates/drift", "validation", "test", "prices", "intervals"]
    names += ["models", "model_drift", "fairness", "decision"]
    assert [path for plan in plans for path in plan.results] == [f"metrics/{name}.json" for name in names]
    figures = {f"{name}.{key}": x for name in names for key, x in numbers(read(ROOT, name)).items()}
    assert json.loads((ROOT / "reports/runs.jsonl").read_text().splitlines()[-1])["metrics"] == figures
