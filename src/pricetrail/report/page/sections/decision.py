"""The decision: every gate's value against its threshold, and the run's figures in short."""

from pricetrail.checks.gates import Decision, GateState
from pricetrail.report.page.blocks import GateCard, Gates, Note, Section, State, Tile, Tiles
from pricetrail.report.page.charts import Item, bullet
from pricetrail.report.page.words import between, count, name, number, percent, plural, sentence, signed_fixed
from pricetrail.report.results import PRIMARY, PageResults


def decision_section(results: PageResults) -> Section:
    """Outcome, gates, and what the run comes to."""
    decision = results.decision
    may = decision.may_be_released
    cards = tuple(_card(gate) for gate in decision.gates)
    outcome: tuple[str, State] = ("May be released", "pass") if may else ("Withheld", "fail")
    gates = Gates(*outcome, _sentence(decision), cards)
    named = "; ".join(f"{entry.file} ({entry.reason})" for entry in decision.restated)
    notes = (Note(f"{named}.", "Rewrote days already released", strong=True),) if named else ()
    return Section("decision", "Decision", "", (gates, *notes, Tiles(_tiles(results))))


def _sentence(decision: Decision) -> str:
    closed = [gate.replace("_", " ") for gate in decision.closed]
    overridden = [gate.replace("_", " ") for gate in decision.overridden]
    if closed:
        which = " and ".join(closed)
        return f"{plural(len(closed), 'gate')} of {len(decision.gates)} closed: {which}. The candidate does not serve."
    if overridden:
        return f"Every gate is open, {' and '.join(overridden)} by an override. It serves once a release is made of it."
    return f"All {len(decision.gates)} gates are open. It serves once a release is made of it."


def gate_state(gate: GateState) -> tuple[State, str]:
    """Icon and word of a verdict."""
    if gate.value is None:
        return "unknown", "Not computed: failed"
    if gate.passed:
        return "pass", gate.word.capitalize()
    return "fail", "Failed, opened by an override" if gate.override else "Failed"


def _card(gate: GateState) -> GateCard:
    state, word = gate_state(gate)
    at_least = gate.rule == ">="
    item = None if gate.value is None else Item(gate.value, "bar", "main" if gate.passed else "bad")
    must = f"{'at least' if at_least else 'at most'} {number(gate.threshold)}"
    title = f"{gate.gate.replace('_', ' ')} gate: {number(gate.value)}, must be {must}"
    chart = bullet(f"gate-{gate.gate}", title, f"{word}. {sentence(gate.reason)}", item, gate.threshold, at_least)
    heading = gate.gate.replace("_", " ").capitalize()
    return GateCard(heading, state, word, sentence(gate.reason), gate.override or "", chart)


def _tiles(results: PageResults) -> tuple[Tile, ...]:
    own = next((model for model in results.models.models if model.name == PRIMARY), None)
    tiles = []
    if own is not None:
        interval = between(own.mse.low, own.mse.high, 3)
        tiles.append(Tile("Error on the test days", number(own.mse.value, 3), f"MSE of log quantity, {interval}"))
    rival = next(iter(results.rivals), None)
    if rival is not None and rival.ratio is not None:
        less = signed_fixed(100 * (rival.ratio - 1), 1) + "%"
        tiles.append(Tile(f"Against {name(rival.name)}", less, "error, best baseline"))
    test = results.test
    low, high = test.skill_interval
    tiles.append(Tile("Skill", percent(test.skill), f"of the median’s error gone, {percent(low)} to {percent(high)}"))
    if results.intervals is not None:
        held = results.intervals.interval_80.coverage
        tiles.append(Tile("80% intervals hold", percent(held, 1), f"of {count(test.rows)} test lines"))
    return tuple(tiles)
