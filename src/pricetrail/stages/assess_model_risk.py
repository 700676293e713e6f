"""Stage ``assess_model_risk``: errors by group, the fairness verdict, and the decision over all gates."""

import logging
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from pricetrail import evaluation, files
from pricetrail.evaluation import GroupFigures
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
        evaluation.fairness_by_group(
            predictions, column, params.fairness, params.gates, stream(params.seed, f"fairness {column}")
        )
        for column in params.fairness.columns
    ]
    fairness = evaluation.fairness_verdict(columns)
    verdicts = [read_verdict(files.read_json(path), str(path)) for path in (DRIFT, TEST)]
    decision = decide([*verdicts, fairness], params.gates.overrides)

    chosen = {f"{c.column}_{params.fairness.metric}": c.figures[params.fairness.metric].value for c in columns}
    files.write_json(
        FAIRNESS,
        {**chosen, "passed": fairness.passed, "columns": [_record(c) for c in columns], "verdicts": [asdict(fairness)]},
    )
    files.write_csv(PLOT, pd.concat([_plot_rows(c) for c in columns]))
    open_gates = sum(gate.is_open for gate in decision.gates)
    files.write_json(DECISION, {"outcome": decision.outcome, "open_gates": open_gates, "gates": decision.records()})
    for gate in decision.gates:
        level = logging.INFO if gate.is_open else logging.WARNING
        log.log(level, "%s gate %s: %s", gate.verdict.gate, "open" if gate.is_open else "closed", gate.verdict.reason)
    log.info("the candidate is %s", decision.outcome)


def _record(figures: GroupFigures) -> files.Json:
    return {
        "column": figures.column,
        "passed": figures.verdict.passed,
        "reason": figures.verdict.reason,
        "not_assessed": figures.not_assessed,
        "figures": {name: asdict(interval) for name, interval in figures.figures.items()},
        "groups": {str(name): dict(row) for name, row in figures.by_group.iterrows()},
    }


def _plot_rows(figures: GroupFigures) -> pd.DataFrame:
    groups = figures.by_group.rename_axis("group").reset_index()
    return groups.assign(group=figures.column + ": " + groups["group"].astype(str))


if __name__ == "__main__":
    run_stage("assess_model_risk", main)
