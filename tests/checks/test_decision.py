"""The decision as a person reads it, and what becomes of one that was edited."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from pricetrail.base.errors import DataError
from pricetrail.base.files import write_json
from pricetrail.checks.decision import decision_page, read_decision
from pricetrail.checks.gates import EVIDENCE, OUTCOME_WORDS, Decision, GateName, decide, hold, not_computed
from pricetrail.cli.app import app
from support.clone import Clone
from support.commands import stage_command

FILE = "metrics/decision.json"
REASON = "Christmas | seen by <b>A. Smith</b>\nand B."
Tree = dict[str, Any]


def decision(
    overrides: dict[GateName, str] | None = None, drift: float = 0.5, restated: dict[str, str] | None = None
) -> Decision:
    verdicts = [
        hold("drift", drift, 0.3, "share of drifted input columns"),
        hold("accuracy", 0.68, 0.1, "skill over the training median"),
        not_computed("fairness", 0.1, "registered: guest not assessed"),
    ]
    return decide(verdicts, overrides or {}, restated)


def tree(made: Decision) -> Tree:
    read: Tree = json.loads(json.dumps(made.record()))
    return read


@given(
    overridden=st.dictionaries(st.sampled_from(["drift", "accuracy", "fairness"]), st.text(min_size=1), max_size=3),
    drift=st.floats(0, 1, allow_nan=False),
    restated=st.dictionaries(st.text(min_size=1), st.text(min_size=1).filter(str.strip), max_size=3),
)
def test_a_decision_reads_back(overridden: dict[GateName, str], drift: float, restated: dict[str, str]) -> None:
    given_reasons = {gate: reason for gate, reason in overridden.items() if reason.strip()}
    made = decision(given_reasons, drift, restated)
    assert read_decision(tree(made), FILE) == made


def edited(*path: str | int, value: object) -> Tree:
    """A withheld decision, drift overridden, with one entry changed by hand."""
    made = tree(decision({"drift": "seen"}))
    place: Any = made
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return made


def without(*path: str | int) -> Tree:
    made = tree(decision({"drift": "seen"}))
    place: Any = made
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return made


EDITS: dict[str, tuple[Tree, str]] = {
    "outcome turned": (
        edited("outcome", value="released"),
        "outcome does not follow from its gates, got 'released'",
    ),
    "gates counted wrongly": (edited("open_gates", value=3), "open_gates does not follow from its gates, got 3"),
    "gate opened": (
        edited("gates", 2, "open", value=True),
        "open of the fairness gate does not follow from its verdict, got True",
    ),
    "override called used": (
        edited("gates", 1, "override_used", value=True),
        "override_used of the accuracy gate does not follow from its verdict, got True",
    ),
    "evidence elsewhere": (
        edited("gates", 0, "evidence", value="metrics/old.json"),
        "evidence of the drift gate does not follow from its verdict, got 'metrics/old.json'",
    ),
    "verdict turned": (
        edited("gates", 0, "passed", value=True),
        "passed of the drift gate does not follow from its figures, 0.5 <= 0.3, got True",
    ),
    "verdict without a figure turned": (
        edited("gates", 2, "passed", value=True),
        "passed of the fairness gate does not follow from its figures, None <= 0.1, got True",
    ),
    "rule turned": (edited("gates", 0, "rule", value=">="), "rule of the drift gate must be <=, got '>='"),
    "empty reason": (
        edited("gates", 0, "override", value="  "),
        "override of the drift gate must give a reason, got ' '",
    ),
    "override taken out": (
        edited("gates", 0, "override", value=None),
        "open of the drift gate does not follow from its verdict, got True",
    ),
    "gate gone": (without("gates", 2), "gates must be drift, accuracy, fairness, got 'drift, accuracy'"),
    "no gates": (edited("gates", value=[]), "gates must be drift, accuracy, fairness, got ''"),
    "gate renamed": (
        edited("gates", 2, "gate", value="drift"),
        "gates must be drift, accuracy, fairness, got 'drift, accuracy, drift'",
    ),
    "outcome gone": (without("outcome"), "outcome must be whole: Field required"),
    "verdict gone": (without("gates", 1, "passed"), "gates.1.passed must be whole: Field required"),
    "number for a truth": (edited("gates", 1, "passed", value=1), "gates.1.passed must be whole: "),
    "restated without a reason": (
        edited("restated", value=[{"file": "w48.csv", "reason": " "}]),
        "restatement of w48.csv must give a reason, got ' '",
    ),
    "restated without a file": (edited("restated", value=[{"reason": "a"}]), "restated.0.file must be whole: Field"),
    "a restatement that says more": (
        edited("restated", value=[{"file": "a", "reason": "b", "approved_by": "me"}]),
        "restated does not follow from its gates, got [{'file': 'a', 'reason': 'b', 'approved_by': 'me'}]",
    ),
    "more than it can say": (edited("approved", value=True), "approved does not follow from its gates, got True"),
    "a gate that says more": (
        edited("gates", 0, "approved_by", value="me"),
        "approved_by of the drift gate does not follow from its verdict, got 'me'",
    ),
}


@pytest.mark.parametrize(("made", "rule"), EDITS.values(), ids=EDITS)
def test_an_edited_decision_is_one_line(made: Tree, rule: str) -> None:
    with pytest.raises(DataError) as caught:
        read_decision(made, FILE)
    assert str(caught.value).startswith(f"{FILE}: {rule}")
    assert "\n" not in str(caught.value)


def table_of(page: str) -> list[list[str]]:
    """Cells of the page's one table, as markdown-it reads it."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    kinds = [token.type for token in tokens]
    assert kinds.count("table_open") == 1
    cells = [tokens[i + 1].content for i, kind in enumerate(kinds) if kind in {"th_open", "td_open"}]
    return [cells[start : start + 6] for start in range(0, len(cells), 6)]


