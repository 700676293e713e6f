"""Verdicts, and what they stop.

A check that could not be computed has failed. An override is an entry of ``params.yaml`` with a reason; it opens a
gate, and never turns a verdict into a passed one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from pricetrail.errors import DataError

Outcome = Literal["released", "withheld"]
GateName = Literal["drift", "accuracy", "fairness"]


@dataclass(frozen=True)
class Verdict:
    """The recorded result of one check.

    Attributes:
        gate: drift, accuracy or fairness.
        value: the figure, None where it could not be computed.
        threshold: what it is held against.
        passed: whether it holds.
        reason: one sentence a person can act on.
    """

    gate: GateName
    value: float | None
    threshold: float
    passed: bool
    reason: str


@dataclass(frozen=True)
class GateState:
    """A verdict, and whether the gate lets a candidate through."""

    verdict: Verdict
    override: str | None

    @property
    def is_open(self) -> bool:
        """Passed, or overridden with a reason."""
        return self.verdict.passed or self.override is not None


@dataclass(frozen=True)
class Decision:
    """What becomes of a candidate: released when every gate is open."""

    gates: tuple[GateState, ...]

    @property
    def outcome(self) -> Outcome:
        """``released`` only where there is a gate and all are open."""
        return "released" if self.gates and all(gate.is_open for gate in self.gates) else "withheld"

    def records(self) -> list[dict[str, str | float | bool | None]]:
        """Every gate's verdict with its override, flat."""
        return [{**asdict(gate.verdict), "open": gate.is_open, "override": gate.override} for gate in self.gates]


def at_least(gate: GateName, value: float, threshold: float, what: str) -> Verdict:
    """A verdict that passes from the threshold on; NaN fails."""
    return _hold(gate, value, threshold, value >= threshold, what, ">=")


def at_most(gate: GateName, value: float, threshold: float, what: str) -> Verdict:
    """A verdict that passes up to the threshold; NaN fails."""
    return _hold(gate, value, threshold, value <= threshold, what, "<=")


def _hold(gate: GateName, value: float, threshold: float, passed: bool, what: str, sign: str) -> Verdict:
    if not math.isfinite(value):
        return not_computed(gate, threshold, f"{what} could not be computed")
    relation = f"must be {sign} {threshold:g}"
    return Verdict(gate, value, threshold, passed, f"{what} is {value:.4g}, {relation}")


def not_computed(gate: GateName, threshold: float, reason: str) -> Verdict:
    """The verdict of a check without a figure: failed."""
    return Verdict(gate, None, threshold, False, reason)


_VERDICTS: TypeAdapter[list[Verdict]] = TypeAdapter(list[Verdict])


def read_verdict(tree: Mapping[str, object], place: str) -> Verdict:
    """The one record in ``verdicts`` of a metrics file (a list, so that ``dvc metrics show`` leaves it out).

    Raises:
        DataError: where it is not there or not whole; a damaged record is no pass.
    """
    try:
        (verdict,) = _VERDICTS.validate_json(json.dumps(tree.get("verdicts")), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(["verdicts", *map(str, first["loc"])])
        raise DataError(place, f"{key} must be whole: {first['msg']}", first["input"]) from None
    except ValueError:
        raise DataError(place, "must hold one verdict") from None
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


def decide(verdicts: Sequence[Verdict], overrides: Mapping[GateName, str]) -> Decision:
    """Hold every gate's verdict together with its override."""
    return Decision(tuple(GateState(verdict, overrides.get(verdict.gate)) for verdict in verdicts))
