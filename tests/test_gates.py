"""Verdicts fail closed, and an override opens a gate without changing its verdict."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest

from pricetrail.errors import DataError
from pricetrail.gates import Verdict, at_least, at_most, decide, not_computed, read_verdict, worst

PASSED = at_least("accuracy", 0.5, 0.1, "skill")
FAILED = at_most("drift", 0.5, 0.3, "share of drifted input columns")


def test_thresholds_count_as_passed_and_nan_does_not() -> None:
    assert at_least("accuracy", 0.1, 0.1, "skill").passed
    assert not at_least("accuracy", 0.0999, 0.1, "skill").passed
    assert at_most("drift", 0.3, 0.3, "share").passed
    assert not at_most("drift", 0.3001, 0.3, "share").passed
    for value in (math.nan, math.inf, -math.inf):
        for hold in (at_least, at_most):
            verdict = hold("fairness", value, 0.1, "figure")
            assert not verdict.passed
            assert verdict.value is None
            assert verdict.reason == "figure could not be computed"


@pytest.mark.parametrize(
    ("verdicts", "overrides", "outcome"),
    [
        ([PASSED], {}, "released"),
        ([PASSED, FAILED], {}, "withheld"),
        ([PASSED, FAILED], {"accuracy": "wrong gate"}, "withheld"),
        ([PASSED, FAILED], {"drift": "Christmas, seen by A. Smith"}, "released"),
        ([], {}, "withheld"),
    ],
)
def test_a_candidate_is_released_only_when_every_gate_is_open(
    verdicts: list[Verdict], overrides: dict[str, str], outcome: str
) -> None:
    assert decide(verdicts, overrides).outcome == outcome


def test_an_override_leaves_the_verdict_failed_and_its_reason_is_kept() -> None:
    (record,) = decide([FAILED], {"drift": "seen"}).records()
    assert record["passed"] is False
    assert record["open"] is True
    assert record["override"] == "seen"
    assert record["reason"] == "share of drifted input columns is 0.5, must be <= 0.3"


def test_the_worst_of_several_verdicts_speaks() -> None:
    mild, strong = at_most("fairness", 0.01, 0.1, "a"), at_most("fairness", 0.09, 0.1, "b")
    unknown = not_computed("fairness", 0.1, "too few rows")
    assert worst([mild, strong]) == strong
    assert worst([strong, unknown, mild]) == unknown


def test_a_record_reads_back_and_a_damaged_one_is_no_pass() -> None:
    tree = json.loads(json.dumps({"verdicts": [asdict(FAILED)]}))
    assert read_verdict(tree, "metrics/drift.json") == FAILED
    record = asdict(PASSED)
    damaged = [
        {},
        {"verdicts": []},
        {"verdicts": [record, record]},
        {"verdicts": [{**record, "passed": "yes"}]},
        {"verdicts": [{**record, "gate": "other"}]},
        {"verdicts": [{key: value for key, value in record.items() if key != "passed"}]},
    ]
    for tree in damaged:
        with pytest.raises(DataError, match=r"^metrics/test.json: "):
            read_verdict(tree, "metrics/test.json")
