"""Helper of ``year.py``: the year as Markdown. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness import Result
from tables import figure, goal_cell
from year_shop import Week

Errors = Mapping[str, Any]
MODELS: Final = {
    "serving": "serving release",
    "frozen": "never retrained",
    "frozen_fed": "never retrained, fed",
    "candidate": "candidate",
    "naive": "naive",
}
PAGE: Final = """\
# A year in production

Written by `make year` (`benchmarks/year.py`). UCI Online Retail, week by week: each Monday `pricetrail ingest
--push` of the week's files, then `pricetrail weekly`; dials as shipped, but `weekly.search_every: 4`. {runs} runs:
{outcomes}; {released} releases. How to run it like this, and what it shows: [0017](decisions/0017-year.md).

![Errors on the week after each run, and gates](year.png)

{goals}

**Models.** *Serving release*: what the newest `production` tag names after the run, its signature verified.
*Candidate*: what the run itself built, released or not. *Never retrained*: {frozen};
*fed*: the same weights, with all lines up to the week to look back at. *Naive*: the training median. A run on Monday
has the lines of all days before it, and each feature is of earlier days than its line.

## Errors

MSE of log quantity on the lines of the week after the run; lower is better.

{errors}

## Decisions

Value and threshold of each gate; MB that the bucket grew by: source files, and what the run made of them.

{decisions}

## Replays

`pricetrail replay` of releases (of runs, where these are too few), drawn with a seed:

{replays}
"""


def page(weeks: Sequence[Week], errors: Sequence[Errors], found: Result) -> str:
    """The whole page."""
    first = next((week for week in weeks if week["version"]), None)
    return PAGE.format(
        runs=len(weeks),
        outcomes=", ".join(f"{count} {name.lower()}" for name, count in found.details["outcomes"].items()),
        released=sum(bool(week["version"]) for week in weeks),
        goals="\n".join(f"- {goal_cell(goal, is_value=False)}" for goal in found.goals),
        frozen="the first release ({version}, {monday})".format(**first) if first else "the first candidate",
        errors=_table(_error_rows(weeks, errors)),
        decisions=_table(_decision_rows(weeks)),
        replays=_table(_replay_rows(found.details["replays"])),
    )


def means(errors: Sequence[Errors]) -> dict[str, float | int | None]:
    """Means over all lines of the weeks in which a release served; of all weeks where none ever did."""
    served = [each for each in errors if each["serving"] is not None] or list(errors)
    lines = sum(each["rows"] for each in served)
    found: dict[str, float | int | None] = {"weeks": len(served), "lines": lines}
    for name in MODELS:
        there = served and all(each[name] is not None for each in served)
        found[name] = sum(each["rows"] * each[name] for each in served) / lines if there else None
    return found


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body))


def _error_rows(weeks: Sequence[Week], errors: Sequence[Errors]) -> list[list[str]]:
    rows = [["run", "serves", "lines of the week after", *MODELS.values()]]
    for week, each in zip(weeks, errors, strict=True):
        figures = [_mse(each[name]) for name in MODELS]
        rows.append([week["monday"], week["production"] or "none", f"{each['rows']:,}", *figures])
    mean = means(errors)
    figures = [f"**{_mse(mean[name])}**" for name in MODELS]
    return [*rows, [f"**mean, {mean['weeks']} weeks**", "", f"{mean['lines']:,}", *figures]]


def _mse(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _decision_rows(weeks: Sequence[Week]) -> list[list[str]]:
    names = list(dict.fromkeys(gate for week in weeks for gate in week["figures"].get("gates", {})))
    rows = [["run", "lines", "study", "outcome", "release", *names, "test MSE", "minutes", "MB", "reason"]]
    for week in weeks:
        gates = [_gate(week["figures"].get("gates", {}).get(name)) for name in names]
        lines, study = f"{week['figures']['rows']:,}" if week["figures"] else "–", "yes" if week["had_study"] else ""
        cost = [f"{week['total_seconds'] / 60:.1f}", "{files:.1f} + {run:.1f}".format(**week["pushed_mb"])]
        last = [_mse(week["figures"].get("test_mse")), *cost, week["reason"].replace("|", "\\|")]
        rows.append([week["monday"], lines, study, week["outcome"], week["version"], *gates, *last])
    return rows


def _gate(gate: Mapping[str, Any] | None) -> str:
    if gate is None:
        return "–"
    value = "–" if gate["value"] is None else figure(gate["value"])
    return f"{value} of {figure(gate['threshold'])}" + ("" if gate["open"] else ", **closed**")


def _replay_rows(replays: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    rows = [["what", "run of", "outputs identical", "seconds"]]
    for each in replays:
        same = each["reason"] or f"{each['percent']:.4g}% of {each['outputs']}"
        rows.append([f"`{each['what'][:20]}`", each["monday"], same, f"{each['seconds']:.0f}"])
    return rows
