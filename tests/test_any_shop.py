"""Each example shop from its file to a decision, by the commands of ``docs/your-data.md``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from support.clone import TINY, make_clone
from support.example_shops import EXAMPLES, FOLDER

pytestmark = [pytest.mark.slow, pytest.mark.long]
SMALL = {key: value for key, value in TINY.items() if not key.startswith(("demo.", "fairness."))}
# What a person has to answer, for the file does not tell it.
ANSWERS: dict[str, Sequence[str]] = {
    "uci": ["--encoding", "iso-8859-1", "--currency", "GBP"],
    "online_retail_2": ["--currency", "GBP", "--set", "data.max_dropped_share=0.2"],
    "shopify": ["--timezone", "America/New_York"],
    "woocommerce": [
        *("--column", "quantity=Quantity (- Refund)", "--column", "unit_price=Item Cost", "--currency", "EUR"),
    ],
    "square": [
        *("--column", "line_total=Net Sales", "--currency", "USD"),
    ],
    "german": ["--encoding", "cp1252", "--currency", "EUR"],
    "till": ["--column", "invoiced_at=Printed", "--currency", "EUR"],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_comes_to_a_decision(name: str, tmp_path: Path) -> None:
    example = EXAMPLES[name]()
    files = [str(FOLDER / name / file) for file in example.files]
    clone = make_clone(tmp_path / "shop", SMALL)
    clone.must("git", "config", "user.email", "t@shop.invalid")
    clone.must("git", "config", "user.name", "t")
    clone.must("pricetrail", "init", *files, *ANSWERS[name])
    clone.commit()
    clone.must("pricetrail", "ingest", *files, "--commit")
    clone.must("pricetrail", "check", "--data")
    clone.must("dvc", "repro")
    assert json.loads((clone.folder / "metrics/etl.json").read_text())["rows_kept"] == len(example.sales)
    assert "accuracy" in clone.run("pricetrail", "decide").stdout
    sign = {"GBP": "£", "EUR": "€", "USD": "$"}[str(example.settings.get("shop.currency", "GBP"))]
    assert sign in (clone.folder / "reports/index.html").read_text()
