"""`pricetrail runs` shows what the ledger holds, and the formats of a table hold the same figures."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pricetrail.cli.app import app
from pricetrail.cli.table import Format, print_rows
from support import page_sample
from support.source_tree import ROOT

WIDEST = 100


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder with an empty ledger."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    return tmp_path / "reports/runs.jsonl"


def shown(*options: str) -> Result:
    return CliRunner(env={"NO_COLOR": "1"}).invoke(app, ["runs", *options], catch_exceptions=False)


def test_newest_run_is_first_in_every_format(ledger: Path) -> None:
    old = page_sample.run("aaaaaaaaaaaa", 0.33)
    new = page_sample.run("bbbbbbbbbbbb", 0.31, "withheld", days=["2010-12-01", "2011-12-13"], rows=1_143_682)
    new["metrics"] |= {"models.lightgbm.ratio_of_network": 0.9, "decision.open_gates": 2}
    ledger.write_text(f"{json.dumps(old)}\n{json.dumps(new)}\n")

    rows = json.loads(shown("--format", "json").stdout)
    assert [row["run"] for row in rows] == ["bbbbbbbbbbbb", "aaaaaaaaaaaa"]
    assert rows[0] | {"last_day": "2011-12-13", "outcome": "withheld", "rows": 1_143_682, "open_gates": 2} == rows[0]
    assert (rows[0]["mse_log_quantity"], rows[0]["ratio_to_lightgbm"]) == (0.31, 0.9)
    assert (rows[1]["ratio_to_lightgbm"], rows[1]["open_gates"]) == (None, None)  # an old line without the figures

    cells = list(csv.DictReader(io.StringIO(shown("--format", "csv").stdout)))
    assert [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows] == cells

    table = shown().stdout.splitlines()
    assert [line.split()[0] for line in table[-2:]] == ["bbbbbbbbbbbb", "aaaaaaaaaaaa"]
    assert "0.31" in table[-2]
    assert table[-1].count("–") == 2
    assert max(map(len, table)) <= WIDEST


def test_the_committed_ledger_fits_a_hundred_columns(ledger: Path) -> None:
    ledger.write_text((ROOT / "reports/runs.jsonl").read_text())
    assert max(map(len, shown().stdout.splitlines())) <= WIDEST


def test_without_a_ledger_it_says_what_to_run(ledger: Path) -> None:
    done = shown()
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "dvc repro" in done.stderr


def test_csv_text_is_no_formula_of_a_spreadsheet(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"sku": "=1+1", "change": -0.5, "note": "@x [red]"}], Format.csv)
    assert capsys.readouterr().out == "sku,change,note\n'=1+1,-0.5,'@x [red]\n"


def test_no_rows_are_a_heading_or_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], Format.csv, {"sku": "SKU"})
    print_rows([], Format.json)
    assert capsys.readouterr().out == "sku\n[]\n"


def test_markup_in_a_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"sku": "[red]x", "name": "word " * 40}], Format.table, {"name": "n", "sku": "SKU"})
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0].split(), max(map(len, lines)) <= WIDEST) == (["n", "SKU"], True)
    assert "[red]x" in lines[2]
