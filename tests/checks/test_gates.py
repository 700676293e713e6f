"""Verdicts fail closed, and an override opens a gate without changing its verdict."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricetrail.base.errors import DataError
from pricetrail.base.files import write_json
from pricetrail.checks.gates import GATES, Verdict, decide, gate_state, hold, not_computed, worst
from pricetrail.checks.gates import read_verdict as read

PASSED = hold("accuracy", 0.5, 0.1, "skill")
FAILED = hold("drift", 0.5, 0.3, "share of drifted input columns")
CALM = hold("drift", 0.1, 0.3, "share of drifted input columns")
FAIR = hold("fairness", 0.02, 0.1, "added_disparity by registered")


def test_thresholds_count_as_passed_and_nan_does_not() -> None:
    assert hold("accuracy", 0.1, 0.1, "skill").passed
    assert not hold("accuracy", 0.0999, 0.1, "skill").passed
    assert hold("drift", 0.3, 0.3, "share").passed
    assert not hold("drift", 0.3001, 0.3, "share").passed
    for value in (math.nan, math.inf, -math.inf):
        for gate in GATES:
            verdict = hold(gate, value, 0.1, "figure")
            assert not verdict.passed
            assert verdict.value is None
            assert verdict.reason == "figure could not be computed"


@pytest.mark.parametrize(
    ("verdicts", "overrides", "outcome"),
    [
        ([CALM, PASSED, FAIR], {}, "released"),
        ([FAILED, PASSED, FAIR], {}, "withheld"),
        ([FAILED, PASSED, FAIR], {"accuracy": "wrong gate"}, "withheld"),
        ([FAILED, PASSED, FAIR], {"drift": "Christmas, seen by A. Smith"}, "released"),
        ([FAILED, PASSED, FAIR], {"drift": " "}, "withheld"),
        ([FAILED, PASSED, FAIR], {"drift": ""}, "withheld"),
        ([], {}, "withheld"),
        ([PASSED], {}, "withheld"),
        ([CALM, PASSED], {"fairness": "not computed"}, "withheld"),
        ([CALM, PASSED, FAIR, FAIR], {}, "withheld"),
    ],
)
def test_release_needs_each_gate_exactly_once_and_open(
    verdicts: list[Verdict], overrides: dict[str, str], outcome: str
) -> None:
    assert decide(verdicts, overrides).outcome == outcome


@given(
    values=st.tuples(*[st.floats(0, 1) | st.none()] * 3),
    overridden=st.sets(st.sampled_from(GATES)),
)
def test_no_override_changes_a_verdict(values: tuple[float | None, ...], overridden: set[str]) -> None:
    """With overrides or without: the same verdicts; a gate that passed leaves its override unused."""
    verdicts = [
        not_computed(gate, 0.5, "no rows") if value is None else hold(gate, value, 0.5, "figure")
        for gate, value in zip(GATES, values, strict=True)
    ]
    decision = decide(verdicts, dict.fromkeys(overridden, "a reason"))
    assert [gate.verdict for gate in decision.gates] == verdicts
    failed = {verdict.gate for verdict in verdicts if not verdict.passed}
    assert set(decision.closed) == failed - overridden
    assert set(decision.overridden) == failed & overridden
    record: Any = decision.record()
    assert [gate["passed"] for gate in record["gates"]] == [gate not in failed for gate in GATES]
    assert record["open_gates"] == 3 - len(failed - overridden)
    assert (record["outcome"] == "released") == (failed <= overridden)


def test_an_override_keeps_the_failed_verdict_and_its_reason() -> None:
    record = asdict(gate_state(FAILED, "seen"))
    assert record["passed"] is False
    assert record["open"] is True
    assert record["override"] == "seen"
    assert record["reason"] == "share of drifted input columns is 0.5, must be <= 0.3"


def test_the_worst_of_several_verdicts_speaks() -> None:
    mild, strong = hold("fairness", 0.01, 0.1, "a"), hold("fairness", 0.09, 0.1, "b")
    unknown = not_computed("fairness", 0.1, "too few rows")
    assert worst([mild, strong]) == strong
    assert worst([strong, unknown, mild]) == unknown


def recorded(verdict: Verdict, **edits: object) -> dict[str, Any]:
    """The part of a metrics file that holds a verdict, some of it edited by hand."""
    tree: dict[str, Any] = json.loads(json.dumps({"verdicts": [{**asdict(verdict), **edits}]}))
    return tree


def test_a_record_reads_back() -> None:
    for verdict in (PASSED, FAILED, FAIR, not_computed("drift", 0.3, "no rows")):
        assert read(recorded(verdict), "metrics/x.json", verdict.gate) == verdict


def test_a_verdict_may_ask_for_more_than_its_rule() -> None:
    """The accuracy gate also wants its interval above zero."""
    doubted = recorded(PASSED, passed=False)
    assert not read(doubted, "metrics/test.json", "accuracy").passed


@pytest.mark.parametrize(
    ("tree", "rule"),
    [
        ({}, "verdicts must be whole: Field required"),
        ({"verdicts": []}, "must hold one verdict"),
        ({"verdicts": 2 * recorded(PASSED)["verdicts"]}, "must hold one verdict"),
        (recorded(PASSED, passed="yes"), "verdicts.0.passed must be whole: "),
        (recorded(PASSED, passed=1), "verdicts.0.passed must be whole: "),
        (recorded(PASSED, gate="other"), "verdicts.0.gate must be whole: "),
        (recorded(FAIR), "must hold the verdict of the accuracy gate, got 'fairness'"),
        (recorded(PASSED, rule="<="), "rule of the accuracy gate must be >=, got '<='"),
        (recorded(PASSED, value=math.nan), "value of the accuracy gate must be a finite number, got nan"),
        (recorded(PASSED, value=math.inf), "value of the accuracy gate must be a finite number, got inf"),
        (recorded(PASSED, threshold=-math.inf), "threshold of the accuracy gate must be a finite number, got -inf"),
        (recorded(PASSED, value=None), "passed of the accuracy gate does not follow from its figures, None >= 0.1"),
        (recorded(PASSED, value=0.09), "passed of the accuracy gate does not follow from its figures, 0.09 >= 0.1"),
        (recorded(PASSED, threshold=0.6), "passed of the accuracy gate does not follow from its figures, 0.5 >= 0.6"),
    ],
)
def test_a_damaged_or_edited_record_is_no_pass(tree: dict[str, Any], rule: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tree, "metrics/test.json", "accuracy")
    assert str(caught.value).startswith(f"metrics/test.json: {rule}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", list(asdict(PASSED)))
def test_a_record_without_one_of_its_keys_is_no_pass(key: str) -> None:
    record = {name: value for name, value in asdict(PASSED).items() if name != key}
    with pytest.raises(DataError, match=rf"^metrics/test.json: verdicts.0.{key} must be whole: Field required"):
        read({"verdicts": [record]}, "metrics/test.json", "accuracy")


@pytest.mark.parametrize("gate", ["drift", "fairness"])
def test_a_figure_above_the_threshold_never_reads_as_passed(gate: Any) -> None:
    high = hold(gate, 0.5, 0.3, "figure")
    assert read(recorded(high), "metrics/x.json", gate) == high
    with pytest.raises(DataError, match=r"does not follow from its figures, 0\.5 <= 0\.3, got True"):
        read(recorded(high, passed=True), "metrics/x.json", gate)


def test_the_rounding_of_metrics_files_keeps_verdicts_sound(tmp_path: Path) -> None:
    """A value just inside its threshold is rounded to it, and still holds; one just outside stays failed."""
    for value in (0.3, 0.29999999, 0.30000001, 0.2999995, 0.3000005):
        verdict = hold("drift", value, 0.3, "share")
        write_json(tmp_path / "drift.json", {"verdicts": [asdict(verdict)]})
        back = read(json.loads((tmp_path / "drift.json").read_text()), "drift.json", "drift")
        assert back.passed == verdict.passed == (value <= 0.3)


def test_a_decision_without_gates_is_withheld() -> None:
    assert decide([], {}).outcome == "withheld"
    assert not decide([], {}).may_be_released
