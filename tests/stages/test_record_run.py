"""The record of a run and its ledger, written by the real stages in a tiny clone: held against DVC's own locks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pricetrail.lineage.lock import parse_lock
from support.clone import Clone
from support.commands import stage_command

pytestmark = pytest.mark.slow
LINEAGE, LEDGER = "reports/lineage.json", "reports/runs.jsonl"
AFTER = {"record_run", "model_card", "report"}


def read(clone: Clone, path: str) -> Any:
    return json.loads((clone.folder / path).read_text())


def ledger(clone: Clone) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (clone.folder / LEDGER).read_text().splitlines()]


def locked(clone: Clone) -> dict[str, Any]:
    texts = {name: (clone.folder / name).read_text() for name in ("demo/dvc.lock", "dvc.lock")}
    return {stage.name: stage for name, text in texts.items() for stage in parse_lock(text, name)}


def test_the_record_is_what_dvc_wrote_down(shop: Clone) -> None:
    """Every command, parameter and hash, of every stage before it; DVC hashed the files by itself."""
    written, expected = {entry["name"]: entry for entry in read(shop, LINEAGE)["stages"]}, locked(shop)
    assert set(written) == set(expected) - AFTER
    for name, entry in written.items():
        stage = expected[name]
        assert (entry["cmd"], entry["deps"], entry["params"]) == (stage.cmd, stage.deps, stage.params)
        outs = {path: md5 for path, md5 in stage.outs.items() if path != "demo/truth.parquet"}
        assert entry["outs"] == outs
    places = {name: place for place, name in enumerate(written)}
    makers = {out: name for name, entry in written.items() for out in entry["outs"]}
    assert all(places[makers[dep]] < places[name] for name, e in written.items() for dep in e["deps"] if dep in makers)
    (run,) = ledger(shop)
    assert run["hashes"] == {path: md5 for entry in written.values() for path, md5 in entry["outs"].items()}
    assert run["bundle"] == hashlib.sha256((shop.folder / "models/candidate/manifest.json").read_bytes()).hexdigest()
    test = read(shop, "metrics/test.json")
    assert (run["metrics"]["test.mse_log_quantity"], run["rows"]) == (
        test["mse_log_quantity"],
        read(shop, "metrics/etl.json")["rows_kept"],
    )
    assert run["outcome"] == read(shop, "metrics/decision.json")["outcome"]


@pytest.mark.long
def test_the_ledger_grows_by_a_run_that_differs_and_by_no_other(copy: Clone) -> None:
    first, lineage = (copy.folder / LEDGER).read_bytes(), (copy.folder / LINEAGE).read_bytes()
    copy.must("dvc", "repro", "-f", "-s", "record_run")
    assert (copy.folder / LEDGER).read_bytes() == first
    assert (copy.folder / LINEAGE).read_bytes() == lineage
    assert copy.must("git", "status", "--porcelain") == ""

    copy.params(fairness__threshold=4.0)
    copy.must("dvc", "repro")
    second = (copy.folder / LEDGER).read_bytes()
    assert second.startswith(first)
    old, new = ledger(copy)
    assert (old["params"]["fairness.threshold"], new["params"]["fairness.threshold"]) == (5.0, 4.0)
    assert old["bundle"] == new["bundle"], "the same candidate, decided upon anew"
    assert old["run"] != new["run"]
    copy.must("dvc", "repro", "-f", "-s", "record_run")
    assert (copy.folder / LEDGER).read_bytes() == second
    assert "record_run" not in copy.must("dvc", "status")
    copy.commit()

    copy.must("git", "checkout", "-q", "HEAD~1", "--", "params.yaml")  # the old dials, with the new ledger
    copy.must("dvc", "repro")
    assert (copy.folder / LEDGER).read_bytes() == second, "a run that is in it keeps its place"
    assert read(copy, LINEAGE)["run"] == old["run"]


def test_a_changed_dag_asks_for_a_new_record(copy: Clone) -> None:
    """DVC takes no ``dvc.yaml`` as a dependency; it does take a link to it."""
    file = copy.folder / "dvc.yaml"
    file.write_text(
        file.read_text().replace(
            "      - reports/models.csv:\n          cache: false\n", "      - reports/models.csv\n", 1
        )
    )
    output = copy.must("dvc", "status")
    assert "modified:           dag.yaml" in output


def test_a_damaged_ledger_stops_the_stage_and_loses_nothing(copy: Clone) -> None:
    file = copy.folder / LEDGER
    damaged = file.read_bytes() + b'{"run": "0123\n'
    file.write_bytes(damaged)
    stopped = copy.run("dvc", "repro", "record_run")
    assert stopped.returncode != 0
    assert "ERROR   record_run: reports/runs.jsonl: line 2: " in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert file.read_bytes() == damaged
    done = copy.run("bash", "-c", stage_command("record_run"))
    assert (done.returncode, file.read_bytes()) == (1, damaged)


@pytest.mark.long
def test_a_source_of_ones_own_is_recorded_by_its_dvc_file(copy: Clone) -> None:
    (copy.folder / "demo/lines").rename(copy.folder / "data/mine")
    copy.params(data__path="data/mine")
    copy.must("dvc", "add", "data/mine")
    copy.must("dvc", "repro")
    source = read(copy, LINEAGE)["stages"][0]
    assert (source["name"], source["cmd"], source["deps"]) == ("data/mine.dvc", "", {})
    assert source["outs"] == {"data/mine": locked(copy)["etl_pipeline"].deps["data/mine"]}
    assert "simulate" not in {entry["name"] for entry in read(copy, LINEAGE)["stages"]}
    found = json.loads(copy.must("pricetrail", "trace", "--format", "json"))
    assert (found["stages"][0]["name"], found["verified"]) == ("data/mine.dvc", True)


def test_a_prediction_is_traced_by_its_id(shop: Clone, tmp_path: Path) -> None:
    table = pd.read_parquet(shop.folder / "data/predictions.parquet")
    manifest = hashlib.sha256((shop.folder / "models/candidate/manifest.json").read_bytes()).hexdigest()
    assert table["lineage_id"].tolist() == [f"{manifest[:12]}-{row:06d}" for row in range(len(table))]
    wanted = table.iloc[41]
    shop.must("pricetrail", "trace", wanted["lineage_id"], "--format", "json", "--output", str(tmp_path / "trace.json"))
    found = json.loads((tmp_path / "trace.json").read_text())
    names = [stage["name"] for stage in found["stages"]]
    assert (names[0], names[-1]) == ("simulate", "inference_primary_model")
    assert (found["verified"], found["dirty"], found["differences"]) == (True, False, [])
    assert found["prediction"]["invoice"] == wanted["invoice"]
    assert found["prediction"]["predicted_log_quantity"] == wanted["predicted_log_quantity"]
    stages = locked(shop)
    assert all(entry["outs"] == stages[entry["name"]].outs for entry in found["stages"])
    assert all(entry["deps"] == stages[entry["name"]].deps for entry in found["stages"])
    committed = json.loads(shop.must("pricetrail", "trace", "HEAD:data/predictions.parquet", "--format", "json"))
    assert (committed["stages"], committed["verified"]) == (found["stages"], True)
