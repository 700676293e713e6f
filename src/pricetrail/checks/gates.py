"""Verdicts, and what they stop.

A check that could not be computed has failed. An override is an entry of ``params.yaml`` with a reason; it opens a
gate, and never turns a verdict into a passed one. A recorded verdict is derived again when it is read: one that does
not follow from its own figures is refused.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, get_args

from pricetrail.base.errors import DataError
from pricetrail.base.typed_json import parse_as, record

Outcome = Literal["released", "withheld"]
OUTCOME_WORDS: Final[Mapping[str, str]] = {"released": "may be released", "withheld": "is withheld"}
GateName = Literal["drift", "accuracy", "fairness"]
Rule = Literal["<=", ">="]
GATES: Final[tuple[GateName, ...]] = get_args(GateName)
RULES: Final[Mapping[GateName, Rule]] = {"drift": "<=", "accuracy": ">=", "fairness": "<="}
EVIDENCE: Final[Mapping[GateName, str]] = {
    "drift": "metrics/drift.json",
    "accuracy": "metrics/test.json",
    "fairness": "metrics/fairness.json",
}


NO_OBJECT: Final = "nothing to assess: "  # how the reason of such a verdict begins


@dataclass(frozen=True)
class Verdict:
    """The recorded result of one check.

    Attributes:
        gate: drift, accuracy or fairness.
        value: the figure, None where it could not be computed.
        threshold: what it is held against.
        passed: whether it holds.
        reason: one sentence a person can act on.
        rule: how value and threshold must stand to each other. A check may ask for more, never for less.
    """

    gate: GateName
    value: float | None
    threshold: float
    passed: bool
    reason: str
    rule: Rule

    @property
    def word(self) -> str:
        """The verdict in a table."""
        if not self.passed:
            return "failed"
        return "nothing to assess" if self.reason.startswith(NO_OBJECT) else "passed"

    @property
    def holds(self) -> bool:
        """Whether the value stands to the threshold as the rule says; False without a finite value."""
        if self.value is None or not math.isfinite(self.value) or not math.isfinite(self.threshold):
            return False
        return self.value <= self.threshold if self.rule == "<=" else self.value >= self.threshold


@dataclass(frozen=True)
class GateState(Verdict):
    """A verdict, and whether the gate lets a candidate through; made by ``gate_state``.

    Attributes:
        open: passed, or overridden with a reason.
        override: the reason that ``params.yaml`` gives, None without one.
        override_used: a reason opens a gate that the verdict closed; that of a passed verdict is unused.
        evidence: the metrics file that holds the verdict.
    """

    open: bool
    override: str | None
    override_used: bool
    evidence: str

    @property
    def verdict(self) -> Verdict:
        """What the check said, without what became of it."""
        return Verdict(self.gate, self.value, self.threshold, self.passed, self.reason, self.rule)


def gate_state(verdict: Verdict, override: str | None) -> GateState:
    """Hold a verdict together with its override."""
    used = not verdict.passed and bool(override and override.strip())
    return GateState(
        **asdict(verdict),
        open=verdict.passed or used,
        override=override,
        override_used=used,
        evidence=EVIDENCE[verdict.gate],
    )


@dataclass(frozen=True)
class Restatement:
    """A source file that rewrote days already released, and why (``data.restated``)."""

    file: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """``metrics/decision.json``: what may become of a candidate; made by ``decide``.

    Attributes:
        outcome: ``released`` (it may be) only where each gate has one verdict, and all are open.
        open_gates: how many these are.
        gates: each verdict with its override.
        restated: what it learned from that is no longer what a release before it learned from; no gate.
    """

    outcome: Outcome
    open_gates: int
    gates: tuple[GateState, ...]
    restated: tuple[Restatement, ...] = ()

    @property
    def may_be_released(self) -> bool:
        """Whether every gate let the candidate through; whether there is a release is not known here."""
        return self.outcome == "released"

    @property
    def closed(self) -> tuple[GateName, ...]:
        """Names of the closed gates."""
        return tuple(gate.gate for gate in self.gates if not gate.open)

    @property
    def overridden(self) -> tuple[GateName, ...]:
        """Names of the gates that only an override opens."""
        return tuple(gate.gate for gate in self.gates if gate.override_used)

    def record(self) -> dict[str, Any]:
        """The tree of its file."""
        return record(self)


def outcome_word(outcome: str) -> str:
    """An outcome in a cell of a table; a decision does not know whether there is a release.

    >>> outcome_word("released"), outcome_word("withheld")
    ('may be released', 'withheld')
    """
    return OUTCOME_WORDS.get(outcome, outcome).removeprefix("is ")


def hold(gate: GateName, value: float | None, threshold: float, what: str) -> Verdict:
    """A value against its threshold, which still passes, by the gate's rule; None and NaN fail."""
    if value is None or not math.isfinite(value):
        return not_computed(gate, threshold, f"{what} could not be computed")
    rule = RULES[gate]
    verdict = Verdict(gate, value, threshold, False, f"{what} is {value:.4g}, must be {rule} {threshold:g}", rule)
    return replace(verdict, passed=verdict.holds)


