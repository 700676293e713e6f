"""What changed since the last run on the same data source, and all these runs as a line."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence

from pricetrail.checks.gates import outcome_word
from pricetrail.lineage.changes import Move, changes, moves
from pricetrail.lineage.ledger import SOURCE, Run
from pricetrail.report.page.blocks import (
    Cell,
    Commands,
    Figure,
    Key,
    Note,
    Section,
    State,
    Table,
    Tile,
    Tiles,
    table,
)
from pricetrail.report.page.charts import Series, lines_chart
from pricetrail.report.page.svg import room
from pricetrail.report.page.words import NONE, count, number, plural, signed, signed_fixed
from pricetrail.report.results import PageResults, run_before

ERROR = "test.mse_log_quantity"
WHY = (("pricetrail why HEAD~1 HEAD", "which file, parameter or package made two runs differ"),)
VERDICTS: Mapping[bool | None, tuple[str, State]] = {True: ("better", "pass"), False: ("worse", "fail"), None: ("", "")}


def own_run(results: PageResults) -> Run | None:
    """The line of the ledger that this run has; None where it has none."""
    return next((run for run in results.runs if run.run == results.lineage.run), None)


def metric_changes(before: Run, now: Run) -> tuple[Move, ...]:
    """Every figure that is not what it was, those that got better or worse first."""
    found = moves(before.metrics, now.metrics)
    return tuple(sorted(found, key=lambda move: (move.better is None, move.name != ERROR)))


def changes_section(results: PageResults) -> Section:
    """The last run on the same data source beside this one."""
    heading, key = "What changed", "changes"
    now = own_run(results)
    if now is None:
        return Section(key, heading, "This run is not in the ledger, so there is nothing to hold it against.", ())
    before, source = run_before(results.runs, now), now.params.get(SOURCE)
    ledger = tuple(run for run in results.runs if run.params.get(SOURCE) == source)
    history = (_history(ledger, now),) if len(ledger) > 1 else ()
    if before is None:
        first = "is the first on this data" if source is None else f"is the first on the data of {source}"
        return Section(key, heading, f"Run {now.run} {first}: there is no earlier one to hold it against.", history)
    moved = metric_changes(before, now)
    params, hashes = changes(before.params, now.params), changes(before.hashes, now.hashes)
    judged = [move for move in moved if move.better is not None]
    others = [move for move in moved if move.better is None]
    settings = [(change.name, _shown(change.old), _shown(change.new)) for change in params]
    outs = [(change.name, _shown(change.old)[:8], _shown(change.new)[:8]) for change in hashes]
    tables = (
        _metric_table("Metrics that changed", judged),
        _metric_table("Figures that are neither good nor bad", others, folded=True),
        table("Parameters that changed", ("`parameter", "`before", "`now"), settings),
        table("Outputs whose bytes changed", ("`output", "`before", "`now"), outs, folded=True),
    )
    shown = tuple(each for each in tables if each.rows)
    told = shown or (Note("No metric, parameter or output differs from the run before."),)
    tiles = Tiles(_tiles(before, now, moved, len(params), len(hashes)))
    return Section(key, heading, _finding(before, now, moved), (tiles, *history, *told, Commands(WHY)))


def _finding(before: Run, now: Run, moved: Sequence[Move]) -> str:
    better, worse = (sum(move.better is wanted for move in moved) for wanted in (True, False))
    told = [outcome_word(run.outcome) for run in (before, now)]
    turned = "" if before.outcome == now.outcome else f" The outcome went from “{told[0]}” to “{told[1]}”."
    if not better and not worse:
        return f"No judged metric moved since run {before.run}.{turned}"
    return f"Since run {before.run}, {plural(better, 'metric')} got better and {worse} got worse.{turned}"


def _tiles(before: Run, now: Run, moved: Sequence[Move], params: int, hashes: int) -> tuple[Tile, ...]:
    days = (dt.date.fromisoformat(now.days[1]) - dt.date.fromisoformat(before.days[1])).days
    data = f"{now.days[0]} to {now.days[1]}"
    window = f"{signed(days, 6)} {'day' if abs(days) == 1 else 'days'}" if days else "same last day"
    old, new = before.metrics.get(ERROR), now.metrics.get(ERROR)
    tiles = [Tile("Data", window, f"{data}, {count(now.rows)} lines ({signed(now.rows - before.rows, 9)})")]
    if old is not None and new is not None:
        word, state = VERDICTS[next((move.better for move in moved if move.name == ERROR), None)]
        change = signed_fixed(new - old, 4) if new != old else "unchanged"
        note = f"MSE of log quantity, {number(old)} to {number(new)}"
        tiles.insert(0, Tile("Error on the test days", change, note, state, word.capitalize()))
    return (*tiles, Tile("Parameters", str(params), "changed"), Tile("Outputs", str(hashes), "with other bytes"))


def _history(ledger: tuple[Run, ...], now: Run) -> Figure:
    places = [(float(place), run.metrics[ERROR], run) for place, run in enumerate(ledger, 1) if ERROR in run.metrics]
    errors = [error for _, error, _ in places] or [0.0]
    kinds = (("released", "main", "dot"), ("withheld", "bad", "diamond"))
    own = tuple((place, error) for place, error, run in places if run.run == now.run)
    series = [
        Series("test error", tuple((place, error) for place, error, _ in places), "soft"),
        Series("this run", own, "plain", "ring", joined=False, radius=8),
    ]
    legend = [Key("ring", "plain", "this run")]
    for outcome, tone, shape in kinds:
        points = tuple((place, error) for place, error, run in places if run.outcome == outcome)
        word, ids = outcome_word(outcome), [run.run for *_, run in places if run.outcome == outcome]
        tips = tuple(f"run {run}, {word}: {number(error)}" for run, (_, error) in zip(ids, points, strict=True))
        series.append(Series(word, points, tone, shape, joined=False, tips=tips))
        legend.insert(-1, Key(shape, tone, word))
    bounds = room(min(errors), max(errors), 0.25)
    says = f"{plural(len(ledger), 'run')}; the error of this one, {now.run}, is {number(now.metrics.get(ERROR))}."
    chart = lines_chart("history", "Test error of every run", says, series, "run", "MSE of log quantity", bounds)
    rows = [
        (run.run, outcome_cell(run.outcome), run.days[1], count(run.rows), number(run.metrics.get(ERROR)))
        for run in ledger
    ]
    columns = ("`run", "outcome", "data until", "#lines", "#MSE of log quantity")
    return Figure("Test error over all runs", chart, table("Every run on this data", columns, rows), tuple(legend))


def outcome_cell(outcome: str) -> Cell:
    """An outcome with its icon."""
    return Cell(outcome_word(outcome), "pass" if outcome == "released" else "fail")


def _metric_table(caption: str, moved: Sequence[Move], folded: bool = False) -> Table:
    rows = []
    for move in moved:
        change = NONE if move.old is None or move.new is None else signed(move.new - move.old)
        word, state = VERDICTS[move.better]
        rows.append((move.name, number(move.old), number(move.new), change, Cell(word or NONE, state)))
    return table(caption, ("`metric", "#before", "#now", "#change", "verdict"), rows, folded)


def _shown(value: object) -> str:
    return NONE if value is None else json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
