"""What changed since the last run: two entries of the ledger, and all of them as a line."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pricetrail.page.blocks import Block, Cell, Commands, Figure, Key, Note, Section, State, Table, Tile, Tiles, table
from pricetrail.page.charts import Series, lines_chart
from pricetrail.page.facts import Facts, Run
from pricetrail.page.svg import room
from pricetrail.page.words import NONE, count, number, plural, signed, signed_fixed

ERROR = "test.mse_log_quantity"
LESS = (
    *("mse_log_quantity", "mae_units", "rmsle", "distance", "disparity", "drifted_input_share"),
    *("mean_width_log_quantity", "ratio_of_network", "error_ratio"),
)
MORE = ("skill", "open_gates")
NEUTRAL = ("baseline_mse_log_quantity",)
BASELINES = "models."  # a rival that got better is neither good nor bad news
COVERAGE = {"interval_80.coverage": 0.80, "interval_95.coverage": 0.95}
WHY = (("pricetrail why HEAD~1 HEAD", "which file, parameter or package made two runs differ"),)
Judgement = Literal["better", "worse", ""]
STATES: Mapping[Judgement, State] = {"better": "pass", "worse": "fail", "": ""}


@dataclass(frozen=True)
class Change:
    """A figure before and now."""

    key: str
    old: float | None
    new: float | None
    judgement: Judgement


def neighbours(ledger: tuple[Run, ...], run: str) -> tuple[Run | None, Run | None]:
    """The entry of this run, and the one before it; None where there is none."""
    place = next((place for place, entry in enumerate(ledger) if entry.run == run), None)
    if place is None:
        return None, None
    return ledger[place], ledger[place - 1] if place else None


def judge(key: str, old: float, new: float) -> Judgement:
    """Whether a metric got better: less error, more skill, coverage closer to what was promised.

    >>> judge("test.mse_log_quantity", 0.30, 0.27), judge("test.skill", 0.7, 0.6), judge("etl.rows_read", 1, 2)
    ('better', 'worse', '')
    >>> judge("intervals.interval_80.coverage", 0.75, 0.82)
    'better'
    """
    for ending, promised in COVERAGE.items():
        if key.endswith(ending):
            old, new = abs(old - promised), abs(new - promised)
            return "" if old == new else "better" if new < old else "worse"
    rival = key.startswith(BASELINES) and not key.endswith("ratio_of_network")
    if old == new or rival or key.endswith(NEUTRAL) or not key.endswith((*LESS, *MORE)):
        return ""
    return "better" if (new < old) == key.endswith(LESS) else "worse"


def metric_changes(before: Run, now: Run) -> tuple[Change, ...]:
    """Every figure that is not what it was, judged ones first."""
    keys = [*now.metrics, *(key for key in before.metrics if key not in now.metrics)]
    pairs = [(key, before.metrics.get(key), now.metrics.get(key)) for key in keys]
    changes = [
        Change(key, old, new, "" if old is None or new is None else judge(key, old, new))
        for key, old, new in pairs
        if old != new
    ]
    return tuple(sorted(changes, key=lambda change: (change.judgement == "", change.key != ERROR)))


def changes_section(facts: Facts) -> Section:
    """The last run beside this one."""
    heading, key = "What changed", "changes"
    now, before = neighbours(facts.ledger, facts.lineage.run if facts.lineage else "")
    if now is None:
        return Section(key, heading, "This run is not in the ledger, so there is nothing to hold it against.", ())
    history = (_history(facts.ledger, now),) if len(facts.ledger) > 1 else ()
    if before is None:
        return Section(key, heading, f"Run {now.run} is the first in the ledger: there is no earlier one.", history)
    changes = metric_changes(before, now)
    params = _differences(before.params, now.params)
    hashes = _differences(before.hashes, now.hashes)
    judged, others = (tuple(c for c in changes if bool(c.judgement) == wanted) for wanted in (True, False))
    figures = (
        _metric_table("Metrics that changed", judged),
        _metric_table("Figures that are neither good nor bad", others, True),
    )
    tables = (*figures, _param_table(params), _hash_table(hashes))
    shown = tuple(each for each in tables if each.rows)
    blocks: tuple[Block, ...] = (Tiles(_tiles(before, now, len(params), len(hashes))), *history, *shown)
    if not shown:
        blocks = (*blocks, Note("No metric, parameter or output differs from the run before."))
    blocks = (*blocks, Commands(WHY))
    return Section(key, heading, _finding(before, now, changes), blocks)


def _finding(before: Run, now: Run, changes: tuple[Change, ...]) -> str:
    better = sum(change.judgement == "better" for change in changes)
    worse = sum(change.judgement == "worse" for change in changes)
    turned = "" if before.outcome == now.outcome else f" The outcome went from {before.outcome} to {now.outcome}."
    if not better and not worse:
        return f"No judged metric moved since run {before.run}.{turned}"
    return f"Since run {before.run}, {plural(better, 'metric')} got better and {worse} got worse.{turned}"


def _tiles(before: Run, now: Run, params: int, hashes: int) -> tuple[Tile, ...]:
    days = (dt.date.fromisoformat(now.days[1]) - dt.date.fromisoformat(before.days[1])).days
    data = f"{now.days[0]} to {now.days[1]}"
    window = f"{signed(days, 6)} {'day' if abs(days) == 1 else 'days'}" if days else "same last day"
    old, new = before.metrics.get(ERROR), now.metrics.get(ERROR)
    tiles = [Tile("Data", window, f"{data}, {count(now.rows)} lines ({signed(now.rows - before.rows, 9)})")]
    if old is not None and new is not None:
        verdict = judge(ERROR, old, new)
        change = signed_fixed(new - old, 4) if new != old else "unchanged"
        note = f"MSE of log quantity, {number(old)} to {number(new)}"
        tiles.insert(0, Tile("Error on the test days", change, note, STATES[verdict], verdict.capitalize()))
    return (*tiles, Tile("Parameters", str(params), "changed"), Tile("Outputs", str(hashes), "with other bytes"))


def _history(ledger: tuple[Run, ...], now: Run) -> Figure:
    places = [(place, run) for place, run in enumerate(ledger, start=1) if ERROR in run.metrics]
    errors = [run.metrics[ERROR] for _, run in places] or [0.0]
    kinds = (("released", "main", "dot"), ("withheld", "bad", "diamond"))
    spots = tuple((float(place), run.metrics[ERROR]) for place, run in places)
    own = tuple(spot for spot, (_, run) in zip(spots, places, strict=True) if run.run == now.run)
    series = [Series("test error", spots, "soft"), Series("this run", own, "plain", "ring", joined=False, radius=8)]
    for outcome, tone, shape in kinds:
        chosen = [(place, run) for place, run in places if run.outcome == outcome]
        points = tuple((float(place), run.metrics[ERROR]) for place, run in chosen)
        tips = tuple(f"run {run.run}, {outcome}: {number(run.metrics[ERROR])}" for _, run in chosen)
        series.append(Series(outcome, points, tone, shape, joined=False, tips=tips))
    bounds = room(min(errors), max(errors), 0.25)
    says = f"{plural(len(ledger), 'run')}; the error of this one, {now.run}, is {number(now.metrics.get(ERROR))}."
    chart = lines_chart("history", "Test error of every run", says, series, "run", "MSE of log quantity", bounds)
    rows = [
        (
            Cell(run.run, code=True),
            outcome_cell(run.outcome),
            run.days[1],
            count(run.rows),
            number(run.metrics.get(ERROR)),
        )
        for run in ledger
    ]
    columns = ("run", "outcome", "data until", "#lines", "#MSE of log quantity")
    legend = (*(Key(shape, tone, outcome) for outcome, tone, shape in kinds), Key("ring", "plain", "this run"))
    return Figure("Test error over all runs", chart, table("Every run of the ledger", columns, rows), legend)


def outcome_cell(outcome: str) -> Cell:
    """An outcome with its icon."""
    return Cell(outcome, "pass" if outcome == "released" else "fail")


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    keys = [*now, *(key for key in before if key not in now)]
    return [(key, before.get(key), now.get(key)) for key in keys if before.get(key) != now.get(key)]


def _metric_table(caption: str, changes: tuple[Change, ...], folded: bool = False) -> Table:
    rows = [
        (
            Cell(change.key, code=True),
            number(change.old),
            number(change.new),
            NONE if change.old is None or change.new is None else signed(change.new - change.old),
            Cell(change.judgement or NONE, STATES[change.judgement]),
        )
        for change in changes
    ]
    return table(caption, ("metric", "#before", "#now", "#change", "verdict"), rows, folded)


def _param_table(changed: list[tuple[str, Any, Any]]) -> Table:
    rows = [
        (Cell(key, code=True), Cell(_shown(old), code=True), Cell(_shown(new), code=True)) for key, old, new in changed
    ]
    return table("Parameters that changed", ("parameter", "before", "now"), rows)


def _hash_table(changed: list[tuple[str, Any, Any]]) -> Table:
    rows = [
        (Cell(key, code=True), Cell((old or NONE)[:8], code=True), Cell((new or NONE)[:8], code=True))
        for key, old, new in changed
    ]
    return table("Outputs whose bytes changed", ("output", "before", "now"), rows, folded=True)


def _shown(value: object) -> str:
    return NONE if value is None else json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
