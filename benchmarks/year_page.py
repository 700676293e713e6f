"""Helper of ``year.py``: the year as Markdown. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness import Result
from tables import figure, goal_cell
from year_weeks import STEPS, Week

Errors = Mapping[str, Any]
MODELS: Final = {
    "serving": "serving release",
    "frozen": "never retrained",
    "frozen_fed": "never retrained, fed",
    "candidate": "candidate",
    "naive": "naive",
}
KNOWN: Final = """\
**What was known.** A run on Monday has the lines of all days before it. The week after it is then predicted line by
line: each feature is of earlier days than the line's own, days of the same week too, as they are in the partition
that the *next* run's ETL left of that week. What a network looks back at is what its bundle holds: lines up to the
last day of data of its own run.

- **serving release**: the one that the newest `production` tag names after the run, its signature verified, loaded
  by its trusted manifest. Where a run is withheld, the older release goes on serving.
- **candidate**: what the run itself built, released or not.
- **never retrained**: {frozen}; weights and look-back stay as they were.
- **never retrained, fed**: the same weights, with all lines up to the Sunday before the week to look back at. What
  it is better by than *never retrained* is due to old lines; what it is worse by than the candidate, to old
  weights.
- **naive**: the training median of {naive}."""
HEAD: Final = """\
# A year in production

Written by `make year` (`benchmarks/year.py`). UCI Online Retail, week by week: each Monday `pricetrail ingest
--push` of the week's files, then `pricetrail weekly`; dials as shipped, but `weekly.search_every: 4`. {runs} runs:
{outcomes}; {released} releases. How to run it like this, and what it shows: [0017](decisions/0017-year.md).

![Errors on the week after each run, drift, gates, minutes and megabytes](year.png)"""
NONE: Final = "**No release was ever in production**: every run was withheld. Read the candidate's column."
ERRORS: Final = "## Errors\n\nMSE of log quantity on the lines of the week after the run; lower is better."
COST: Final = """\
## Cost

Seconds by step, and MB that the bucket grew by. `start`: what the commands took besides, such as loading Python."""
REPLAYS: Final = "## Replays\n\n`pricetrail replay` of releases (of runs, where these are too few), drawn with a seed:"


def page(weeks: Sequence[Week], errors: Sequence[Errors], found: Result) -> str:
    """The whole page."""
    released = sum(bool(week.version) for week in weeks)
    outcomes = ", ".join(f"{count} {name.lower()}" for name, count in found.details["outcomes"].items())
    first = next((week for week in weeks if week.version), None)
    frozen = f"the first release ({first.version}, {first.monday})" if first else "the first candidate: no release"
    naive = "the serving release, of the candidate where none serves" if released else "the candidate"
    parts = [
        HEAD.format(runs=len(weeks), outcomes=outcomes, released=released),
        "\n".join(f"- {goal_cell(goal, is_value=False)}" for goal in found.goals),
        KNOWN.format(frozen=frozen, naive=naive),
        *([] if released else [NONE]),
        ERRORS,
        _table(_error_rows(weeks, errors)),
        "## Decisions\n\nValue and threshold of each gate.",
        _table(_decision_rows(weeks)),
        COST,
        _table(_cost_rows(weeks)),
        "Where `reproduce` goes, mean seconds of a stage:",
        _table(_stage_rows(weeks)),
        REPLAYS,
        _table(_replay_rows(found.details["replays"])),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def means(errors: Sequence[Errors]) -> dict[str, float | int | None]:
    """Means over all lines of the weeks in which a release served; of all weeks where none ever did."""
    served = [each for each in errors if each["serving"] is not None] or list(errors)
    found: dict[str, float | int | None] = {"weeks": len(served), "lines": sum(each["rows"] for each in served)}
    for name in MODELS:
        there = all(each[name] is not None for each in served) and served
        total = sum(each["rows"] * each[name] for each in served) if there else None
        found[name] = total / sum(each["rows"] for each in served) if total is not None else None
    return found


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *body))


def _error_rows(weeks: Sequence[Week], errors: Sequence[Errors]) -> list[list[str]]:
    rows = [["run", "serves", "lines of the week after", *MODELS.values()]]
    for week, each in zip(weeks, errors, strict=True):
        rows.append(
            [week.monday, week.production or "none", f"{each['rows']:,}", *(_mse(each[name]) for name in MODELS)]
        )
    mean = means(errors)
    rows.append(
        [f"**mean, {mean['weeks']} weeks**", "", f"{mean['lines']:,}", *(f"**{_mse(mean[name])}**" for name in MODELS)]
    )
    return rows


def _mse(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _decision_rows(weeks: Sequence[Week]) -> list[list[str]]:
    gates = list(dict.fromkeys(gate for week in weeks for gate in week.figures.get("gates", {})))
    rows = [["run", "lines", "study", "outcome", "release", *gates, "test MSE", "reason"]]
    for week in weeks:
        figures = week.figures
        cells = [_gate(figures["gates"][gate]) if gate in figures.get("gates", {}) else "–" for gate in gates]
        rows.append(
            [
                week.monday,
                f"{figures['rows']:,}" if figures else "–",
                "yes" if week.had_study else "",
                week.outcome,
                week.version or "",
                *cells,
                _mse(figures.get("test_mse")),
                week.reason.replace("|", "\\|"),
            ]
        )
    return rows


def _gate(gate: Mapping[str, Any]) -> str:
    value = "–" if gate["value"] is None else figure(gate["value"])
    return f"{value} of {figure(gate['threshold'])}" + ("" if gate["open"] else ", **closed**")


def _cost_rows(weeks: Sequence[Week]) -> list[list[str]]:
    rows = [["run", "study", *STEPS, "all", "CPU", "MB of files", "MB of the run"]]
    for week in weeks:
        steps = [f"{week.seconds[step]:.1f}" if step in week.seconds else "–" for step in STEPS]
        pushed = [f"{week.pushed_mb[name]:.1f}" for name in ("files", "run")]
        study = "yes" if week.had_study else ""
        rows.append([week.monday, study, *steps, f"{week.total_seconds:.0f}", f"{week.cpu_seconds:.0f}", *pushed])
    return rows


def _stage_rows(weeks: Sequence[Week]) -> list[list[str]]:
    kinds = [[week for week in weeks if week.had_study == study] for study in (True, False)]
    names = list(dict.fromkeys(stage for week in weeks for stage in week.stages))
    rows = [[f"`{name}`", *(_mean_of(name, kind) for kind in kinds)] for name in names]
    return [["stage", "runs with a study", "other runs"], *rows]


def _replay_rows(replays: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    rows = [["what", "run of", "outputs identical", "seconds"]]
    for each in replays:
        same = each["reason"] or f"{each['percent']:.4g}% of {each['outputs']}"
        rows.append([f"`{each['what'][:20]}`", each["monday"], same, f"{each['seconds']:.0f}"])
    return rows


def _mean_of(stage: str, weeks: Sequence[Week]) -> str:
    found = [week.stages[stage] for week in weeks if stage in week.stages]
    return f"{sum(found) / len(found):.1f}" if found else "–"
