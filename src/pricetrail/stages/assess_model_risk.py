"""Stage ``assess_model_risk``: errors by group, the fairness verdict, and the decision over all gates."""

import logging
from pathlib import Path

import pandas as pd

from pricetrail.base import files
from pricetrail.checks.decision import decision_page
from pricetrail.checks.fairness import assess_fairness
from pricetrail.checks.gates import OUTCOME_WORDS, decide, read_verdict
from pricetrail.data.encoder import Encoder
from pricetrail.data.groups import sensitive_groups
from pricetrail.stages import run_stage

PREDICTIONS, DRIFT, TEST = Path("data/predictions.parquet"), Path("metrics/drift.json"), Path("metrics/test.json")
BEFORE, ENCODER = (Path("data/splits/train"), Path("data/splits/validation")), Path("models/encoder.json")
FAIRNESS, DECISION = Path("metrics/fairness.json"), Path("metrics/decision.json")
ROW = Path("metrics/gates/decision.json")
PLOT, PAGE = Path("reports/error_by_group.csv"), Path("reports/decision.md")

log = logging.getLogger(__name__)


def main() -> None:
    """Assess every sensitive column and their intersections, then decide."""
    params = files.read_params()
    drift = read_verdict(files.read_json(DRIFT), str(DRIFT), "drift")
    accuracy = read_verdict(files.read_json(TEST), str(TEST), "accuracy")
    home = Encoder.from_json(files.read_text(ENCODER)).home_country
    earlier = pd.concat([pd.DataFrame(sensitive_groups(files.read_table(path), home)) for path in BEFORE])
    fairness = assess_fairness(files.read_table(PREDICTIONS), earlier, params.fairness, params.gates, params.seed)
    decision = decide([drift, accuracy, fairness.verdict], params.gates.overrides, params.data.restated)

    files.write_record(FAIRNESS, fairness.result())
    files.write_csv(PLOT, fairness.plot_rows())
    files.write_json(DECISION, decision.record())
    files.write_json(ROW, {"outcome": decision.outcome, "skill": accuracy.value, "gap": fairness.verdict.value})
    files.write_text(PAGE, decision_page(decision))
    for gate in decision.gates:
        level = logging.INFO if gate.open else logging.WARNING
        log.log(level, "%s gate %s: %s", gate.gate, "open" if gate.open else "closed", gate.reason)
    for entry in decision.restated:
        log.warning("%s rewrote days already released: %s", entry.file, entry.reason)
    log.info("the candidate %s", OUTCOME_WORDS[decision.outcome])


if __name__ == "__main__":
    run_stage("assess_model_risk", main)
