"""The records of a run that never was: every figure stands once, so that a swapped one shows."""

from __future__ import annotations

import json
from typing import Any

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
        "mae_units",
        "mean_prediction",
        "mean_truth",
        "bias",
        "bias_low",
        "bias_high",
    )
    return {"rows": rows, "days": 12, **{name: start + 0.010101 * place for place, name in enumerate(names)}}


def gate(name: str, value: float, threshold: float, passed: bool = True, override: str | None = None) -> dict[str, Any]:
    return {
        "gate": name,
        "value": value,
        "threshold": threshold,
        "passed": passed,
        "reason": f"{name} reason, must be <= {threshold}",
        "open": passed or override is not None,
        "override": override,
    }


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
            "shap_largest_gap_log_quantity": 4.43584e-07,
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
            "passed": True,
            "rows": [41335, 8765],
            "columns": [
                {
                    "column": name,
                    "role": role,
                    "method": "Normed Wasserstein distance",
                    "distance": distance,
                    "threshold": 0.125,
                    "reference_missing_share": distance / 2,
                    "current_missing_share": distance / 3,
                    "drifted": distance > 0.125,
                }
                for name, role, distance in (("sku_mean", "input", 0.131313), ("log_quantity", "target", 0.0787878))
            ],
        },
        "model_drift": {
            "error_ratio": 1.01712,
            "error_ratio_interval": [0.956789, 1.08765],
            "drifted": False,
            "validation_mse_log_quantity": 0.266667,
            "current_mse_log_quantity": 0.271771,
            "current_rows": 3210,
            "current_days": ["2011-11-28", "2011-12-09"],
        },
        "fairness": {
            "passed": True,
            "columns": [
                {
                    "column": "registered",
                    "passed": True,
                    "reason": "added_disparity by registered is 0.07201, must be <= 0.1",
                    "not_assessed": [],
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
                    "not_assessed": ["guest & abroad"],
                    "figures": {"added_disparity": apart(0.331144, 0.301199, 0.361166)},
                    "groups": {"guest & home": group(976, 0.413233), "guest & abroad": group(11, 0.515253)},
                }
            ],
        },
        "decision": {
            "outcome": "released",
            "open_gates": 3,
            "gates": [gate("drift", 0.234567, 0.3), gate("accuracy", 0.753147, 0.15), gate("fairness", 0.0720094, 0.1)],
            "restated": [{"file": "w48.csv", "reason": "till 3 was wrong"}],
        },
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
    """Oldest first; each differs from the one before in one kind of thing."""
    older = {**PARAMS, "split": {"test_share": 0.2}}
    return [
        run("aaaaaaaaaaaa", "01", 0.301111, older, "c6.dir", "withheld"),
        run("bbbbbbbbbbbb", "02", 0.302222, older, "c7.dir", "withheld"),
        run("cccccccccccc", "03", 0.303333, older, "c7.dir", "released"),
        run("dddddddddddd", "03", None, older, "c7.dir", "withheld"),
        run("0a1b2c3d4e5f", "be" * 32, 0.271234, PARAMS, "c7.dir", "released"),
    ]


def ledger() -> str:
    return "".join(json.dumps(entry) + "\n" for entry in runs())
