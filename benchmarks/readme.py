"""Rewrite the tables of README and docs from ``benchmarks/results/`` and ``metrics/``; ``--check``: are they old?

A table stands between ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``. The README has what a reader needs
first, ``docs/benchmarks.md`` all of it.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import accuracy
import harness
import tables
from pricetrail.base import files
from pricetrail.base.errors import PricetrailError
from pricetrail.model.bundle import PRIMARY

README, ALL = harness.ROOT / "README.md", harness.ROOT / "docs/benchmarks.md"
MODELS = {
    "network": "network",
    "lightgbm": "LightGBM",
    "svr": "SVR",
    "elastic_net": "Elastic Net",
    "customer_sku_median": "median of customer and SKU",
    "sku_median": "median of the SKU",
    "median": "median of all lines",
}
ERRORS = {
    "MSE of log quantity": "{mse_log_quantity:.4f}",
    "95% interval": "{mse_low:.4f} to {mse_high:.4f}",
    "ratio (network / model)": "{ratio:.3f}",
    "difference (network - model), 95% interval": "{difference_low:+.4f} to {difference_high:+.4f}",
    "MAE, units": "{mae_units:.2f}",
    "RMSLE": "{rmsle:.3f}",
}
FIRST_ERRORS = ("MSE of log quantity", "95% interval", "ratio (network / model)", "MAE, units")
FIRST_MODELS = ("network", "lightgbm", "elastic_net", "svr", "customer_sku_median")
FIRST_FIGURES = {
    "pipeline_demo": "whole pipeline, demo shop",
    "pipeline_real": "whole pipeline, UCI data",
    "noop": "`dvc repro` with nothing new",
    "intervals_real": "UCI test lines inside their 80% interval",
    "replay": "replayed runs, byte for byte",
    "faults_operation": "injected faults of the weekly run",
    "faults_evidence": "injected faults in data and results",
    "attacks": "attacks of docs/security.md",
    "operation_cases": "cases of operation",
    "year": "half a year of weekly runs, UCI data",
    "price_demo": "recommended prices, demo shop",
    "train_speed": "training",
}


class ReadmeError(Exception):
    """A page, or a file its tables are made from, is not as it must be."""


def _markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figures_table() -> str:
    """All benchmark results."""
    rows = [
        [
            f"`{result.name}`",
            tables.value_cell(result),
            "; ".join(tables.goal_cells(result)) or "–",
            tables.rival_cell(result),
            tables.ratio_cell(result),
        ]
        for result in tables.read_results()
    ]
    machines = {f"{r.machine['cpu']}, {r.machine['cores']} cores" for r in tables.read_results()}
    table = _markdown(["benchmark", "value", "goal", "rival", "ratio"], rows)
    if not machines:
        return table
    return f"{table}\n\nRatio: how many times better than the rival. Measured on {' and on '.join(sorted(machines))}."


def first_figures_table() -> str:
    """The results that a reader needs first, in plain words: the value's goal, and every goal that was missed."""
    results = {result.name: result for result in tables.read_results()}
    rows = []
    for result, words in ((results[name], words) for name, words in FIRST_FIGURES.items() if name in results):
        first = [goal for goal in result.goals if result.is_about_value(goal) or not goal.is_met]
        goals = "; ".join(tables.goal_cell(goal, result.is_about_value(goal)) for goal in first)
        rows.append([words, tables.value_cell(result), goals or f"none; {tables.rival_cell(result)}"])
    return _markdown(["what", "measured", "goal"], rows)


def first_models_table() -> str:
    """The errors that a reader needs first, of the models that come close."""
    return models_table(FIRST_MODELS, FIRST_ERRORS)


def models_table(shown: Sequence[str] = tuple(MODELS), errors: Sequence[str] = tuple(ERRORS)) -> str:
    """Errors of models on the test days of both data sets."""
    demo = harness.ROOT / accuracy.TABLE
    if not demo.exists():
        raise ReadmeError(f"{accuracy.TABLE}: must be there; run the pipeline")
    rows = _model_rows("demo shop", accuracy.read_rows(harness.ROOT), str(accuracy.TABLE), shown, errors)
    real = harness.RESULTS / "accuracy_real.json"
    if real.exists():
        models = harness.Result.read(real).details["models"]
        rows += _model_rows("UCI Online Retail", models, "benchmarks/results/accuracy_real.json", shown, errors)
    return _markdown(["test days of", "model", *errors], rows)


def _model_rows(
    data: str, models: Sequence[Mapping[str, Any]], place: str, shown: Sequence[str], errors: Sequence[str]
) -> list[list[str]]:
    """A row for each shown model, lowest error first; the network is not compared with itself."""
    try:
        return [
            [
                f"{data}, {model['rows']:,} lines" if number == 0 else "",
                MODELS[model["model"]],
                *(_cell(ERRORS[name], model) for name in errors),
            ]
            for number, model in enumerate(model for model in models if model["model"] in shown)
        ]
    except KeyError as error:
        raise ReadmeError(f"{place}: {error} is missing or not known; run the pipeline again") from None


def _cell(text: str, model: Mapping[str, Any]) -> str:
    is_against = "ratio" in text or "difference" in text
    return "–" if is_against and model["model"] == PRIMARY else text.format_map(model)


TABLES: dict[Path, dict[str, Callable[[], str]]] = {
    README: {"figures": first_figures_table, "models": first_models_table},
    ALL: {"figures": figures_table, "models": models_table},
}


def rewrite(text: str, name: str, body: str) -> str:
    """Replace what stands between the markers of a name.

    Raises:
        ReadmeError: where the pair of markers is not there exactly once.
    """
    start, end = f"<!-- results:{name} -->", f"<!-- /results:{name} -->"
    place = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if len(place.findall(text)) != 1:
        raise ReadmeError(f"the page must hold {start} … {end} once, holds it {len(place.findall(text))} times")
    return place.sub(lambda _: f"{start}\n{body}\n{end}", text)


def main() -> None:
    """Rewrite the pages, or with ``--check`` exit 1 where that would change one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a page is out of date")
    check = parser.parse_args().check
    try:
        for page, named in TABLES.items():
            before = after = files.read_text(page)
            for name, table in named.items():
                after = rewrite(after, name, table())
            if check and after != before:
                sys.exit(f"{page.relative_to(harness.ROOT)} is out of date: run `make docs`")
            if after != before:
                files.write_text(page, after)
    except (ReadmeError, PricetrailError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