def not_computed(gate: GateName, threshold: float, reason: str) -> Verdict:
    """The verdict of a check without a figure: failed."""
    return Verdict(gate, None, threshold, False, reason, RULES[gate])


def no_object(gate: GateName, threshold: float, why: str) -> Verdict:
    """The verdict of a check of differences that has nothing to compare: of one group the largest difference is 0."""
    return Verdict(gate, 0.0, threshold, True, f"{NO_OBJECT}{why}", RULES[gate])


def require_sound(verdict: Verdict, place: str, gate: GateName) -> None:
    """Derive a recorded verdict again.

    Raises:
        DataError: it is of another gate, has another rule than its gate, a figure that is no number, or has passed
            although its value does not stand to its threshold as the rule says.
    """
    if verdict.gate != gate:
        raise DataError(place, f"must hold the verdict of the {gate} gate", verdict.gate)
    if verdict.rule != RULES[gate]:
        raise DataError(place, f"rule of the {gate} gate must be {RULES[gate]}", verdict.rule)
    for name, figure in (("value", verdict.value), ("threshold", verdict.threshold)):
        if figure is not None and not math.isfinite(figure):
            raise DataError(place, f"{name} of the {gate} gate must be a finite number", figure)
    if verdict.passed and not verdict.holds:
        rule = f"passed of the {gate} gate does not follow from its figures, {verdict.value} {verdict.rule}"
        raise DataError(place, f"{rule} {verdict.threshold:g}", verdict.passed)


@dataclass(frozen=True)
class _Evidence:
    """Of a metrics file the part that every gate's file has."""

    verdicts: tuple[Verdict, ...]


def read_verdict(tree: Mapping[str, object], place: str, gate: GateName) -> Verdict:
    """The one record in ``verdicts`` of a metrics file (a list, so that ``dvc metrics show`` leaves it out).

    Args:
        tree: of the metrics file.
        place: the file, for messages.
        gate: whose verdict it must be.

    Raises:
        DataError: where it is not there, not whole or not sound (``require_sound``); a damaged record is no pass.
    """
    verdicts = parse_as(_Evidence, tree, place).verdicts
    if len(verdicts) != 1:
        raise DataError(place, "must hold one verdict")
    verdict = verdicts[0]
    require_sound(verdict, place, gate)
    return verdict


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that speaks for several of one gate: the first failed one, else the one closest to failing.

    Raises:
        ValueError: where there is none; no evidence is no pass.
    """
    if not verdicts:
        raise ValueError("a gate needs at least one verdict")
    failed = [verdict for verdict in verdicts if not verdict.passed]
    return failed[0] if failed else max(verdicts, key=lambda verdict: verdict.value or 0.0)


def decide(
    verdicts: Sequence[Verdict], overrides: Mapping[GateName, str], restated: Mapping[str, str] | None = None
) -> Decision:
    """Hold every gate's verdict together with its override; ``restated`` gives each file's reason."""
    gates = tuple(gate_state(verdict, overrides.get(verdict.gate)) for verdict in verdicts)
    complete = sorted(gate.gate for gate in gates) == sorted(GATES)
    return Decision(
        outcome="released" if complete and all(gate.open for gate in gates) else "withheld",
        open_gates=sum(gate.open for gate in gates),
        gates=gates,
        restated=tuple(Restatement(file, reason) for file, reason in sorted((restated or {}).items())),
    )
