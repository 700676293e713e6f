"""The records of a run that never was: every figure stands once, so that a swapped one shows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from pricetrail.checks.gates import RULES, GateName, Verdict, decide
from pricetrail.report.read_results import LEDGER, LINEAGE

LOCK = "# pinned\ntorch==2.13.0\nShap==0.51.0\nnobody-shows-this==1.0\n"


def figure(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def apart(value: float, low: float, high: float) -> dict[str, Any]:
    return {**figure(value, low, high), "highest": "guest", "lowest": "registered"}


def model(name: str, start: float, difference: dict[str, float]) -> dict[str, Any]:
    errors = {"rows": 4321, "mse_log_quantity": start, "mae_units": start + 5.1111, "rmsle": start + 0.2222}
    mse = figure(start, start - 0.0123456, start + 0.0213457)
    return {"name": name, "errors": errors, "mse": mse, "difference": difference, "ratio": 0.271234 / start}


def group(rows: int, start: float) -> dict[str, float]:
    names = (
        "mse",
        "mse_low",
        "mse_high",
        "mae",
        "rmsle",
        "mae_units",
        "mean_prediction",
        "mean_truth",
        "bias",
        "bias_low",
        "bias_high",
    )
    return {"rows": rows, "days": 12, **{name: start + 0.010101 * place for place, name in enumerate(names)}}


def verdict(gate: GateName, value: float | None, threshold: float, passed: bool = True) -> Verdict:
    """A verdict whose reason is no sentence of ours."""
    return Verdict(gate, value, threshold, passed, f"{gate} reason, must be <= {threshold}", RULES[gate])


def decision(*verdicts: Verdict, restated: dict[str, str] | None = None, **overrides: str) -> dict[str, Any]:
    """What the gates make of verdicts; those that are not named have passed."""
    named = {one.gate: one for one in verdicts}
    passed = (verdict("drift", 0.234567, 0.3), verdict("accuracy", 0.753147, 0.15), verdict("fairness", 0.0720094, 0.1))
    return decide([named.get(one.gate, one) for one in passed], overrides, restated).record()  # type: ignore[arg-type]


def metrics() -> dict[str, Any]:
    return {
        "etl": {
            "rows_read": 51234,
            "rows_kept": 50111,
            "rows_dropped": 1103,
            "rows_quarantined": 20,
            "dropped": [{"reason": "duplicate", "rows": 703}, {"reason": "not_a_product", "rows": 400}],
            "days": ["2010-12-01", "2011-12-09"],
        },
        "validation": {
            "rows": 4455,
            "mse_log_quantity": 0.266667,
            "mae_units": 5.71717,
            "rmsle": 0.511119,
            "chosen": [
                {
                    "widths": [64, 96],
                    "bins": 17,
                    "ensemble_size": 2,
                    "optimizer": "adamw",
                    "learning_rate": 0.00212121,
                    "batch_size": 2048,
                    "epochs": 5,
                    "dropouts": [0.1, 0.2],
                }
            ],
        },
        "test": {
            "rows": 4321,
            "mse_log_quantity": 0.271234,
            "mae_units": 6.91919,
            "rmsle": 0.523457,
            "baseline_mse_log_quantity": 1.09876,
            "skill": 0.753147,
            "skill_interval": [0.741592, 0.764929],
            "passed": True,
            "shap_base_log_quantity": 1.91919,
            "shap_largest_gap_log_quantity": 4.43584e-07,
            "verdicts": [asdict(verdict("accuracy", 0.753147, 0.15))],
        },
        "models": {
            "models": [
                model("network", 0.271234, figure(0.0, 0.0, 0.0)),
                model("lightgbm", 0.298765, figure(-0.0275, -0.0367891, -0.0198765)),
                model("svr", 0.367654, figure(-0.0964, -0.112233, -0.0845454)),
            ]
        },
        "intervals": {
            "interval_80": {
                "coverage": 0.80377,
                "coverage_low": 0.79188,
                "coverage_high": 0.81555,
                "mean_width_log_quantity": 1.12345,
            },
            "interval_95": {
                "coverage": 0.94922,
                "coverage_low": 0.94377,
                "coverage_high": 0.95433,
                "mean_width_log_quantity": 1.73737,
            },
            "groups": [
                {
                    "column": "registered",
                    "group": "guest",
                    "rows": 987,
                    "coverage_80": 0.76822,
                    "mean_width_80": 0.818181,
                    "coverage_95": 0.93811,
                    "mean_width_95": 1.51515,
                }
            ],
        },
        "drift": {
            "drifted_input_share": 0.234567,
            "target_distance": 0.0787878,
            "target_drifted": False,
            "worst_column": "sku_mean",
            "worst_column_ratio": 0.131313 / 0.125,
            "passed": True,
            "rows": [41335, 8765],
            "columns": [
                {
                    "column": name,
                    "role": role,
                    "method": "Normed Wasserstein distance",
                    "distance": distance,
                    "threshold": 0.125,
                    "missing_threshold": 0.5,
                    "ratio": distance / 0.125,
                    "reference_missing_share": distance / 2,
                    "current_missing_share": distance / 3,
                    "drifted": distance > 0.125,
                }
                for name, role, distance in (("sku_mean", "input", 0.131313), ("log_quantity", "target", 0.0787878))
            ],
            "verdicts": [asdict(verdict("drift", 0.234567, 0.3))],
        },
        "model_drift": {
            "error_ratio": 1.01712,
            "error_ratio_interval": [0.956789, 1.08765],
            "drifted": False,
            "validation_mse_log_quantity": 0.266667,
            "current_mse_log_quantity": 0.271771,
            "validation_rows": 4455,
            "current_rows": 3210,
            "current_days": ["2011-11-28", "2011-12-09"],
            "reasons": ["not surely above"],
        },
        "fairness": {
            "registered_added_disparity": 0.0720094,
            "worst_group": "registered: guest",
            "worst_group_mse_log_quantity": 0.383307,
            "passed": True,
            "verdicts": [asdict(verdict("fairness", 0.0720094, 0.1))],
            "columns": [
                {
                    "column": "registered",
                    "passed": True,
                    "reason": "added_disparity by registered is 0.07201, must be <= 0.1",
                    "worst_group": "guest",
                    "not_assessed": [],
                    "empty": [],
                    "figures": {
                        "added_disparity": apart(0.0720094, 0.0124952, 0.125386),
                        "mse_ratio": apart(1.55499, 1.33579, 1.77753),
                    },
                    "groups": {"guest": group(987, 0.383307), "registered": group(3334, 0.246501)},
                }
            ],
            "intersections": [
                {
                    "column": "registered & country_group",
                    "passed": False,
                    "reason": "lower end is 0.3, must be <= 0.1",
                    "worst_group": "guest & home",
                    "not_assessed": ["guest & abroad"],
                    "empty": [],
                    "figures": {"added_disparity": apart(0.331144, 0.301199, 0.361166)},
                    "groups": {"guest & home": group(976, 0.413233), "guest & abroad": group(11, 0.515253)},
                }
            ],
        },
        "decision": decision(restated={"w48.csv": "till 3 was wrong"}),
        "prices": {"skus": 311, "raised_share": 0.308682, "cut_share": 0.691318, "predicted_revenue_change": 1.2099},
    }


PARAMS = {
    "data.path": "demo/lines",
    "data.sku": "",
    "split": {"test_share": 0.1},
    "gates.confidence": 0.95,
    "tuning": {"n_trials": 6},
    "baselines": {"n_trials": 7},
    "pricing": {"max_change": 0.3, "objective": "revenue"},
    "drift.current_days": 28,
    "drift.policy": "withhold",
    "fairness": {"metric": "added_disparity"},
}


def lineage() -> dict[str, Any]:
    return {
        "run": "0a1b2c3d4e5f",
        "bundle": "be" * 32,
        "stages": [
            {"name": "simulate", "cmd": "make", "deps": {"src/a.py": "a1"}, "params": {}, "outs": {"demo/lines": "d5"}},
            {
                "name": "etl_pipeline",
                "cmd": "python",
                "deps": {"demo/lines": "d5", "src/b.py": "b1", "requirements.lock": "ef"},
                "params": PARAMS,
                "outs": {"data/original": "c7.dir", "metrics/etl.json": "c8"},
            },
            {
                "name": "assess",
                "cmd": "python",
                "deps": {"data/original/a": "c9"},
                "params": {},
                "outs": {"x.csv": "e1"},
            },
        ],
    }


def run(name: str, bundle: str, mse: float | None, params: dict[str, Any], data: str, outcome: str) -> dict[str, Any]:
    return {
        "run": name,
        "bundle": bundle,
        "outcome": outcome,
        "days": ["2010-12-01", "2011-12-09"],
        "rows": 50111,
        "metrics": {} if mse is None else {"test.mse_log_quantity": mse},  # as the ledger, which has no gaps
        "params": params,
        "hashes": {"data/original": data},
    }


def runs() -> list[dict[str, Any]]:
    """Oldest first; each differs from the one before on its data in one kind of thing."""
    older = {**PARAMS, "split": {"test_share": 0.2}}
    own = {**PARAMS, "data.path": "own/lines", "seed": 7}
    return [
        run("aaaaaaaaaaaa", "01", 0.301111, older, "c6.dir", "withheld"),
        run("bbbbbbbbbbbb", "02", 0.302222, older, "c7.dir", "withheld"),
        run("cccccccccccc", "03", 0.303333, older, "c7.dir", "released"),
        run("eeeeeeeeeeee", "05", 0.344444, own, "ee.dir", "withheld"),
        run("dddddddddddd", "03", None, older, "c7.dir", "withheld"),
        run("0a1b2c3d4e5f", "be" * 32, 0.271234, PARAMS, "c7.dir", "released"),
    ]


def ledger() -> str:
    return "".join(json.dumps(entry) + "\n" for entry in runs())


def texts() -> dict[str, str]:
    """Every file of the run that the card is made of, by path."""
    trees = {f"metrics/{name}.json": tree for name, tree in metrics().items()}
    return {path: json.dumps(tree) for path, tree in {**trees, LINEAGE: lineage()}.items()} | {LEDGER: ledger()}
