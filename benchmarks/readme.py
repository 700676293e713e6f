"""Rewrite the README's tables from ``benchmarks/results/`` and ``metrics/``; ``--check`` only tells if they are old.

A table stands between ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import harness
import tables
from pricetrail import files
from pricetrail.errors import PricetrailError

README = harness.ROOT / "README.md"
DEMO_METRICS = harness.ROOT / "metrics" / "test.json"
ERRORS = {
    "MSE of log quantity": "mse_log_quantity",
    "its baseline's": "baseline_mse_log_quantity",
    "skill": "skill",
    "RMSLE": "rmsle",
    "MAE, units": "mae_units",
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
    """Errors on the test days of both data sets."""
    rows = [_model_row("demo shop", files.read_json(DEMO_METRICS), "metrics/test.json")]
    real = harness.RESULTS / "pipeline_real.json"
    if real.exists():
        details = harness.Result.read(real).details
        rows.append(_model_row("UCI Online Retail", details["test"], "benchmarks/results/pipeline_real.json"))
    return _markdown(["test days of", "lines", *ERRORS], rows)


def _model_row(data: str, test: Mapping[str, Any], place: str) -> list[str]:
    missing = [key for key in ("rows", *ERRORS.values()) if key not in test]
    if missing:
        raise ReadmeError(f"{place}: must have {', '.join(missing)}; run the pipeline again")
    return [data, f"{test['rows']:,}", *(f"{test[key]:.3f}" for key in ERRORS.values())]


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
