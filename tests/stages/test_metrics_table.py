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


def too_long(folder: Path) -> list[str]:
    """The lines of the table that no screen has room for; its header, where it has too many columns."""
    header, *rows = dvc_metrics(folder).splitlines()
    return [line for line in (header, *rows) if len(line) > WIDEST] + [header] * (len(header.split()) > COLUMNS)


def shown(folder: Path) -> dict[str, Any]:
    """The figures of the table by file."""
    return {path: entry["data"] for path, entry in json.loads(dvc_metrics(folder, "--json"))[""]["data"].items()}


def recorded(folder: Path) -> dict[str, Any]:
    """The same from the files that have them first."""
    gates = {gate["gate"]: gate["value"] for gate in read(folder, "decision")["gates"]}
    decision = {"outcome": read(folder, "decision")["outcome"], "skill": gates["accuracy"], "gap": gates["fairness"]}
    models = {m["name"].replace("customer_sku", "pair"): m["errors"] for m in read(folder, "models")["models"]}
    models["network"] = read(folder, "test")
    return {
        "metrics/gates/decision.json": {k: v for k, v in decision.items() if v is not None},
        **{f"metrics/test/{name}.json": {key: row[key] for key in ERRORS} for name, row in models.items()},
    }


def test_the_table_of_the_committed_run_fits_a_screen() -> None:
    assert too_long(ROOT) == []
    assert shown(ROOT) == recorded(ROOT)


@pytest.mark.slow
def test_the_table_of_a_fresh_run_fits_a_screen(shop: Clone) -> None:
    assert too_long(shop.folder) == []
    assert shown(shop.folder) == recorded(shop.folder)


def test_results_hold_each_figure_once() -> None:
    """What the ledger, `pricetrail why` and the weekly message compare: no row of the table a second time."""
    params = YAML(typ="safe").load(ROOT / "params.yaml")
    plans = parse_pipeline((ROOT / "dvc.yaml").read_text(), params)
    names = ["etl", "drift", "gates/drift", "validation", "test", "prices", "intervals"]
    names += ["models", "model_drift", "fairness", "decision"]
    assert [path for plan in plans for path in plan.results] == [f"metrics/{name}.json" for name in names]
    figures = {f"{name}.{key}": x for name in names for key, x in numbers(read(ROOT, name)).items()}
    assert json.loads((ROOT / "reports/runs.jsonl").read_text().splitlines()[-1])["metrics"] == figures
