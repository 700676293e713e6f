"""A run written by hand, as the files of the stages hold it: two models, three columns, two SKUs, four runs."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import asdict
from typing import Any

from pricetrail.checks.gates import RULES, GateName, Verdict, decide
from pricetrail.report import read_results
from pricetrail.report.page.render import render
from pricetrail.report.results import PageResults
from support import card_sample
from support.source_tree import SRC

TEMPLATES = {path.name: path.read_text() for path in (SRC / "pricetrail/report/page/templates").iterdir()}
RUN = "3f9a2c1b04d7"
IDS = (
    *("decision", "changes", "models", "intervals", "training", "drift", "explanation", "fairness", "prices"),
    "lineage",
)


PATHS = {path.rpartition("/")[2].partition(".")[0].upper(): path for path in read_results.PAGE_TEXTS}
PATHS |= {"SHAP": read_results.SHAP, "IMPORTANCES": read_results.IMPORTANCES, "LEDGER": read_results.LEDGER}


def verdict(gate: GateName, value: float | None, threshold: float, passed: bool, reason: str = "") -> Verdict:
    """A verdict as its check leaves it."""
    told = reason or f"{gate} is {value}, must be {RULES[gate]} {threshold}"
    return Verdict(gate, value, threshold, passed, told, RULES[gate])


GATES = (
    verdict("drift", 0.5, 0.3, False),
    verdict("accuracy", 0.73, 0.1, True),
    verdict("fairness", None, 0.1, False),
)
BLANK = dict.fromkeys(
    ("mse", "mae", "mae_units", "rmsle", "mean_prediction", "mean_truth", "bias", "mse_low", "mse_high", "bias_low")
)


def group(rows: int, mse: float, bias: float, **more: float) -> dict[str, Any]:
    """Errors of a group; what is not named could not be computed."""
    return {**BLANK, "bias_high": None, "rows": rows, "days": 9, "mse": mse, "bias": bias, **more}


GROUPS = {
    "guest": group(200, 0.4, -0.07, mse_low=0.35, mse_high=0.45, mae=0.5, mean_truth=1.1),
    "registered": group(800, 0.25, 0.001, mae=0.4, mean_truth=2.1),
}
ENDS = {"highest": "registered", "lowest": "guest"}
FIGURES = {
    "truth_mod": {"value": 1.0, "low": 0.9, "high": 1.1, **ENDS},
    "prediction_mod": {"value": 1.07, "low": 1.0, "high": 1.2, **ENDS},
    "added_disparity": {"value": 0.07, "low": -0.01, "high": 0.12, **ENDS},
    "mse_ratio": {"value": None, "low": None, "high": None, **ENDS},
}
FAIR = {
    **{"column": "registered", "passed": True, "reason": "", "worst_group": "guest", "not_assessed": [], "empty": []},
    **{"figures": FIGURES, "groups": GROUPS},
}
CELLS = {**FAIR, "column": "registered & country_group", "not_assessed": ["guest & abroad"]}
LEVEL = {"coverage_low": 0.78, "coverage_high": 0.82, "mean_width_log_quantity": 1.1}
COVERED = {"rows": 1000, "coverage_80": 0.8, "mean_width_80": 1.1, "coverage_95": 0.95, "mean_width_95": 1.7}
HELD = verdict("fairness", 0.07, 0.1, True, "added_disparity by registered is 0.07, must be <= 0.1")


def moved(column: str, role: str, distance: float, drifted: bool) -> dict[str, Any]:
    """A column of the drift check."""
    shares = {"reference_missing_share": None, "current_missing_share": None, "missing_threshold": 0.03}
    figures = {"distance": distance, "threshold": 0.1, "ratio": distance / 0.1, "drifted": drifted}
    return {"column": column, "role": role, "method": "PSI", **figures, **shares}


def model(name: str, mse: float, difference: tuple[float, float, float]) -> dict[str, Any]:
    """A model on the test days."""
    intervals = {
        "mse": {"value": mse, "low": mse - 0.02, "high": mse + 0.02},
        "difference": dict(zip(("value", "low", "high"), difference, strict=True)),
    }
    errors = {"rows": 1000, "mse_log_quantity": mse, "mae_units": 6.9, "rmsle": 0.52}
    return {"name": name, "errors": errors, "ratio": 0.27 / mse, **intervals}


METRICS = card_sample.metrics()
TREES: dict[str, Any] = {
    **{name.upper(): METRICS[name] for name in ("etl", "validation")},
    "DECISION": decide(GATES, {"drift": "Christmas; seen by the owner"}, {"w48.csv": "till 3 was wrong"}).record(),
    "TEST": {
        **{**METRICS["test"], "rows": 1000, "skill": 0.73, "skill_interval": [0.7, 0.75]},
        "verdicts": [asdict(GATES[1])],
    },
    "MODELS": {"models": [model("network", 0.27, (0, 0, 0)), model("lightgbm", 0.3, (-0.03, -0.035, -0.024))]},
    "INTERVALS": {
        "interval_80": {"coverage": 0.8, **LEVEL},
        "interval_95": {"coverage": 0.95, **LEVEL},
        "groups": [
            {"column": "overall", "group": "all", **COVERED},
            {"column": "month", "group": "2011-11", **COVERED, "coverage_80": 0.7},
        ],
    },
    "FAIRNESS": {
        **{"worst_group": "registered: guest", "worst_group_mse_log_quantity": 0.4, "passed": True},
        "columns": [FAIR],
        "intersections": [{**CELLS, "groups": {"guest & abroad": GROUPS["guest"]}}],
        "verdicts": [asdict(HELD)],
    },
    "PRICES": {"skus": 2, "raised_share": 0.5, "cut_share": 0.5, "predicted_revenue_change": 0.2},
    "DRIFT": {
        **{"drifted_input_share": 0.5, "target_distance": 0.05, "target_drifted": False},
        **{"worst_column": "sku_mean", "worst_column_ratio": 2.0, "passed": False, "rows": [900, 100]},
        "columns": [
            moved("registered", "input", 0.06, False),
            moved("sku_mean", "input", 0.2, True),
            moved("log_quantity", "target", 0.05, False),
        ],
        "verdicts": [asdict(GATES[0])],
    },
    "MODEL_DRIFT": {
        **METRICS["model_drift"],
        "error_ratio": 1.2,
        "drifted": True,
        "error_ratio_interval": [1.1, 1.3],
        "current_rows": 100,
        "reasons": ["the error is 1.2 times that of validation (1.1 to 1.3), surely above 1.1 times"],
    },
    "LINEAGE": {
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
                "params": {"split": {"test_share": 0.1}, "shop": {"currency": "EUR", "unit": "kg"}},
                "outs": {"data/splits": "f" * 32 + ".dir"},
            }
        ],
    },
}
CURVES = """sku,description,lines,unit_price,predicted_quantity,predicted_revenue,\
current_price,recommended_price
85123A,WHITE HEART,30,2,10,20,2.5,2
85123A,WHITE HEART,30,2.5,6,15,2.5,2
85123A,WHITE HEART,30,3,7,21,2.5,2
22423,,20,10,2,20,10,12
22423,,20,12,1.9,22.8,10,12
"""
TABLES = {
    "PRICE_CURVES": CURVES,
    "TRAIN_MSE": "step\ttrain_mse\n0\t0.5\n1\t0.4\n",
    "VALIDATION_MSE": "step\tvalidation_mse\n0\t0.35\n1\t0.3\n",
    "TRIALS": "trial,state,validation_mse,epochs,reason,layers\n"
    "0,complete,0.3,7,,2\n1,pruned,0.33,3,,1\n2,failed,,,no memory,1\n",
    "IMPORTANCES": "parameter,importance\nlayers,0.75\nbins,0.25\n",
    "SHAP": "feature,mean_abs_shap\nsku_mean,0.2\nregistered,0.1\n",
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
    found = {**{name: json.dumps(tree) for name, tree in TREES.items()}, **TABLES, "LEDGER": lines(LEDGER), **changes}
    return {PATHS[name]: text for name, text in found.items() if text is not None}


def png(width: int = 8) -> bytes:
    """A black image."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, 1, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (width + 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


IMAGES = {name: png() for name in read_results.IMAGES}


def results(**changes: str | None) -> PageResults:
    """The run as types."""
    return read_results.read_page_results(texts(**changes), IMAGES)


def page(**changes: str | None) -> str:
    """The run as a page."""
    return render(results(**changes), TEMPLATES)
