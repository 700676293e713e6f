"""How `run.py` and `readme.py` write a result: its cells, and the order of the results."""

from __future__ import annotations

from harness import RESULTS, Goal, Result

# The order they run in: what makes a finished clone comes before what uses it.
NAMES = (
    "pipeline_demo", "noop", "weekly_noop", "accuracy_demo", "price_demo", "train_speed",
    "pipeline_real", "accuracy_real", "intervals_real", "accuracy_85123A", "search_real", "train_scaling",
    "shap_speed", "replay", "faults_evidence", "faults_operation", "attacks", "operation_cases", "drift_calibration",
    "reproducibility", "etl_real", "append_week", "push_growth", "any_shop", "dialects",
)  # fmt: skip
LONG = ("year",)  # run by name only: hours
SIGNS = {"<=": "≤", ">=": "≥"}


def figure(value: float) -> str:
    """Three significant digits, and no fewer than the whole number has."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


def value_cell(result: Result) -> str:
    """The value with its unit."""
    return f"{figure(result.value)} {result.unit}"


def goal_cell(goal: Goal, is_value: bool) -> str:
    """The limit; with what it is about and its figure where this is not the result's value."""
    limit = f"{SIGNS.get(goal.rule, goal.rule)} {figure(goal.limit)} {goal.unit}"
    shown = limit if is_value else f"{goal.what} {figure(goal.value)} {goal.unit} ({limit})"
    return shown if goal.is_met else f"{shown}, missed"


def goal_cells(result: Result) -> list[str]:
    """All goals of a result, its value's first."""
    return [goal_cell(goal, is_value=result.is_about_value(goal)) for goal in result.goals]


def rival_cell(result: Result) -> str:
    """The rival with its figure, or a dash."""
    if result.rival is None or result.rival_value is None:
        return "–"
    return f"{result.rival}: {figure(result.rival_value)} {result.unit}"


def ratio_cell(result: Result) -> str:
    """How many times better than the rival, or a dash."""
    return "–" if result.ratio is None else f"{result.ratio:.2f}"


def read_results() -> list[Result]:
    """The results that are there, in order."""
    paths = [RESULTS / f"{name}.json" for name in (*NAMES, *LONG)]
    return [Result.read(path) for path in paths if path.exists()]
