"""Each example shop from its file to a decision, by the commands of ``docs/your-data.md``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.clone import TINY, make_clone
from support.example_shops import EXAMPLES, FOLDER

pytestmark = [pytest.mark.slow, pytest.mark.long]
SMALL = {key: value for key, value in TINY.items() if not key.startswith(("demo.", "fairness."))}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_comes_to_a_decision(name: str, tmp_path: Path) -> None:
    example = EXAMPLES[name]()
    clone = make_clone(tmp_path / "shop", {**SMALL, **example.settings, "data.path": "data/lines"})
    clone.must("git", "config", "user.email", "t@shop.invalid")
    clone.must("git", "config", "user.name", "t")
    clone.must("pricetrail", "ingest", *(str(FOLDER / name / file) for file in example.files), "--commit")
    clone.must("dvc", "repro")
    kept = json.loads((clone.folder / "metrics/etl.json").read_text())["rows_kept"]
    assert kept == len(example.sales)
    said = clone.run("pricetrail", "decide").stdout
    assert re.search(r"accuracy", said), said
    currency = example.settings.get("shop.currency", "GBP")
    page = (clone.folder / "reports/index.html").read_text()
    assert {"GBP": "£", "EUR": "€", "USD": "$"}[currency] in page
