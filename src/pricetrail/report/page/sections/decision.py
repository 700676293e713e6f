"""The decision: every gate's value against its threshold, and the run's figures in short."""

from __future__ import annotations

from pricetrail.report.page.blocks import GateCard, Gates, Note, Section, State, Tile, Tiles
from pricetrail.report.page.charts import Item, bullet
from pricetrail.report.page.facts import Decision, Facts, Gate, ModelScore
from pricetrail.report.page.words import between, count, name, number, percent, plural, sentence, signed_fixed

AT_LEAST = {"accuracy"}  # every other gate's value must stay below its threshold
PRIMARY = "network"


def decision_section(facts: Facts) -> Section:
    """Outcome, gates, and what the run comes to."""
    decision = facts.decision
    released = decision.outcome == "released"
    gates = Gates(
        outcome="Released" if released else "Withheld",
        state="pass" if released else "fail",
        sentence=_sentence(decision),
        cards=tuple(_card(gate) for gate in decision.gates),
    )
    notes = (_restated(decision),) if decision.restated else ()
    return Section("decision", "Decision", "", (gates, *notes, Tiles(_tiles(facts))))


def _restated(decision: Decision) -> Note:
    named = "; ".join(f"{entry.file} ({entry.reason})" for entry in decision.restated)
    return Note(f"{named}.", "Rewrote days already released", strong=True)


def _sentence(decision: Decision) -> str:
    closed = [gate.gate.replace("_", " ") for gate in decision.gates if not gate.open]
    overridden = [gate.gate.replace("_", " ") for gate in decision.gates if gate.open and not gate.passed]
    if not decision.gates:
        return "No gate was assessed, so the candidate stays where it is."
    if closed:
        which = " and ".join(closed)
        return f"{plural(len(closed), 'gate')} of {len(decision.gates)} closed: {which}. The candidate does not serve."
    if overridden:
        return f"Every gate is open, {' and '.join(overridden)} by an override. The candidate may serve."
    return f"All {len(decision.gates)} gates are open. The candidate may serve."


def gate_state(gate: Gate) -> tuple[State, str]:
    """Icon and word of a verdict."""
    if gate.value is None:
        return "unknown", "Not computed: failed"
    if gate.passed:
        return "pass", "Passed"
    return "fail", "Failed, opened by an override" if gate.override else "Failed"


def _card(gate: Gate) -> GateCard:
    state, word = gate_state(gate)
    at_least = gate.gate in AT_LEAST
    item = None if gate.value is None else Item(gate.value, "bar", "main" if gate.passed else "bad")
    must = f"{'at least' if at_least else 'at most'} {number(gate.threshold)}"
    title = f"{gate.gate.replace('_', ' ')} gate: {number(gate.value)}, must be {must}"
    chart = bullet(f"gate-{gate.gate}", title, f"{word}. {sentence(gate.reason)}", item, gate.threshold, at_least)
    heading = gate.gate.replace("_", " ").capitalize()
    return GateCard(heading, state, word, number(gate.value), sentence(gate.reason), gate.override or "", chart)


def _tiles(facts: Facts) -> tuple[Tile, ...]:
    own = next((model for model in facts.models if model.model == PRIMARY), None)
    tiles = []
    if own is not None:
        interval = between(own.mse_low, own.mse_high, 3)
        tiles.append(
            Tile("Error on the test days", number(own.mse_log_quantity, 3), f"MSE of log quantity, {interval}")
        )
    rival = best_rival(facts.models)
    if rival is not None:
        tiles.append(
            Tile(f"Against {name(rival.model)}", signed_fixed(100 * (rival.ratio - 1), 1) + "%", "error, best baseline")
        )
    skill = facts.skill
    low, high = skill.skill_interval
    tiles.append(Tile("Skill", percent(skill.skill), f"of the median’s error gone, {percent(low)} to {percent(high)}"))
    if facts.coverage is not None:
        held = facts.coverage.interval_80.coverage
        tiles.append(Tile("80% intervals hold", percent(held, 1), f"of {count(skill.rows)} test lines"))
    return tuple(tiles)


def best_rival(models: tuple[ModelScore, ...]) -> ModelScore | None:
    """The baseline with the lowest error, None where there is none."""
    rivals = [model for model in models if model.model != PRIMARY]
    return min(rivals, key=lambda model: model.mse_log_quantity) if rivals else None
