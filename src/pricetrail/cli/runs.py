"""``pricetrail runs``: the ledger of runs, a run a line."""

from pathlib import Path

from pricetrail.base import files
from pricetrail.base.errors import SourceError
from pricetrail.base.json_type import Json
from pricetrail.cli.table import Format, FormatOption, print_rows
from pricetrail.lineage.ledger import Run, parse_ledger

LEDGER = Path("reports/runs.jsonl")
FIGURES = {  # figure of the ledger by its column here
    "mse_log_quantity": "test.mse_log_quantity",
    "ratio_to_lightgbm": "models.lightgbm.ratio_of_network",
    "skill": "test.skill",
}
HEADINGS = {
    "run": "run",
    "last_day": "data end",
    "rows": "lines",
    "outcome": "outcome",
    "mse_log_quantity": "test MSE",
    "ratio_to_lightgbm": "vs LightGBM",
    "skill": "skill",
    "open_gates": "open gates",
}


def runs(form: FormatOption = Format.table) -> None:
    """List every run of the ledger, newest first, as `git log` does.

    Test MSE is of log1p(units); vs LightGBM is that error over LightGBM's (below 1 the network is better);
    skill is the share of the training median's error that is gone; a dash: that run did not record the figure.
    """
    if not LEDGER.exists():
        raise SourceError(str(LEDGER), "must be there: run `dvc repro`, or check out a commit that has it")
    found = parse_ledger(files.read_text(LEDGER), str(LEDGER))
    print_rows([_row(run) for run in reversed(found)], form, HEADINGS)


def _row(run: Run) -> dict[str, Json]:
    days: dict[str, Json] = {"first_day": run.days[0], "last_day": run.days[1], "rows": run.rows}
    figures: dict[str, Json] = {column: run.metrics.get(name) for column, name in FIGURES.items()}
    gates = run.metrics.get("decision.open_gates")
    days["open_gates"] = None if gates is None else int(gates)
    return {"run": run.run, "outcome": run.outcome, **days, **figures}
