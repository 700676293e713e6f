"""Verdicts, and what they stop.

A check that could not be computed has failed. An override is an entry of ``params.yaml`` with a reason; it opens a
gate, and never turns a verdict into a passed one. A recorded verdict is derived again when it is read: one that does
not follow from its own figures is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal, get_args

from pydantic import TypeAdapter, ValidationError

from pricetrail.base.errors import DataError
from pricetrail.base.json_type import Json

Outcome = Literal["released", "withheld"]
GateName = Literal["drift", "accuracy", "fairness"]
Rule = Literal["<=", ">="]
GATES: Final[tuple[GateName, ...]] = get_args(GateName)
RULES: Final[Mapping[GateName, Rule]] = {"drift": "<=", "accuracy": ">=", "fairness": "<="}
EVIDENCE: Final[Mapping[GateName, str]] = {
    "drift": "metrics/drift.json",
    "accuracy": "metrics/test.json",
    "fairness": "metrics/fairness.json",
}


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
    def holds(self) -> bool:
        """Whether the value stands to the threshold as the rule says; False without a finite value."""
        if self.value is None or not math.isfinite(self.value) or not math.isfinite(self.threshold):
            return False
        return self.value <= self.threshold if self.rule == "<=" else self.value >= self.threshold


@dataclass(frozen=True)
class GateState:
    """A verdict, and whether the gate lets a candidate through."""

    verdict: Verdict
    override: str | None

    @property
    def is_open(self) -> bool:
        """Passed, or overridden with a reason."""
        return self.verdict.passed or self.override_used

    @property
    def override_used(self) -> bool:
        """Whether a reason opens a gate that the verdict closed; that of a passed verdict is unused."""
        return not self.verdict.passed and bool(self.override and self.override.strip())

    def record(self) -> dict[str, Json]:
        """Flat, as ``metrics/decision.json`` holds it."""
        return {
            **asdict(self.verdict),
            "open": self.is_open,
            "override": self.override,
            "override_used": self.override_used,
            "evidence": EVIDENCE[self.verdict.gate],
        }


@dataclass(frozen=True)
class Restatement:
    """A source file that rewrote days already released, and why (``data.restated``)."""

    file: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """What becomes of a candidate: released when every gate is there and open.

    Attributes:
        gates: each verdict with its override.
        restated: what it learned from that is no longer what a release before it learned from; no gate.
    """

    gates: tuple[GateState, ...]
    restated: tuple[Restatement, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """``released`` only where each gate has one verdict, and all are open."""
        complete = sorted(gate.verdict.gate for gate in self.gates) == sorted(GATES)
        return "released" if complete and all(gate.is_open for gate in self.gates) else "withheld"

    @property
    def closed(self) -> tuple[GateName, ...]:
        """Names of the closed gates."""
        return tuple(gate.verdict.gate for gate in self.gates if not gate.is_open)

    def record(self) -> dict[str, Json]:
        """The tree of ``metrics/decision.json``."""
        return {
            "outcome": self.outcome,
            "open_gates": len(self.gates) - len(self.closed),
            "gates": [gate.record() for gate in self.gates],
            "restated": [asdict(entry) for entry in self.restated],
        }


def at_least(gate: GateName, value: float, threshold: float, what: str) -> Verdict:
    """A verdict that passes from the threshold on; NaN fails."""
    return _hold(gate, value, threshold, what, ">=")


def at_most(gate: GateName, value: float, threshold: float, what: str) -> Verdict:
    """A verdict that passes up to the threshold; NaN fails."""
    return _hold(gate, value, threshold, what, "<=")


def _hold(gate: GateName, value: float, threshold: float, what: str, rule: Rule) -> Verdict:
    if not math.isfinite(value):
        return not_computed(gate, threshold, f"{what} could not be computed")
    verdict = Verdict(gate, value, threshold, False, f"{what} is {value:.4g}, must be {rule} {threshold:g}", rule)
    return replace(verdict, passed=verdict.holds)


def not_computed(gate: GateName, threshold: float, reason: str) -> Verdict:
    """The verdict of a check without a figure: failed."""
    return Verdict(gate, None, threshold, False, reason, RULES[gate])


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


_VERDICTS: TypeAdapter[list[Verdict]] = TypeAdapter(list[Verdict])


def read_verdict(tree: Mapping[str, object], place: str, gate: GateName) -> Verdict:
    """The one record in ``verdicts`` of a metrics file (a list, so that ``dvc metrics show`` leaves it out).

    Args:
        tree: of the metrics file.
        place: the file, for messages.
        gate: whose verdict it must be.

    Raises:
        DataError: where it is not there, not whole or not sound (``require_sound``); a damaged record is no pass.
    """
    try:
        (verdict,) = _VERDICTS.validate_json(json.dumps(tree.get("verdicts")), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["verdicts", *map(str, first["loc"])])
        raise DataError(place, f"{key} must be whole: {first['msg']}", first["input"]) from None
    except ValueError:
        raise DataError(place, "must hold one verdict") from None
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
    states = tuple(GateState(verdict, overrides.get(verdict.gate)) for verdict in verdicts)
    return Decision(states, tuple(Restatement(file, reason) for file, reason in sorted((restated or {}).items())))
