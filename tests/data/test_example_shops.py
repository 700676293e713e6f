"""The example shops of ``tests/data/examples`` and of ``../shared/cases`` are read as they are, or refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import openpyxl
import pytest

from pricetrail.data.reading import read_shop
from pricetrail.data.unseen.proposal import propose
from pricetrail.data.unseen.unseen_files import look_at
from support import example_shops, shop_cases
from support.shop_cases import Trial, params_with, shared_trials, try_out

EXAMPLES = tuple(example_shops.EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_read_as_its_true_lines(name: str) -> None:
    assert try_out(shop_cases.example_trial(name)).verdict == "equal"


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_no_sale_is_counted_by_its_reason(name: str) -> None:
    example = example_shops.EXAMPLES[name]()
    settings = {**example.settings, "data.path": str(example_shops.FOLDER / name)}
    dropped = read_shop(params_with(settings)).cleaned.dropped
    assert {reason: rows for reason, rows in dropped.items() if rows} == {k: n for k, n in example.dropped.items() if n}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_files_are_what_the_script_makes(name: str, tmp_path: Path) -> None:
    example = example_shops.EXAMPLES[name]()
    example_shops.write(example, tmp_path)
    for file in example.files:
        made, kept = tmp_path / file, example_shops.FOLDER / name / file
        assert kept.stat().st_size < 100_000
        assert _cells(made) == _cells(kept)


@pytest.mark.parametrize("name", EXAMPLES)
def test_init_asks_only_what_the_file_does_not_tell(name: str) -> None:
    settings, (file, *_) = params_with({}).data, example_shops.EXAMPLES[name]().files
    tables = look_at(example_shops.FOLDER / name / file, settings, {})
    proposal = propose(tables, settings.missing, {}, dt.date(2026, 1, 1))
    assert {question.key.split(".")[-1] for question in proposal.questions} == OPEN[name]


OPEN = {
    "uci": {"encoding", "currency"},
    "online_retail_2": {"currency"},
    "shopify": set(),
    "woocommerce": {"quantity", "unit_price", "currency"},
    "square": {"unit_price", "currency"},
    "german": {"encoding", "currency"},
    "till": {"invoiced_at", "currency"},
}


def _cells(file: Path) -> object:
    """What a file holds: its bytes, or the cells of a workbook, which keeps the time of its making."""
    if file.suffix != example_shops.XLSX:
        return file.read_bytes()
    return {sheet.title: list(sheet.values) for sheet in openpyxl.load_workbook(file, read_only=True)}


@pytest.mark.skipif(not shop_cases.CASES.is_dir(), reason="the cases are not in ../shared/cases")
@pytest.mark.parametrize("trial", shared_trials() if shop_cases.CASES.is_dir() else [], ids=lambda trial: trial.name)
def test_a_case_is_read_rightly_or_refused(trial: Trial) -> None:
    outcome = try_out(trial)
    assert outcome.verdict == ("refused" if trial.lines is None else "equal"), outcome.said