def test_the_page_says_what_the_record_says() -> None:
    page = decision_page(decision({"drift": REASON, "accuracy": "in vain"}))
    assert page.startswith("# The candidate is withheld\n\nClosed: fairness; open by override: drift.\n")
    assert table_of(page) == [
        ["gate", "verdict", "value", "must be", "override", "gate is"],
        ["drift", "failed", "0.5", "<= 0.3", "Christmas | seen by \\<b>A. Smith\\</b> and B.", "open by override"],
        ["accuracy", "passed", "0.68", "\\>= 0.1", "in vain (not used)", "open"],
        ["fairness", "failed", "–", "<= 0.1", "–", "closed"],
    ]
    html = MarkdownIt("commonmark").enable("table").render(page)
    assert "<b>" not in html
    for file in EVIDENCE.values():
        assert f"`{file}`" in page
    sections = dict(re.findall(r"## (\w+): ([\w ]+)\n", page))
    assert sections == {"drift": "open by override", "accuracy": "open", "fairness": "closed"}
    assert "`gates.overrides.fairness: <reason>`" in page.split("## fairness")[1]
    assert "not used, the gate passed" in page.split("## accuracy")[1]
    first = decision_page(decision({"drift": "a", "fairness": "b"})).splitlines()[0]
    assert first == "# The candidate may be released"


def test_restatements_are_named_by_file_and_open_no_gate() -> None:
    named = {"w49.csv": "sent late", "a|b.csv": "till <b>3</b>\nwas wrong"}
    made = decision({"drift": "a", "fairness": "b"}, restated=named)
    assert tree(made)["restated"] == [
        {"file": "a|b.csv", "reason": "till <b>3</b>\nwas wrong"},
        {"file": "w49.csv", "reason": "sent late"},
    ]
    assert made.outcome == "released"
    assert decision(restated=named).outcome == "withheld"
    assert decision_page(made).endswith("- a\\|b.csv: till \\<b>3\\</b> was wrong\n- w49.csv: sent late\n")
    assert "Restated" not in decision_page(decision())


