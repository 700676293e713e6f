"""The decision over all gates as a page, and what a recorded one must be to be believed."""

from collections.abc import Mapping
from typing import Any, Final

from pricetrail.base.errors import DataError
from pricetrail.base.escaping import markdown_text
from pricetrail.base.typed_json import parse_as
from pricetrail.checks.gates import GATES, OUTCOME_WORDS, Decision, GateName, GateState, decide, require_sound

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
    recorded = parse_as(Decision, tree, place)
    names = [gate.gate for gate in recorded.gates]
    if tuple(names) != GATES:
        raise DataError(place, f"gates must be {', '.join(GATES)}", ", ".join(names))
    for gate in recorded.gates:
        require_sound(gate, place, gate.gate)
        if gate.override is not None and not gate.override.strip():
            raise DataError(place, f"override of the {gate.gate} gate must give a reason", gate.override)
    for entry in recorded.restated:
        if not entry.reason.strip():
            raise DataError(place, f"restatement of {entry.file} must give a reason", entry.reason)
    overrides = {gate.gate: gate.override for gate in recorded.gates if gate.override is not None}
    restated = {entry.file: entry.reason for entry in recorded.restated}
    derived = decide([gate.verdict for gate in recorded.gates], overrides, restated)
    _require_equal(tree, derived.record(), place)
    return derived


def _require_equal(tree: Mapping[str, Any], derived: Mapping[str, Any], place: str) -> None:
    """Compare a recorded tree with the one its gates give."""
    for gate, recorded in zip(derived["gates"], tree["gates"], strict=True):
        for key, value in recorded.items():
            if key not in gate or gate[key] != value:
                raise DataError(place, f"{key} of the {gate['gate']} gate does not follow from its verdict", value)
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

    >>> headline(decide([], {}))
    'No gate gave a verdict.'
    """
    if not decision.gates:
        return "No gate gave a verdict."
    by_override = f"; open by override: {', '.join(decision.overridden)}" if decision.overridden else ""
    if decision.closed:
        return f"Closed: {', '.join(decision.closed)}{by_override}."
    return f"All gates are open{by_override}."


def advice(state: GateState) -> tuple[str, ...]:
    """What a person may do about a gate, one clause each."""
    gate = state.gate
    override = f"gates.overrides.{gate}"
    if state.override_used:
        return (
            f"open by override, the verdict stays failed; take `{override}` out of `params.yaml` to close it",
            REMEDIES[gate],
        )
    if not state.passed:
        return (
            REMEDIES[gate],
            f"or answer for it: `{override}: <reason>` in `params.yaml`, then `dvc repro`; the verdict stays failed",
        )
    if state.override is not None:
        return (f"the override is not used, the gate passed; take `{override}` out of `params.yaml`",)
    return ("nothing to do",)


def status(state: GateState) -> str:
    """``open``, ``open by override`` or ``closed``."""
    if not state.open:
        return "closed"
    return "open by override" if state.override_used else "open"


def override_note(state: GateState) -> str:
    """The override's reason, with a note where it is not used; a dash where there is none."""
    if state.override is None:
        return "–"
    return state.override if state.override_used else f"{state.override} (not used)"


def cells(state: GateState) -> tuple[str, ...]:
    """A gate's row in a table with ``COLUMNS``."""
    return (
        state.gate,
        state.word,
        number(state.value),
        f"{state.rule} {number(state.threshold)}",
        override_note(state),
        status(state),
    )


def decision_page(decision: Decision) -> str:
    """The decision as Markdown: outcome, table of the gates, then each gate's evidence and what would open it."""
    rows = [f"| {' | '.join(map(markdown_text, cells(gate)))} |" for gate in decision.gates]
    lines = [
        f"# The candidate {OUTCOME_WORDS[decision.outcome]}",
        "",
        headline(decision),
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{' --- |' * len(COLUMNS)}",
        *rows,
    ]
    for gate in decision.gates:
        name = gate.gate
        lines += ["", f"## {name}: {status(gate)}", "", f"- Reason: {markdown_text(gate.reason)}"]
        lines += [f"- Evidence: `{gate.evidence}`, `{DETAILS[name]}`"]
        lines += [f"- Override: {markdown_text(override_note(gate))}"] if gate.override is not None else []
        lines += [f"- What to do: {'; '.join(advice(gate))}"]
    if decision.restated:
        lines += ["", "## Restated", "", RESTATED, ""]
        lines += [f"- {markdown_text(entry.file)}: {markdown_text(entry.reason)}" for entry in decision.restated]
    return "\n".join(lines) + "\n"
