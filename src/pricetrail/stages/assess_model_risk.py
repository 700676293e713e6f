"""Stage ``assess_model_risk``: errors by group, the fairness verdict, and the decision over all gates."""

import logging
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from pricetrail import files
from pricetrail.fairness import fairness_by_group, fairness_verdict
from pricetrail.gates import decide, read_verdict
from pricetrail.stages import run_stage
from pricetrail.streams import stream

PREDICTIONS, DRIFT, TEST = Path("data/predictions.parquet"), Path("metrics/drift.json"), Path("metrics/test.json")
FAIRNESS, DECISION, PLOT = (
    Path("metrics/fairness.json"),
    Path("metrics/decision.json"),
    Path("reports/error_by_group.csv"),
)

log = logging.getLogger(__name__)


def main() -> None:
    """Assess every sensitive column, then decide."""
    params = files.read_params()
    predictions = files.read_table(PREDICTIONS)
    columns = [
        fairness_by_group(predictions, column, params.fairness, params.gates, stream(params.seed, f"fairness {column}"))
        for column in params.fairness.columns
    ]
    fairness = fairness_verdict(columns)
    verdicts = [read_verdict(files.read_json(path), str(path)) for path in (DRIFT, TEST)]
    decision = decide([*verdicts, fairness], params.gates.overrides)

    chosen = {f"{c.column}_{params.fairness.metric}": c.figures[params.fairness.metric].value for c in columns}
    files.write_json(
        FAIRNESS,
        {**chosen, "passed": fairness.passed, "columns": [c.record() for c in columns], "verdicts": [asdict(fairness)]},
    )
    files.write_csv(PLOT, pd.concat([c.plot_rows() for c in columns]))
    open_gates = sum(gate.is_open for gate in decision.gates)
    files.write_json(DECISION, {"outcome": decision.outcome, "open_gates": open_gates, "gates": decision.records()})
    for gate in decision.gates:
        level = logging.INFO if gate.is_open else logging.WARNING
        log.log(level, "%s gate %s: %s", gate.verdict.gate, "open" if gate.is_open else "closed", gate.verdict.reason)
    log.info("the candidate is %s", decision.outcome)


if __name__ == "__main__":
    run_stage("assess_model_risk", main)
