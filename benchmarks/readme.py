"""Rewrite the README's tables from ``benchmarks/results/`` and ``metrics/``; ``--check`` only tells if they are old.

A table stands between ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import accuracy
import harness
import tables
from pricetrail.base import files
from pricetrail.base.errors import PricetrailError
from pricetrail.model.bundle import PRIMARY

README = harness.ROOT / "README.md"
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
    "network over it": "{ratio:.3f}",
    "network less it, 95% interval": "{difference_low:+.4f} to {difference_high:+.4f}",
    "MAE, units": "{mae_units:.2f}",
    "RMSLE": "{rmsle:.3f}",
}


class ReadmeError(Exception):
    """The README, or a file its tables are made from, is not as it must be."""


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


def models_table() -> str:
    """Errors of every model on the test days of both data sets."""
    demo = harness.ROOT / accuracy.TABLE
    if not demo.exists():
        raise ReadmeError(f"{accuracy.TABLE}: must be there; run the pipeline")
    rows = _model_rows("demo shop", accuracy.read_rows(harness.ROOT), str(accuracy.TABLE))
    real = harness.RESULTS / "accuracy_real.json"
    if real.exists():
        models = harness.Result.read(real).details["models"]
        rows += _model_rows("UCI Online Retail", models, "benchmarks/results/accuracy_real.json")
    return _markdown(["test days of", "model", *ERRORS], rows)


def _model_rows(data: str, models: Sequence[Mapping[str, Any]], place: str) -> list[list[str]]:
    """A row a model, lowest error first; the network is not compared with itself."""
    try:
        return [
            [
                f"{data}, {model['rows']:,} lines" if number == 0 else "",
                MODELS[model["model"]],
                *(_cell(text, model) for text in ERRORS.values()),
            ]
            for number, model in enumerate(models)
        ]
    except KeyError as error:
        raise ReadmeError(f"{place}: {error} is missing or not known; run the pipeline again") from None


def _cell(text: str, model: Mapping[str, Any]) -> str:
    is_against = "ratio" in text or "difference" in text
    return "–" if is_against and model["model"] == PRIMARY else text.format_map(model)


TABLES: dict[str, Callable[[], str]] = {"figures": figures_table, "models": models_table}


def rewrite(text: str, name: str, body: str) -> str:
    """Replace what stands between the markers of a name.

    Raises:
        ReadmeError: where the pair of markers is not there exactly once.
    """
    start, end = f"<!-- results:{name} -->", f"<!-- /results:{name} -->"
    place = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if len(place.findall(text)) != 1:
        raise ReadmeError(f"README.md: must hold {start} … {end} once, holds it {len(place.findall(text))} times")
    return place.sub(lambda _: f"{start}\n{body}\n{end}", text)


def main() -> None:
    """Rewrite the README, or with ``--check`` exit 1 where that would change it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the README is out of date")
    check = parser.parse_args().check
    try:
        before = after = files.read_text(README)
        for name, table in TABLES.items():
            after = rewrite(after, name, table())
    except (ReadmeError, PricetrailError) as error:
        sys.exit(f"error: {error}")
    if check and after != before:
        sys.exit("README.md is out of date: run `make docs`")
    if after != before:
        files.write_text(README, after)


if __name__ == "__main__":
    main()
