"""The list of faults; see ``faults``."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file

from support.clone import Clone
from support.evidence_faults import Fault, Inject, edit_bytes, edit_table, edit_text, remove, stages, unit_test

LINES, TRAIN, PREDICTIONS = "demo/lines", "data/splits/train", "data/predictions.parquet"
BUNDLE = "models/candidate"
ASSESSED = stages("assess_model_risk")
# The tiny shop moves more than a real one, so its dials let everything pass; these are the shipped ones but for one.
STRICT = "sed -i 's/max_column_ratio: .*/max_column_ratio: 2.0/' params.yaml"
DRIFT = f"{STRICT} && {stages('etl_pipeline', 'data_drift_check')}"
FAILED = r"(?m)^FAILED tests/"


def twice(clone: Clone) -> None:
    """Each source file once more, under another name."""
    for file in sorted((clone.folder / LINES).glob("*.parquet")):
        shutil.copy(file, file.with_name(f"again-{file.name}"))


def truncated(clone: Clone) -> None:
    """The last source file without its end."""
    file = sorted((clone.folder / LINES).glob("*.parquet"))[-1]
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[: len(content) // 2])


def nan_weights(clone: Clone) -> None:
    """A network that answers NaN, with a manifest that fits: no hash can tell."""
    file = clone.folder / BUNDLE / "weights.safetensors"
    tensors = {
        name: values * np.float32(np.nan) if values.dtype.kind == "f" else values
        for name, values in load_file(file).items()
    }
    file.unlink()
    save_file(tensors, file)
    manifest = clone.folder / BUNDLE / "manifest.json"
    tree = json.loads(manifest.read_text())
    tree["sha256"]["weights.safetensors"] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.unlink()
    manifest.write_text(json.dumps(tree, indent=1) + "\n")


def latest_lines(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Inject:
    """Another content of the last source file: the tiny shop's last week, which is the window of the drift check."""

    def inject(clone: Clone) -> None:
        file = sorted((clone.folder / LINES).glob("*.parquet"))[-1]
        edit_table(str(file.relative_to(clone.folder)), change)(clone)

    return inject


def lost_hash(clone: Clone) -> None:
    """The lock's hash of the bundle, written by hand."""
    edit_text("dvc.lock", r"(path: models/candidate\n +hash: md5\n +md5: )\w{6}", r"\g<1>abcdef")(clone)


def rounded_test_error(clone: Clone) -> None:
    """A nicer test error, in the metrics file."""
    edit_text("metrics/test.json", r'"mse_log_quantity": [\d.]+', '"mse_log_quantity": 0.1')(clone)


