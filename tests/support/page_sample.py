"""A run written by hand, as the files of the stages hold it: two models, three columns, two SKUs, four runs."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

from pricetrail.report.page import sources
from pricetrail.report.page.facts import Facts
from pricetrail.report.page.render import render
from support.source_tree import SRC

TEMPLATES = {path.name: path.read_text() for path in (SRC / "pricetrail/report/page/templates").iterdir()}
RUN = "3f9a2c1b04d7"
IDS = (
    *("decision", "changes", "models", "intervals", "training", "drift", "explanation", "fairness", "prices"),
    "lineage",
)


def verdict(gate: str, value: float | None, threshold: float, passed: bool, **more: Any) -> dict[str, Any]:
    """A gate as ``metrics/decision.json`` holds it."""
    reason = f"{gate} is {value}, must be {'>=' if gate == 'accuracy' else '<='} {threshold}"
    return {"gate": gate, "value": value, "threshold": threshold, "passed": passed, "reason": reason, **more}


GATES = [
    verdict("drift", 0.5, 0.3, False, open=True, override="Christmas; seen by the owner"),
    verdict("accuracy", 0.73, 0.1, True, open=True, override=None),
    verdict("fairness", None, 0.1, False, open=False, override=None),
]
GROUPS = {
    "guest": {"rows": 200, "mse": 0.4, "mse_low": 0.35, "mse_high": 0.45, "mae": 0.5, "bias": -0.07, "mean_truth": 1.1},
    "registered": {"rows": 800, "mse": 0.25, "mae": 0.4, "bias": 0.001, "mean_truth": 2.1},
}
FIGURES = {
    "truth_mod": {"value": 1.0, "low": 0.9, "high": 1.1},
    "prediction_mod": {"value": 1.07, "low": 1.0, "high": 1.2},
    "added_disparity": {"value": 0.07, "low": -0.01, "high": 0.12},
    "mse_ratio": {"value": None, "low": None, "high": None},
}
FAIR = {"column": "registered", "passed": True, "reason": "", "not_assessed": [], "figures": FIGURES, "groups": GROUPS}
CELLS = {**FAIR, "column": "registered & country_group", "not_assessed": ["guest & abroad"]}
LEVEL = {"coverage_low": 0.78, "coverage_high": 0.82, "mean_width_log_quantity": 1.1}
COVERED = {"rows": 1000, "coverage_80": 0.8, "mean_width_80": 1.1, "coverage_95": 0.95, "mean_width_95": 1.7}
TREES: dict[str, Any] = {
    sources.DECISION: {
        "outcome": "withheld",
        "open_gates": 2,
        "gates": GATES,
        "restated": [{"file": "w48.csv", "reason": "till 3 was wrong"}],
    },
    sources.TEST: {"rows": 1000, "skill": 0.73, "skill_interval": [0.7, 0.75], "verdicts": GATES[1:2]},
    sources.INTERVALS: {
        "interval_80": {"coverage": 0.8, **LEVEL},
        "interval_95": {"coverage": 0.95, **LEVEL},
        "groups": [
            {"column": "overall", "group": "all", **COVERED},
            {"column": "month", "group": "2011-11", **COVERED, "coverage_80": 0.7},
        ],
    },
    sources.FAIRNESS: {
        "columns": [FAIR],
        "intersections": [{**CELLS, "groups": {"guest & abroad": GROUPS["guest"]}}],
        "verdicts": [
            verdict("fairness", 0.07, 0.1, True, reason="added_disparity by registered is 0.07, must be <= 0.1")
        ],
    },
    sources.PRICES: {"skus": 2, "raised_share": 0.5, "cut_share": 0.5, "predicted_revenue_change": 0.2},
    sources.DRIFT: {"rows": [900, 100], "verdicts": GATES[:1], "drifted_input_share": 0.5},
    sources.MODEL_DRIFT: {
        "error_ratio": 1.2,
        "drifted": True,
        "error_ratio_interval": [1.1, 1.3],
        "current_rows": 100,
        "reasons": ["the error is 1.2 times that of validation (1.1 to 1.3), surely above 1.1 times"],
    },
    sources.LINEAGE: {
        "run": RUN,
        "bundle": "ab" * 32,
        "stages": [
            {
                "name": "preprocess",
                "cmd": "env A=1 python -m pricetrail.stages.preprocess",
                "deps": {
                    "data/processed": "c" * 32 + ".dir",
                    "requirements.lock": "d" * 32,
                    "src/pricetrail/a.py": "e" * 32,
                },
                "params": {"split": {"test_share": 0.1}},
                "outs": {"data/splits": "f" * 32 + ".dir"},
            }
        ],
    },
}
MODELS = """model,rows,mse_log_quantity,mae_units,rmsle,mse_low,mse_high,ratio,difference,difference_low,difference_high
network,1000,0.27,6.9,0.52,0.25,0.29,1,0,0,0
lightgbm,1000,0.3,7.3,0.55,0.28,0.32,0.9,-0.03,-0.035,-0.024
"""
CURVES = """sku,description,lines,unit_price_gbp,predicted_quantity,predicted_revenue_gbp,\
current_price_gbp,recommended_price_gbp
85123A,WHITE HEART,30,2,10,20,2.5,2
85123A,WHITE HEART,30,2.5,6,15,2.5,2
85123A,WHITE HEART,30,3,7,21,2.5,2
22423,,20,10,2,20,10,12
22423,,20,12,1.9,22.8,10,12
"""
TABLES = {
    sources.MODELS: MODELS,
    sources.PRICE_CURVES: CURVES,
    sources.DRIFT_COLUMNS: (
        "column,role,distance,threshold,drifted\nregistered,input,0.06,0.1,False\n"
        "sku_mean,input,0.2,0.1,True\nlog_quantity,target,0.05,0.1,False\n"
    ),
    sources.TRAIN_MSE: "step\ttrain_mse\n0\t0.5\n1\t0.4\n",
    sources.VALIDATION_MSE: "step\tvalidation_mse\n0\t0.35\n1\t0.3\n",
    sources.TRIALS: "trial,state,validation_mse,epochs,reason,layers\n"
    "0,complete,0.3,7,,2\n1,pruned,0.33,3,,1\n2,failed,,,no memory,1\n",
    sources.DIALS: "dial,importance\nlayers,0.75\nbins,0.25\n",
    sources.SHAP: "feature,mean_abs_shap\nsku_mean,0.2\nregistered,0.1\n",
}


def run(name: str, error: float, outcome: str = "released", **more: Any) -> dict[str, Any]:
    """A line of the ledger."""
    metrics = {
        "test.mse_log_quantity": error,
        "test.skill": 1 - error,
        "models.lightgbm.mse_log_quantity": error + 0.03,
    }
    base = {"run": name, "bundle": "ab" * 32, "outcome": outcome, "days": ["2010-12-01", "2011-12-06"], "rows": 900}
    return {**base, "metrics": metrics, "params": {"seed": 1}, "hashes": {"data/splits": "0" * 32}, **more}


LEDGER = [
    run("aaaaaaaaaaaa", 0.33),
    run("bbbbbbbbbbbb", 0.31, "withheld"),
    run("cccccccccccc", 0.3),
    run(
        RUN,
        0.27,
        "withheld",
        days=["2010-12-01", "2011-12-13"],
        rows=1000,
        params={"seed": 2},
        hashes={"data/splits": "f" * 32},
    ),
]


def lines(ledger: list[dict[str, Any]]) -> str:
    """A ledger as its file holds it."""
    return "".join(json.dumps(entry) + "\n" for entry in ledger)


def texts(**changes: str | None) -> dict[str, str]:
    """Every file of the run by path; ``DECISION="…"`` replaces the file of that name, None takes it away."""
    found = {**{path: json.dumps(tree) for path, tree in TREES.items()}, **TABLES, sources.LEDGER: lines(LEDGER)}
    named = {getattr(sources, key): value for key, value in changes.items()}
    return {path: text for path, text in {**found, **named}.items() if text is not None}


def png(width: int = 8) -> bytes:
    """A black image."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, 1, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (width + 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


IMAGES = {name: png() for name in sources.IMAGES}


def facts(**changes: str | None) -> Facts:
    """The run as facts."""
    return sources.read_facts(texts(**changes), IMAGES)


def page(**changes: str | None) -> str:
    """The run as a page."""
    return render(facts(**changes), TEMPLATES)
