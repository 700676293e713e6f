"""The decision over all gates as a page, and what a recorded one must be to be believed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter, ValidationError

from pricetrail.base.errors import DataError
from pricetrail.checks.gates import GATES, Decision, GateName, GateState, Restatement, Verdict, require_sound

COLUMNS: Final = ("gate", "verdict", "value", "must be", "override", "gate is")
DETAILS: Final[Mapping[GateName, str]] = {  # what to look at besides the metrics file
    "drift": "reports/drift.html",
    "accuracy": "reports/models.csv",
    "fairness": "reports/error_by_group.csv",
}
REMEDIES: Final[Mapping[GateName, str]] = {
    "drift": "see which columns moved; mend the source, or wait until the training window holds the new state",
    "accuracy": "see what the baselines reach; widen `tuning.space`, raise `tuning.n_trials`, or bring more lines",
    "fairness": "see which group is predicted too high or too low; bring more lines of it, or mend what tells it apart",
}
RESTATED: Final = "Files that rewrote days already released:"


@dataclass(frozen=True)
class _GateRecord(Verdict):
    """A gate as ``metrics/decision.json`` holds it."""

    open: bool
    override: str | None
    override_used: bool
    evidence: str


@dataclass(frozen=True)
class _Record:
    """The tree of ``metrics/decision.json``; one of an older version names no restatements."""

    outcome: str
    open_gates: int
    gates: list[_GateRecord]
    restated: list[Restatement] = field(default_factory=list)


_RECORD: TypeAdapter[_Record] = TypeAdapter(_Record)


def read_decision(tree: Mapping[str, object], place: str) -> Decision:
    """The decision of a metrics file, derived again from its verdicts and overrides.

    Args:
        tree: of ``metrics/decision.json``.
        place: the file, for messages.

    Raises:
        DataError: it is not whole, a gate is not there or there twice, a verdict is not sound
            (``gates.require_sound``), a restatement has no reason, or something in it does not follow from its verdicts
            and overrides.
    """
    try:
        record = _RECORD.validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        value = None if isinstance(first["input"], dict) else first["input"]
        raise DataError(place, f"{'.'.join(map(str, first['loc']))} must be whole: {first['msg']}", value) from None
    names = [gate.gate for gate in record.gates]
    if tuple(names) != GATES:
        raise DataError(place, f"gates must be {', '.join(GATES)}", ", ".join(names))
    states = []
    for gate in record.gates:
        verdict = Verdict(gate.gate, gate.value, gate.threshold, gate.passed, gate.reason, gate.rule)
        require_sound(verdict, place, gate.gate)
        if gate.override is not None and not gate.override.strip():
            raise DataError(place, f"override of the {gate.gate} gate must give a reason", gate.override)
        states.append(GateState(verdict, gate.override))
    for entry in record.restated:
        if not entry.reason.strip():
            raise DataError(place, f"restatement of {entry.file} must give a reason", entry.reason)
    decision = Decision(tuple(states), tuple(record.restated))
    _require_equal(tree, decision, place)
    return decision


def _require_equal(tree: Mapping[str, object], decision: Decision, place: str) -> None:
    """Compare a recorded tree with the one its gates give."""
    derived = decision.record()
    gates = zip(decision.gates, tree["gates"], strict=True)  # type: ignore[call-overload]  # its type is checked
    for state, gate in gates:
        for key, value in gate.items():
            if key not in state.record() or state.record()[key] != value:
                raise DataError(
                    place, f"{key} of the {state.verdict.gate} gate does not follow from its verdict", value
                )
    for key, value in tree.items():
        if key not in derived or (key != "gates" and derived[key] != value):
            raise DataError(place, f"{key} does not follow from its gates", value)


def number(value: float | None) -> str:
    """A figure with four significant digits, a dash where there is none.

    >>> number(0.123456), number(None)
    ('0.1235', '–')
    """
    return "–" if value is None else f"{value:.4g}"


def headline(decision: Decision) -> str:
    """One sentence under the outcome.

    >>> headline(Decision(()))
    'No gate gave a verdict.'
    """
    if not decision.gates:
        return "No gate gave a verdict."
    overridden = [state.verdict.gate for state in decision.gates if state.override_used]
    by_override = f"; open by override: {', '.join(overridden)}" if overridden else ""
    if decision.closed:
        return f"Closed: {', '.join(decision.closed)}{by_override}."
    return f"All gates are open{by_override}."


def advice(state: GateState) -> tuple[str, ...]:
    """What a person may do about a gate, one clause each."""
    gate = state.verdict.gate
    override = f"gates.overrides.{gate}"
    if state.override_used:
        return (
            f"open by override, the verdict stays failed; take `{override}` out of `params.yaml` to close it",
            REMEDIES[gate],
        )
    if not state.verdict.passed:
        return (
            REMEDIES[gate],
            f"or answer for it: `{override}: <reason>` in `params.yaml`, then `dvc repro`; the verdict stays failed",
        )
    if state.override is not None:
        return (f"the override is not used, the gate passed; take `{override}` out of `params.yaml`",)
    return ("nothing to do",)


def status(state: GateState) -> str:
    """``open``, ``open by override`` or ``closed``."""
    if not state.is_open:
        return "closed"
    return "open by override" if state.override_used else "open"


def override_note(state: GateState) -> str:
    """The override's reason, with a note where it is not used; a dash where there is none."""
    if state.override is None:
        return "–"
    return state.override if state.override_used else f"{state.override} (not used)"


def cells(state: GateState) -> tuple[str, ...]:
    """A gate's row in a table with ``COLUMNS``."""
    verdict = state.verdict
    return (
        verdict.gate,
        "passed" if verdict.passed else "failed",
        number(verdict.value),
        f"{verdict.rule} {number(verdict.threshold)}",
        override_note(state),
        status(state),
    )


def decision_page(decision: Decision) -> str:
    """The decision as Markdown: outcome, table of the gates, then each gate's evidence and what would open it."""
    rows = [f"| {' | '.join(map(_text, cells(gate)))} |" for gate in decision.gates]
    lines = [
        f"# The candidate is {decision.outcome}",
        "",
        headline(decision),
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{' --- |' * len(COLUMNS)}",
        *rows,
    ]
    for gate in decision.gates:
        name = gate.verdict.gate
        lines += ["", f"## {name}: {status(gate)}", "", f"- Reason: {_text(gate.verdict.reason)}"]
        lines += [f"- Evidence: `{gate.record()['evidence']}`, `{DETAILS[name]}`"]
        lines += [f"- Override: {_text(override_note(gate))}"] if gate.override is not None else []
        lines += [f"- What to do: {'; '.join(advice(gate))}"]
    if decision.restated:
        lines += ["", "## Restated", "", RESTATED, ""]
        lines += [f"- {_text(entry.file)}: {_text(entry.reason)}" for entry in decision.restated]
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """A person's words inside a page or a table's cell: one line, and no markup of their own."""
    line = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", line)
