"""Stage ``record_run``: what this run was made of, by hash, and the ledger of all runs."""

import hashlib
import json
import logging
from dataclasses import asdict
from pathlib import Path

from pricetrail.base import files
from pricetrail.base.params import FILE
from pricetrail.lineage import ledger
from pricetrail.lineage.dvc_yaml import before, lookup, parse_pipeline
from pricetrail.lineage.lock import parse_yaml
from pricetrail.lineage.record import stage_records
from pricetrail.stages import run_stage

NAME = "record_run"
DAG, DEMO_DAG = Path("dag.yaml"), Path("demo/dag.yaml")  # DVC takes no dvc.yaml as a dependency: links to them
MANIFEST = Path("models/candidate/manifest.json")
DECISION, ETL = Path("metrics/decision.json"), Path("metrics/etl.json")
LINEAGE, LEDGER = Path("reports/lineage.json"), Path("reports/runs.jsonl")

log = logging.getLogger(__name__)


def main() -> None:
    """Record the stages before this one, and add the run to the ledger where it is new."""
    source = files.read_params().data.path
    params = parse_yaml(files.read_text(Path(FILE)), FILE)  # as they are written, which is what DVC records
    pipeline = parse_pipeline(files.read_text(DAG), params)
    plans = before(pipeline, NAME)
    has_demo = any(str(DEMO_DAG) in plan.deps for plan in pipeline if plan.name == NAME)
    demo = parse_pipeline(files.read_text(DEMO_DAG), params, "demo/dvc.yaml") if has_demo else ()
    stages = stage_records(plans, demo, source, params)

    bundle = hashlib.sha256(files.read_bytes(MANIFEST)).hexdigest()
    metrics = {
        path.removeprefix("metrics/").removesuffix(".json"): files.read_json(Path(path))
        for plan in plans
        for path in plan.results
    }
    settings = {key: lookup(params, key) for plan in pipeline if plan.name == NAME for key in plan.params}
    run = ledger.run_of(stages, bundle, files.read_json(DECISION), files.read_json(ETL), metrics, settings)
    old = files.read_text(LEDGER) if LEDGER.exists() else ""
    new = ledger.with_run(old, run, str(LEDGER))

    lineage = asdict(ledger.Lineage(run.run, bundle, stages))
    files.write_text(LINEAGE, json.dumps(lineage, indent=1) + "\n")
    if new != old:
        files.write_text(LEDGER, new)
    log.info("run %s: %s, %d in the ledger", run.run, run.outcome, new.count("\n"))


if __name__ == "__main__":
    run_stage(NAME, main)