def test_a_decision_of_an_older_version_names_none() -> None:
    old = {key: value for key, value in tree(decision()).items() if key != "restated"}
    assert read_decision(old, FILE) == decision()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``pricetrail decide`` in a folder with the metrics files of a decision."""
    monkeypatch.chdir(tmp_path)
    made = decision({"drift": REASON}, restated={"w48.csv": "till 3 was wrong"})
    write_json(Path(FILE), made.record())
    for gate in made.gates:
        write_json(Path(gate.evidence), {"verdicts": [asdict(gate.verdict)]})
    return lambda *options: CliRunner(env={"COLUMNS": "120", "NO_COLOR": "1"}).invoke(app, ["decide", *options])


def test_decide_shows_every_gate(run: Callable[..., Any]) -> None:
    shown = run()
    assert shown.exit_code == 0
    assert shown.output.startswith("The candidate is withheld. Closed: fairness; open by override: drift.\n")
    found = re.findall(r"│ (\w+) +│ (\w+) +│ (\S+) +│ (\S+ \S+) +│", shown.output)
    assert found == [
        ("drift", "failed", "0.5", "<= 0.3"),
        ("accuracy", "passed", "0.68", ">= 0.1"),
        ("fairness", "failed", "–", "<= 0.1"),
    ]
    assert "<b>A. Smith" in shown.output
    assert shown.output.endswith("Files that rewrote days already released:\n  w48.csv: till 3 was wrong\n")


def test_decide_explains_every_gate(run: Callable[..., Any]) -> None:
    shown = run("--explain")
    assert shown.exit_code == 0
    for gate, state in (("drift", "open by override"), ("accuracy", "open"), ("fairness", "closed")):
        block = re.split(r"\n(?=\w+: \w)", shown.output.split(f"\n{gate}: {state}")[1])[0]
        names = re.findall(r"(?m)^  (\w+(?: \w+)?)  +\S", block)
        assert names == ["value", "threshold", "verdict", "reason", "override", "evidence", "you may"]
        assert EVIDENCE[gate] in block  # type: ignore[index]
    assert "registered: guest not assessed" in shown.output
    assert "gates.overrides.fairness: <reason>" in shown.output


def test_decide_prints_the_file(run: Callable[..., Any]) -> None:
    assert run("--json").output == Path(FILE).read_text()


def replaced(file: str, old: str, new: str) -> None:
    text = Path(file).read_text()
    assert old in text
    Path(file).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("options", [(), ("--explain",), ("--json",)])
@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda: Path(FILE).unlink(), f"{FILE}: must be readable: No such file or directory"),
        (lambda: Path(FILE).write_text(Path(FILE).read_text()[:200]), f"{FILE}: must be JSON: "),
        (lambda: Path(FILE).write_text("{}"), f"{FILE}: outcome must be whole: Field required"),
        (lambda: replaced(FILE, "withheld", "released"), f"{FILE}: outcome does not follow from its gates"),
        (lambda: replaced(FILE, "0.68", "0.98"), f"{FILE}: verdict of the accuracy gate must be that of metrics/test"),
        (lambda: replaced("metrics/drift.json", "false", "true"), "metrics/drift.json: passed of the drift gate does"),
        (lambda: replaced("metrics/test.json", "0.68", "NaN"), "metrics/test.json: must be JSON: NaN is no number"),
        (lambda: Path("metrics/test.json").unlink(), "metrics/test.json: must be readable"),
        (
            lambda: Path("metrics/fairness.json").write_text(Path("metrics/drift.json").read_text()),
            "metrics/fairness.json: must hold the verdict of the fairness gate, got 'drift'",
        ),
    ],
)
def test_a_decision_that_cannot_be_believed_is_one_line(
    run: Callable[..., Any], harm: Callable[[], Any], message: str, options: tuple[str, ...]
) -> None:
    harm()
    done = run(*options)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_runs_page_and_command_show_its_decision(shop: Clone) -> None:
    text = (shop.folder / FILE).read_text()
    assert shop.run("pricetrail", "decide", "--json").stdout == text
    page = (shop.folder / "reports/decision.md").read_text()
    assert page == decision_page(read_decision(json.loads(text), FILE))
    assert page.startswith(f"# The candidate {OUTCOME_WORDS[json.loads(text)['outcome']]}\n")


@pytest.mark.slow
def test_the_stage_names_what_params_say_was_restated(copy: Clone) -> None:
    assert json.loads((copy.folder / FILE).read_text())["restated"] == []
    copy.params(data__restated={"w48.csv": "till 3 was wrong"})
    said = copy.must("dvc", "repro", "-s", "assess_model_risk")
    assert "w48.csv rewrote days already released: till 3 was wrong" in said
    assert json.loads((copy.folder / FILE).read_text())["restated"] == [
        {"file": "w48.csv", "reason": "till 3 was wrong"}
    ]
    assert "data.restated" in (copy.folder / "dvc.lock").read_text()


@pytest.mark.slow
def test_an_edited_verdict_is_refused_and_made_again(copy: Clone) -> None:
    """Drift's share is set to 1, its verdict left passed."""
    file = copy.folder / "metrics/drift.json"
    drift = json.loads(file.read_text())
    assert drift["verdicts"][0]["passed"] is True
    drift["verdicts"][0]["value"] = 1.0
    file.write_text(json.dumps(drift))
    for stage in ("assess_model_risk", "drift_gate"):
        done = copy.run("bash", "-c", stage_command(stage))
        assert done.returncode == 1
        (line,) = [line for line in done.stderr.splitlines() if " ERROR " in line]
        assert "metrics/drift.json: passed of the drift gate does not follow from its figures, 1.0 <= 0.99" in line
        assert "Traceback" not in done.stderr
    assert "metrics/drift.json" in copy.must("dvc", "status")
    copy.must("dvc", "repro")
    assert copy.must("git", "status", "--porcelain") == ""