def shuffled(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The column's values in an order of their own."""
    return lambda table: table.assign(**{column: table[column].sample(frac=1, random_state=3).to_numpy()})


FAULTS = (
    Fault(
        "every source file sent twice",
        "ETL: files that only repeat others are refused by name",
        twice,
        stages("etl_pipeline"),
        r"ERROR .*again-2010-W48\.parquet repeats all its \d+ lines of 2010-W48\.parquet",
    ),
    Fault(
        "a source file without one of its columns",
        "ETL: the contract names file and column",
        edit_table(LINES, lambda lines: lines.drop(columns="UnitPrice")),
        stages("etl_pipeline"),
        r"ERROR .*2010-W48\.parquet.*UnitPrice",
    ),
    Fault(
        "a source file cut off in the middle",
        "ETL: the file is named, nothing is written",
        truncated,
        stages("etl_pipeline"),
        r"ERROR .*\.parquet: must be",
    ),
    Fault(
        "words in a tenth of the quantities",
        "ETL: `data.max_bad_share`",
        edit_table(
            LINES,
            lambda lines: lines.assign(Quantity=lines["Quantity"].astype(str).where(lines.index % 10 > 0, "a dozen")),
        ),
        stages("etl_pipeline"),
        r"ERROR .*data\.max_bad_share",
    ),
    Fault(
        "the last week's prices in pence (wrong unit or currency)",
        "gate: drift, `drift.max_column_ratio`",
        latest_lines(lambda lines: lines.assign(UnitPrice=lines["UnitPrice"] * 100)),
        DRIFT,
        r"WARNING .*times its threshold \(drift\.max_column_ratio is 2\)",
    ),
    Fault(
        "the last week's quantities in dozens",
        "gate: drift, `drift.max_column_ratio` (target)",
        latest_lines(lambda lines: lines.assign(Quantity=lines["Quantity"] * 12)),
        DRIFT,
        r"WARNING .*distance of log_quantity is",
    ),
    Fault(
        "a third of the last week's customer ids lost",
        "gate: drift, missing values",
        latest_lines(lambda lines: lines.assign(CustomerID=lines["CustomerID"].where(lines.index % 3 > 0, ""))),
        DRIFT,
        r"WARNING .*missing values of registered is",
    ),
    Fault(
        "training labels swapped between rows",
        "gate: accuracy",
        edit_table(TRAIN, shuffled("log_quantity")),
        f"{stages('tune_baseline_models', 'tune_primary_model', 'inference_primary_model')}; {ASSESSED}",
        r"accuracy gate closed",
    ),
    Fault(
        "predictions one row off their rows",
        "inference: predictions are held against their SHAP values",
        edit_text(
            "src/pricetrail/model/inference.py",
            r"predicted = bundle\.predict\(rows\)",
            "predicted = np.roll(bundle.predict(rows), 1)",
        ),
        stages("inference_primary_model"),
        r"ERROR .*prediction of row \d+: must be what the row's SHAP values add up to",
    ),
    Fault(
        "SHAP names sorted apart from their values",
        "test: `test_explain`, columns shuffled",
        edit_text("src/pricetrail/model/explain/shap_values.py", r"columns=list\(number\)", "columns=sorted(number)"),
        unit_test("tests/model/test_shap_values.py -k 'shuffle or names'"),
        FAILED,
    ),
    Fault(
        "SHAP values that do not add up (a wrong background)",
        "inference: additivity of every row",
        edit_text(
            "src/pricetrail/model/explain/shap_values.py",
            r"base = float\(bundle\.predict\(background\)\.mean\(\)\)",
            "base = float(bundle.predict(rows).mean())",
        ),
        stages("inference_primary_model"),
        r"ERROR .*SHAP values: must add up to the prediction",
    ),
    Fault(
        "one bit of the weights changed",
        "bundle: sha256 of its manifest; no stage goes on with a backup",
        edit_bytes(f"{BUNDLE}/weights.safetensors"),
        stages("inference_primary_model"),
        r"weights\.safetensors: must have sha256",
    ),
    Fault(
        "the weights gone",
        "bundle: sha256 of its manifest; no stage goes on with a backup",
        remove(f"{BUNDLE}/weights.safetensors"),
        stages("inference_primary_model"),
        r"weights\.safetensors: must be in the bundle",
    ),
    Fault(
        "the encoder of another run in the bundle (stale preprocessor)",
        "bundle: sha256 of its manifest",
        edit_text(f"{BUNDLE}/encoder.json", r"0\.", "1."),
        stages("inference_primary_model"),
        r"ERROR .*encoder\.json: must have sha256",
    ),
    Fault(
        "the encoder replaced between two stages",
        "`dvc status`",
        edit_text("models/encoder.json", r"0\.", "1."),
        "dvc status",
        r"modified:\s+models/encoder\.json",
    ),
    Fault(
        "a network that answers NaN, its manifest made anew",
        "bundle: backups answer and the log says so; inference: refused, its SHAP values do not add up",
        nan_weights,
        stages("inference_primary_model"),
        r"(?s)the network gave no finite value.*ERROR .*SHAP values: must add up",
    ),
    Fault(
        "one group only in a sensitive column",
        "gate: fairness, which fails closed",
        edit_table(PREDICTIONS, lambda table: table.assign(registered="registered")),
        ASSESSED,
        r"fairness gate closed: registered: no line of guest in the test days, which the days before have",
    ),
    Fault(
        "a group of nine rows",
        "gate: fairness, `not assessed` fails closed",
        edit_table(PREDICTIONS, lambda table: table.assign(registered=np.where(table.index < 9, "tiny", "rest"))),
        ASSESSED,
        r"fairness gate closed: registered: tiny not assessed",
    ),
    Fault(
        "no value in a sensitive column for thirty rows",
        "gate: fairness, the rows are a group of their own and fail closed",
        edit_table(PREDICTIONS, lambda table: table.assign(registered=table["registered"].where(table.index >= 19))),
        ASSESSED,
        r"fairness gate closed: .*missing",
    ),
    Fault(
        "a prediction that is no number, in the stored table",
        "risk: refused by name",
        edit_table(
            PREDICTIONS,
            lambda table: table.assign(predicted_log_quantity=table["predicted_log_quantity"].where(table.index != 5)),
        ),
        ASSESSED,
        r"ERROR .*predicted_log_quantity",
    ),
    Fault(
        "a failed verdict edited to passed",
        "gate: verdicts are derived again when they are read",
        edit_text("metrics/test.json", r'"value": [\d.]+,', '"value": 0.01,'),
        ASSESSED,
        r"ERROR .*metrics/test\.json: passed of the accuracy gate does not follow",
    ),
    Fault(
        "a verdict taken out of a metrics file",
        "gate: no evidence is no pass",
        edit_text("metrics/drift.json", r'(?s)"verdicts": \[.*\]', '"verdicts": []'),
        ASSESSED,
        r"ERROR .*metrics/drift\.json: ",
    ),
    Fault(
        "a decision edited by hand",
        "`pricetrail decide`: the outcome has to follow from the gates",
        edit_text("metrics/decision.json", '"outcome": "released"', '"outcome": "withheld"'),
        "pricetrail decide",
        r"error: metrics/decision\.json: outcome does not follow from its gates",
    ),
    Fault(
        "a metrics file edited by hand",
        "`pricetrail trace`: bytes held against the lock",
        rounded_test_error,
        "pricetrail trace metrics/test.json",
        r"NOT VERIFIED",
    ),
    Fault(
        "a hash in the lock edited by hand",
        "`pricetrail trace`: lock, files and lineage record held against each other",
        lost_hash,
        "pricetrail trace models/candidate",
        r"NOT VERIFIED",
    ),
    Fault(
        "predictions in another order on disk",
        "`pricetrail trace`: bytes held against the lock",
        edit_table(PREDICTIONS, lambda table: table.sample(frac=1, random_state=1)),
        "pricetrail trace data/predictions.parquet",
        r"NOT VERIFIED",
    ),
    Fault(
        "a line of the ledger cut off",
        "`record_run`: the ledger is read whole or not at all",
        edit_text("reports/runs.jsonl", r"\}\n$", "\n"),
        stages("record_run"),
        r"ERROR .*reports/runs\.jsonl: ",
    ),
    Fault(
        "an id of a prediction that no run made",
        "`pricetrail trace`",
        lambda clone: (clone.folder / "asked").write_text("0123456789ab-000003") and None,
        "pricetrail trace $(cat asked 2>/dev/null || echo metrics/test.json)",
        r"error: lineage id: must be of a bundle that a run recorded",
    ),
    Fault(
        "an override without a reason",
        "params: every run, before any work",
        lambda clone: clone.params(gates__overrides={"drift": " "}),
        "pricetrail check",
        r"params\.yaml: gates\.overrides\.drift must give a reason",
    ),
    Fault(
        "a misspelt parameter",
        "params: every run, before any work",
        edit_text("params.yaml", "n_trials", "n_trails"),
        "pricetrail check",
        r"is not a known key, did you mean n_trials\?",
    ),
    Fault(
        "a parameter changed after the run",
        "`dvc status`",
        lambda clone: clone.params(split__test_share=0.2),
        "dvc status",
        r"(?s)preprocess:.*params\.yaml",
    ),
    Fault(
        "other packages than those of the run",
        "`dvc status`: the package lock is a dependency of every stage",
        edit_text("requirements.lock", r"numpy==[\d.]+", "numpy==2.0.0"),
        "dvc status",
        r"modified:\s+requirements\.lock",
    ),
    Fault(
        "a feature that reads its own day (leaked future)",
        "test: `test_features`, the future perturbed",
        edit_text(
            "src/pricetrail/data/features.py",
            r"past\.read\(rows\)\n +past\.add\((.*)\)",
            r"past.add(\1)\n            past.read(rows)",
        ),
        unit_test("tests/data/test_features.py -k future"),
        FAILED,
    ),
    Fault(
        "a history that looks at its own day (leaked future)",
        "test: `test_history`",
        edit_text("src/pricetrail/data/past_lines.py", 'side="left"', 'side="right"'),
        unit_test("tests/data/test_past_lines.py"),
        FAILED,
    ),
    Fault(
        "test days drawn at random",
        "test: `test_splits`",
        edit_text("src/pricetrail/data/splits.py", r"day >= boundaries\.test_from", "(day.dt.day % 9 == 0)"),
        unit_test("tests/data/test_splits.py"),
        FAILED,
    ),
    Fault(
        "a drift check of data against itself",
        "test: `test_drift`, the windows share no day",
        edit_text(
            "src/pricetrail/checks/data_drift.py", r"lines\[DAY\] >= current_from", "lines[DAY] < reference_until"
        ),
        unit_test("tests/checks/test_data_drift.py -k share"),
        FAILED,
    ),
    Fault(
        "a stage that imports what `dvc.yaml` does not name",
        "test: `test_edges`",
        edit_text(
            "src/pricetrail/stages/preprocess.py",
            r"import logging",
            "import logging\n\nimport pricetrail.pricing.recommend",
        ),
        unit_test("tests/test_edges.py -k closure"),
        FAILED,
    ),
    Fault(
        "weights written with pickle",
        "test: `test_house`",
        edit_text("src/pricetrail/model/bundle_files.py", r"import hashlib", "import hashlib\nimport pickle"),
        unit_test("tests/test_house.py -k models_are_data"),
        FAILED,
    ),
)
