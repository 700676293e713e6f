"""A pipeline whose stages take a moment, for worlds in which the scheduled run is what is tested.

Its ETL and its drift gate are the real ones; the others write what the real ones write for the run to publish: a bundle
with its manifest, verdicts, decision, record of the run. `python tests/support/short_pipeline.py STAGE` runs one.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from pathlib import Path

from pricetrail.base import files
from pricetrail.checks.gates import EVIDENCE, RULES, GateName, Verdict, decide, read_verdict

BUNDLE, PROCESSED = Path("models/candidate"), Path("data/processed")
WEIGHTS_BYTES, TRAINING_SECONDS = 400_000, 0.3
DVC_YAML = """\
vars:
  - real: python -m pricetrail.stages
  - short: python tests/support/short_pipeline.py
stages:
  etl_pipeline:
    cmd: ${real}.etl_pipeline
    deps: ["${data.path}", src/pricetrail/stages/etl_pipeline.py]
    params: [data, features]
    outs: [data/original, data/processed, data/quarantine.parquet, data/product_state.parquet]
    metrics: [metrics/etl.json: {cache: false}]
  data_drift_check:
    cmd: ${short} data_drift_check
    deps: [data/processed, tests/support/short_pipeline.py]
    params: [drift]
    metrics: [metrics/drift.json: {cache: false}]
  drift_gate:
    cmd: ${real}.drift_gate
    deps: [metrics/drift.json, src/pricetrail/stages/drift_gate.py]
    params: [drift.policy, gates.overrides]
    outs: [metrics/gates/drift.json: {cache: false}]
  tune_primary_model:
    cmd: ${short} tune_primary_model
    deps: [data/processed, metrics/gates/drift.json, tests/support/short_pipeline.py]
    outs: [models/candidate]
  assess_model_risk:
    cmd: ${short} assess_model_risk
    deps: [models/candidate, metrics/drift.json, tests/support/short_pipeline.py]
    params: [gates]
    metrics: [metrics/test.json: {cache: false}, metrics/fairness.json: {cache: false},
      metrics/decision.json: {cache: false}]
  record_run:
    cmd: ${short} record_run
    deps: [models/candidate, metrics/decision.json, tests/support/short_pipeline.py]
    metrics: [reports/lineage.json: {cache: false}]
"""


def sha256(path: Path) -> str:
    """Of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verdict(gate: GateName, value: float, threshold: float) -> Verdict:
    """Held against its threshold as the gate's rule says."""
    passed = value <= threshold if RULES[gate] == "<=" else value >= threshold
    return Verdict(
        gate, value, threshold, passed, f"{gate} is {value:g}, must be {RULES[gate]} {threshold:g}", RULES[gate]
    )


def write_evidence(found: Verdict, **figures: float) -> None:
    """A gate's metrics file."""
    files.write_json(Path(EVIDENCE[found.gate]), {**figures, "verdicts": [vars(found)]})


def data_drift_check() -> None:
    """A drift of 0.25, always."""
    write_evidence(verdict("drift", 0.25, files.read_params().drift.max_share))


def tune_primary_model() -> None:
    """Weights that follow from the lines."""
    time.sleep(TRAINING_SECONDS)
    lines = "".join(sha256(path) for path in sorted(PROCESSED.glob("*.parquet")))
    BUNDLE.mkdir(parents=True)
    (BUNDLE / "weights.safetensors").write_bytes(random.Random(lines).randbytes(WEIGHTS_BYTES))
    (BUNDLE / "model.json").write_text("{}\n")
    hashes = {path.name: sha256(path) for path in sorted(BUNDLE.iterdir())}
    (BUNDLE / "manifest.json").write_text(json.dumps({"sha256": hashes}))


def assess_model_risk() -> None:
    """Two verdicts that pass, and the decision over all three."""
    error = int(sha256(BUNDLE / "manifest.json")[:4], 16) / 2**16
    accuracy, fairness = verdict("accuracy", 0.5, 0.1), verdict("fairness", 0.2, 0.5)
    write_evidence(accuracy, mse_log_quantity=round(error, 4), skill=0.5)
    write_evidence(fairness)
    drift = read_verdict(files.read_json(Path(EVIDENCE["drift"])), EVIDENCE["drift"], "drift")
    files.write_record(Path("metrics/decision.json"), decide([drift, accuracy, fairness], {}))


def record_run() -> None:
    """The run's name and its bundle."""
    bundle = sha256(BUNDLE / "manifest.json")
    files.write_json(Path("reports/lineage.json"), {"run": bundle[:12], "bundle": bundle})


if __name__ == "__main__":
    {work.__name__: work for work in (data_drift_check, tune_primary_model, assess_model_risk, record_run)}[
        sys.argv[1]
    ]()
