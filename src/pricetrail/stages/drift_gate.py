"""Stage ``drift_gate``: stops the pipeline where the policy is ``stop``, the verdict failed and nothing overrides it.

It is a stage of its own because DVC tracks nothing of a stage that fails: the evidence belongs to the stage before.
"""

import logging
from pathlib import Path

from pricetrail.base import files
from pricetrail.base.errors import GateClosedError
from pricetrail.base.json_type import Json
from pricetrail.checks.gates import gate_state, read_verdict
from pricetrail.stages import run_stage

EVIDENCE, GATE = Path("metrics/drift.json"), Path("metrics/gates/drift.json")

log = logging.getLogger(__name__)


def main() -> None:
    """Exit 1, or write that the gate let the run through."""
    params = files.read_params()
    policy, override = params.drift.policy, params.gates.overrides.get("drift")
    verdict = read_verdict(files.read_json(EVIDENCE), str(EVIDENCE), "drift")
    state = gate_state(verdict, override)
    if policy == "stop" and not state.open:
        rule = f"{verdict.reason} (params.yaml: drift.policy is stop, and gates.overrides gives no reason to go on)"
        raise GateClosedError(str(EVIDENCE), rule)
    log.info("drift %s, policy %s, override %s", "passed" if verdict.passed else "failed", policy, override or "none")
    tree: dict[str, Json] = {"gate": "drift", "passed": verdict.passed, "open": state.open}
    files.write_json(GATE, {**tree, "policy": policy, "override": override})


if __name__ == "__main__":
    run_stage("drift_gate", main)
