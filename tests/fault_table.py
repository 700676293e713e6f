"""The list of faults; see ``faults``."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file

from clone import Clone
from faults import Fault, edit_bytes, edit_table, edit_text, remove, stages, unit_test

LINES, TRAIN, PREDICTIONS = "demo/lines", "data/splits/train.parquet", "data/predictions.parquet"
BUNDLE = "models/candidate"
ASSESSED = stages("assess_model_risk")


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
    tensors = {name: np.full_like(values, np.nan) for name, values in load_file(file).items()}
    file.unlink()
    save_file(tensors, file)
    manifest = clone.folder / BUNDLE / "manifest.json"
    tree = json.loads(manifest.read_text())
    tree["sha256"]["weights.safetensors"] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.unlink()
    manifest.write_text(json.dumps(tree, indent=1) + "\n")


def shuffled(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The column's values in an order of their own."""
    return lambda table: table.assign(**{column: table[column].sample(frac=1, random_state=3).to_numpy()})


FAULTS = (
    Fault(
        "every source file sent twice",
        "ETL: duplicates are dropped and counted by reason",
        twice,
        stages("etl_pipeline"),
        r"dropped: \d,\d{3} duplicate",
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
        "training labels swapped between rows",
        "gate: accuracy",
        edit_table(TRAIN, shuffled("log_quantity")),
        f"{stages('tune_baseline_models', 'tune_primary_model', 'inference_primary_model')}; {ASSESSED}",
        r"accuracy gate closed",
    ),
    Fault(
        "predictions one row off their truths",
        "gate: accuracy",
        edit_text(
            "src/pricetrail/model/inference.py",
            r"predicted = bundle\.predict\(rows\)",
            "predicted = np.roll(bundle.predict(rows), 1)",
        ),
        f"{stages('inference_primary_model')}; {ASSESSED}",
        r"accuracy gate closed",
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
        "bundle: backups answer, and the log says for how many rows",
        nan_weights,
        stages("inference_primary_model"),
        r"WARNING .*the network gave no finite value",
    ),
    Fault(
        "one group only in a sensitive column",
        "gate: fairness, which fails closed",
        edit_table(PREDICTIONS, lambda table: table.assign(registered="registered")),
        ASSESSED,
        r"fairness gate closed: registered has one group only",
    ),
    Fault(
        "a group of nine rows",
        "gate: fairness, `not assessed` fails closed",
        edit_table(PREDICTIONS, lambda table: table.assign(registered=np.where(table.index < 9, "tiny", "rest"))),
        ASSESSED,
        r"fairness gate closed: registered: tiny not assessed",
    ),
    Fault(
        "an override without a reason",
        "params: every run, before any work",
        lambda clone: clone.params(gates__overrides={"drift": " "}),
        "pricetrail check",
        r"params\.yaml: gates\.overrides\.drift must give a reason",
    ),
    Fault(
        "a misspelt dial",
        "params: every run, before any work",
        edit_text("params.yaml", "n_trials", "n_trails"),
        "pricetrail check",
        r"is not a known key, did you mean n_trials\?",
    ),
    Fault(
        "a dial changed after the run",
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
            "src/pricetrail/features.py",
            r"past\.read\(rows\)\n +past\.add\((.*)\)",
            r"past.add(\1)\n            past.read(rows)",
        ),
        unit_test("tests/test_features.py -k future"),
        r"(?m)^FAILED tests/",
    ),
    Fault(
        "a history that looks at its own day (leaked future)",
        "test: `test_history`",
        edit_text("src/pricetrail/history.py", 'side="left"', 'side="right"'),
        unit_test("tests/test_history.py"),
        r"(?m)^FAILED tests/",
    ),
    Fault(
        "test days drawn at random",
        "test: `test_splits`",
        edit_text("src/pricetrail/splits.py", r"day >= boundaries\.test_from", "(day.dt.day % 9 == 0)"),
        unit_test("tests/test_splits.py"),
        r"(?m)^FAILED tests/",
    ),
    Fault(
        "a drift check of data against itself",
        "test: `test_drift`, the windows share no day",
        edit_text("src/pricetrail/drift.py", r"lines\[DAY\] >= current_from", "lines[DAY] < reference_until"),
        unit_test("tests/test_drift.py -k share"),
        r"(?m)^FAILED tests/",
    ),
    Fault(
        "a stage that imports what `dvc.yaml` does not name",
        "test: `test_edges`",
        edit_text(
            "src/pricetrail/stages/preprocess.py", r"import logging", "import logging\n\nimport pricetrail.pricing"
        ),
        unit_test("tests/test_edges.py -k closure"),
        r"(?m)^FAILED tests/",
    ),
    Fault(
        "weights written with pickle",
        "test: `test_house`",
        edit_text("src/pricetrail/model/storage.py", r"import hashlib", "import hashlib\nimport pickle"),
        unit_test("tests/test_house.py -k models_are_data"),
        r"(?m)^FAILED tests/",
    ),
)
