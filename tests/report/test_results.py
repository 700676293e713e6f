"""Each metrics file and its one type: what a stage wrote reads back whole, and is written again byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pricetrail.base.errors import DataError
from pricetrail.base.files import write_record
from pricetrail.base.typed_json import parse_as
from pricetrail.checks.gates import Decision
from pricetrail.checks.results import FairnessResult, IntervalsResult
from pricetrail.report.read_results import DECISION, INTERVALS, KINDS, LINEAGE, TEXTS, read_results
from support import card_sample
from support.source_tree import ROOT

TYPES = {path: kind for path, kind in KINDS.values() if path != LINEAGE}
TYPES |= {DECISION: Decision, INTERVALS: IntervalsResult}


@pytest.mark.parametrize("path", TYPES)
def test_a_committed_file_reads_back_byte_for_byte(path: str, tmp_path: Path) -> None:
    """The oracle is the file that the demo shop's run left, whatever code wrote it."""
    text = (ROOT / path).read_text()
    write_record(tmp_path / "again.json", parse_as(TYPES[path], json.loads(text), path))
    assert (tmp_path / "again.json").read_text() == text


def test_every_result_of_a_run_has_a_type() -> None:
    """But the small file by which the drift gate lets the run through: its stage and DVC alone read it."""
    written = {str(path.relative_to(ROOT)) for path in (ROOT / "metrics").glob("*.json")}
    assert set(TYPES) <= written
    assert {path for path in TEXTS if path.startswith("metrics/")} == set(TYPES)


def test_entries_of_an_inline_field_are_those_no_field_names() -> None:
    tree = card_sample.metrics()["fairness"]
    found = parse_as(FairnessResult, tree, "f")
    assert found.chosen == {"registered_added_disparity": 0.0720094}
    with pytest.raises(DataError, match=r"^f: chosen\.registered_added_disparity must be whole: .*got 'much'$"):
        parse_as(FairnessResult, {**tree, "registered_added_disparity": "much"}, "f")


@pytest.mark.parametrize("path", TEXTS)
def test_a_file_cut_short_is_named(path: str) -> None:
    texts = card_sample.texts()
    with pytest.raises(DataError, match=f"^{path}"):
        read_results({**texts, path: texts[path][: len(texts[path]) // 2]})
