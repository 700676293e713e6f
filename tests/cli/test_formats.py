"""`--format`: what a table shows, CSV and JSON hold, every figure as the file has it."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from rich.text import Text
from typer.testing import CliRunner

from pricetrail.base.errors import DataError
from pricetrail.base.files import write_json, write_table
from pricetrail.checks.gates import EVIDENCE, decide, hold, not_computed
from pricetrail.cli.app import app
from pricetrail.cli.one_line_errors import one_line_errors
from pricetrail.cli.table import Console, Format, print_rows
from pricetrail.operation.doctor.findings import Finding, State
from pricetrail.operation.releases import registry, verify
from support.commands import must
from support.hostile import TEXTS
from support.tables import PARAMS

Run = Callable[..., str]
MODELS = "model,rows,mse_log_quantity,mae_units,ratio,difference_low,difference_high\nnetwork,9,0.27066612,6.9,1,0,0\n"
MODELS += "lightgbm,9,0.299646,7.33781,0.903284,-0.0351408,-0.0236139\n"
PRICES = {
    "sku": ["21754", "85123A"],
    "lines": [3, 4],
    "current_price": [5.95, 2.5500001],
    "recommended_price": [5.5, 2.2],
    "predicted_quantity": [2.0, 9.0],
    "predicted_revenue": [11.0, 19.8],
    "predicted_quantity_now": [1.5, 6.0],
    "predicted_revenue_now": [8.925, 15.3],
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    must(tmp_path, "git", "init", "-q")
    Path("reports").mkdir()
    Path("params.yaml").write_text(PARAMS.replace("currency: GBP", "currency: JPY"))
    Path("reports/models.csv").write_text(MODELS)
    write_table(Path("data/prices.parquet"), pd.DataFrame(PRICES))

    def invoke(*arguments: str) -> str:
        done = CliRunner(env={"COLUMNS": "120"}).invoke(app, arguments)
        assert done.stderr == "", done.output
        return done.stdout

    return invoke


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_models_in_three_forms(run: Run) -> None:
    table, as_csv, as_json = (run("models", "--format", form) for form in ("table", "csv", "json"))
    expected = rows(MODELS)
    shown = [line.split()[:2] for line in table.splitlines() if line.startswith(("network", "lightgbm"))]
    assert shown == [[row["model"], f"{float(row['mse_log_quantity']):.4g}"] for row in expected]
    for found in (rows(as_csv), json.loads(as_json)):
        for row, own in zip(found, expected, strict=True):
            assert {key: str(row[key]) if key == "model" else float(row[key]) for key in own} == {
                key: value if key == "model" else float(value) for key, value in own.items()
            }


def test_prices_in_three_forms(run: Run) -> None:
    table, as_csv, as_json = (run("prices", "--format", form) for form in ("table", "csv", "json"))
    assert [line.split()[0] for line in table.splitlines()[2:]] == ["85123A", "21754"]  # by the gain over all lines
    assert "price now, JPY" in table
    assert re.search(r"21754 +\d+ +6 ", table), "a yen has no decimals"
    assert [float(row["current_price"]) for row in rows(as_csv)] == [2.5500001, 5.95]
    found = json.loads(as_json)
    assert [{key: row[key] for key in PRICES} for row in found] == pd.DataFrame(PRICES)[::-1].to_dict("records")
    assert [row["predicted_gain"] for row in found] == pytest.approx([18.0, 6.225])


def fake(value: Any) -> Callable[..., Any]:
    return lambda *_: value


def test_releases_in_three_forms(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "rows", fake(()))
    assert run("releases") == "no releases yet: `pricetrail release` makes one\n"
    assert json.loads(run("releases", "--format", "json")) == []
    when, commit = "2026-11-02T09:00:00+00:00", "0123456789" * 4
    row = registry.Row(
        version="v2.0.0", tag="price-model@v2.0.0", commit=commit, tagged_at=when, author="Ada <ada@shop.invalid>",
        production=True, test_mse_log_quantity=0.27066612, skill=None, outcome="released", withdrawn=("wrong", "late"),
    )  # fmt: skip
    monkeypatch.setattr(registry, "rows", fake((row,)))
    words = run("releases").splitlines()[-1].split()
    assert words == ["v2.0.0", "production", "2026-11-02", "0123456", "0.2707", "–", "released", "wrong;", "late"]
    (listed,) = json.loads(run("releases", "--format", "json"))
    assert (listed["commit"], listed["skill"], listed["withdrawn"]) == (commit, None, ["wrong", "late"])
    assert run("releases", "--json") == run("releases", "--format", "json")
    (record,) = rows(run("releases", "--format", "csv"))
    assert (record["test_mse_log_quantity"], record["skill"], record["production"]) == ("0.27066612", "", "true")


def test_the_doctor_in_csv(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Finding(State.FAILED, "1.0 GiB free", "make room", check="disk")
    monkeypatch.setattr("pricetrail.cli.doctor.examine", lambda _: iter([found]))
    done = CliRunner().invoke(app, ["doctor", "--format", "csv"])
    assert (done.exit_code, done.stdout) == (1, "check,state,found,advice\ndisk,failed,1.0 GiB free,make room\n")


def test_the_decision_in_csv(run: Run) -> None:
    verdicts = [hold("drift", 0.5, 0.3, "share, of drifted columns"), hold("accuracy", 0.68, 0.1, "skill")]
    made = decide([*verdicts, not_computed("fairness", 0.1, "too few")], {"drift": "Christmas"})
    write_json(Path("metrics/decision.json"), made.record())
    for gate in made.gates:
        write_json(Path(EVIDENCE[gate.verdict.gate]), {"verdicts": [asdict(gate.verdict)]})
    found = rows(run("decide", "--format", "csv"))
    assert [row["gate"] for row in found] == ["drift", "accuracy", "fairness"]
    assert [(row["value"], row["open"]) for row in found] == [("0.5", "true"), ("0.68", "true"), ("", "false")]
    assert [row["override"] for row in found] == ["Christmas", "", ""]
    assert run("decide", "--format", "json") == Path("metrics/decision.json").read_text()


def test_a_verification_in_three_forms(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = tuple(verify.Check(name, True, "as signed") for name in verify.CHECKS)
    monkeypatch.setattr(verify, "verify", fake(verify.Verification("price-model@v1.0.0", None, None, checks)))
    monkeypatch.setattr("pricetrail.cli.verify.ensure_running", fake(None))
    monkeypatch.setattr("pricetrail.cli.verify.cache_folder", fake(Path()))
    found = [row["name"] for row in rows(run("verify", "v1.0.0", "--format", "csv"))]
    assert found == list(verify.CHECKS)
    assert json.loads(run("verify", "v1.0.0", "--format", "json"))["passed"] is True
    assert run("verify", "v1.0.0", "--json") == run("verify", "v1.0.0", "--format", "json")
    assert "price-model@v1.0.0 is verified" in run("verify", "v1.0.0")


@pytest.mark.attack
@pytest.mark.parametrize("name", ["terminal", "turned round"])
@pytest.mark.parametrize("way", ["table", "console", "error"])
def test_no_text_steers_the_terminal(name: str, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = TEXTS[name]
    if way == "table":
        print_rows([{"sku": text, "lines": 3}], Format.table)
    elif way == "console":
        Console(file=sys.stdout).print(Text(f"reason: {text}"))
    else:
        with pytest.raises(typer.Exit), one_line_errors():
            raise DataError("lines.csv", "must be a number", text)
    told = capsys.readouterr()
    shown = told.out + told.err
    assert "owned" in shown or "gnp.exe" in shown
    assert not re.search("[\x1b\x07\u202e\u2066]", shown)


@pytest.mark.attack
@pytest.mark.parametrize("mark", ["=", "+", "-", "@", "\t=", "\r=", "A\r=", "\uff1d", "'="])
def test_no_cell_that_programs_read_is_a_formula(mark: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"reason": f"{mark}1+1", "gain": -0.5}], Format.csv)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    quoted = "" if mark.startswith("A") else "'"
    assert row == {"reason": f"{quoted}{mark}1+1".replace("\r", "\n"), "gain": "-0.5"}
