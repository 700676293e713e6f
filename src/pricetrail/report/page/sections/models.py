"""The network beside its baselines, what its intervals hold, and how it was trained."""

from collections.abc import Sequence
from itertools import zip_longest

from pricetrail.checks.results import GroupCoverage, IntervalsResult, Rival
from pricetrail.report.page.blocks import Cell, Figure, Key, Note, Section, Table, table
from pricetrail.report.page.charts import Axis, Item, Row, Series, lines_chart, rows_chart
from pricetrail.report.page.svg import room
from pricetrail.report.page.words import NONE, between, count, fixed, name, number, percent, plural
from pricetrail.report.results import PRIMARY, PageResults, Trial

LOG = "MSE of log(1 + units)"
FIXED = "fixed"  # the state of the only row of trials where no study ran


def models_section(results: PageResults) -> Section:
    """Errors on the test days, an interval a model."""
    models = results.models.models
    rows = []
    for model in models:
        own = model.name == PRIMARY
        look = ("dot", "main") if own else ("ring", "plain")
        item = Item(model.errors.mse_log_quantity, *look, model.mse.low, model.mse.high)
        rows.append(Row(name(model.name), (item,), fixed(model.mse.value, 3), strong=own))
    axis = Axis(*room(0, max((model.mse.high or 0 for model in models), default=1), zero=True), LOG)
    chart = rows_chart("models-error", "Error of each model on the test days", _finding(results), rows, axis)
    legend = (Key("dot", "main", "the network"), Key("ring", "plain", "a baseline"))
    caption = "Lower is better. A line is the interval over resampled test days."
    figure = Figure("Error on the test days", chart, _model_table(models), legend, caption)
    return Section("models", "Against the baselines", _finding(results), (figure,))


def _finding(results: PageResults) -> str:
    rival = next(iter(results.rivals), None)
    if rival is None:
        return "There is no baseline to hold the network against."
    who = name(rival.name)
    if rival.ratio is None:
        return f"{who}, the best baseline, has no error at all on the test days."
    share = percent(abs(1 - rival.ratio), 1)
    if rival.ratio >= 1:
        return f"{who}, the best baseline, is ahead of the network by {share}."
    sure = rival.difference.high is not None and rival.difference.high < 0
    ending = "and stays below on resampled days" if sure else "but resampled days leave room for chance"
    return f"The network’s error is {share} below that of {who}, the best baseline, {ending}."


def _model_table(models: Sequence[Rival]) -> Table:
    rows = []
    for model in models:
        held = (fixed(model.ratio, 3), between(model.difference.low, model.difference.high, 4))
        row = (name(model.name), fixed(model.mse.value, 4), between(model.mse.low, model.mse.high, 3))
        errors = (fixed(model.errors.mae_units, 2), fixed(model.errors.rmsle, 3))
        rows.append((*row, *((NONE, NONE) if model.name == PRIMARY else held), *errors))
    columns = ("model", "#MSE", "#interval", "#network ÷ model", "#network − model", "#MAE, units", "#RMSLE")
    return table("Errors on the test days", columns, rows)


def intervals_section(results: PageResults) -> Section:
    """Share of the test lines inside their intervals, overall, by month and by group."""
    key, heading = "intervals", "Prediction intervals"
    coverage = results.intervals
    if coverage is None:
        return Section(key, heading, "This bundle predicts without intervals.", ())
    shares = [share for group in coverage.groups for share in (group.coverage_80, group.coverage_95)]
    whole = [coverage.interval_80, coverage.interval_95]
    low = min([0.75, *shares, *(level.coverage_low for level in whole if level.coverage_low is not None)])
    axis = Axis(low - 0.02, 1.0, "share of lines inside", percent, ((0.8, "80%"), (0.95, "95%")))
    title = "Share of the test lines inside their intervals"
    chart = rows_chart("coverage", title, _held(coverage), _covered(coverage), axis)
    legend = (Key("dot", "main", "80% intervals"), Key("diamond", "plain", "95% intervals"))
    caption = "On its dashed line an interval holds what it promises; left of it, it is too narrow."
    rows = []
    for group in coverage.groups:
        levels = ((group.coverage_80, group.mean_width_80), (group.coverage_95, group.mean_width_95))
        held = [shown for share, width in levels for shown in (percent(share, 1), fixed(width, 3))]
        rows.append((_group_name(group), count(group.rows), *held))
    columns = ("lines", "#rows", "#80% hold", "#their mean width", "#95% hold", "#their mean width")
    shown = table("Coverage by month and group; widths in log(1 + units)", columns, rows)
    return Section(key, heading, _held(coverage), (Figure("Promised and held", chart, shown, legend, caption),))


def _covered(coverage: IntervalsResult) -> list[Row]:
    rows = []
    for group in coverage.groups:
        label, overall = _group_name(group), group.column == "overall"
        looks = (("80%", group.coverage_80, "dot", "main"), ("95%", group.coverage_95, "diamond", "plain"))
        items = []
        for (level, share, shape, tone), whole in zip(looks, (coverage.interval_80, coverage.interval_95), strict=True):
            low, high = (whole.coverage_low, whole.coverage_high) if overall else (None, None)
            items.append(Item(share, shape, tone, low, high, f"{label}: {level} intervals hold {percent(share, 1)}"))
        note = f"{percent(group.coverage_80, 1)}  {percent(group.coverage_95, 1)}"
        rows.append(Row(label, tuple(items), note, overall))
    return rows


def _group_name(lines: GroupCoverage) -> str:
    if lines.column == "overall":
        return "all test lines"
    return lines.group if lines.column == "month" else f"{name(lines.column)}: {lines.group}"


def _held(coverage: IntervalsResult) -> str:
    first, second = coverage.interval_80.coverage, coverage.interval_95.coverage
    found = f"The 80% intervals hold {percent(first, 1)} of the test lines, the 95% intervals {percent(second, 1)}."
    parts = [group for group in coverage.groups if group.column != "overall"]
    if not parts:
        return found
    worst = max(parts, key=lambda group: abs(group.coverage_80 - 0.8))
    where = _group_name(worst)
    return f"{found} Furthest from 80% is {where}, with {percent(worst.coverage_80, 1)}."


def training_section(results: PageResults) -> Section:
    """The learning curve of the network that was kept, the trials it came from, and which parameters mattered."""
    if any(trial.state == FIXED for trial in results.trials):
        return _training_without_a_study(results)
    done = [trial for trial in results.trials if trial.validation_mse is not None]
    complete = [trial for trial in done if trial.state == "complete"]
    best = min(complete, key=lambda trial: trial.validation_mse or 0, default=None)
    finding = f"{plural(len(results.trials), 'trial')} of the study, none complete."
    if best is not None:
        finding = (
            f"Of {plural(len(results.trials), 'trial')}, trial {best.trial} had the lowest validation error, "
            f"{number(best.validation_mse)}. Its settings were trained on all training lines."
        )
    parameters = (
        _parameters(results) if results.importances else Note("The study was too small to rank its parameters.")
    )
    return Section("training", "Training", finding, (_curve(results), _trials(done, results.trials, best), parameters))


def _training_without_a_study(results: PageResults) -> Section:
    fit = results.trials[0]
    finding = (
        "No study ran: the network is that of an earlier one, trained anew on all training lines. "
        f"Its validation error is {number(fit.validation_mse)}."
    )
    told = {"trial", "state", "validation_mse", "reason"}
    settings = [(parameter, value) for parameter, value in fit.cells.items() if value and parameter not in told]
    shown = table("The network and its training", ("setting", "#value"), settings)
    return Section("training", "Training", finding, (_curve(results), shown))


def _curve(results: PageResults) -> Figure:
    pairs = (("training", results.train_mse, "plain", "ring"), ("validation", results.validation_mse, "main", "dot"))
    series = [
        Series(label, tuple((float(epoch), mse) for epoch, mse in enumerate(values, start=1)), tone, shape)
        for label, values, tone, shape in pairs
    ]
    last = results.validation_mse[-1:] or (None,)
    says = f"After {plural(len(results.validation_mse), 'epoch')} the validation error is {number(last[0])}."
    errors = [*results.train_mse, *results.validation_mse] or [0.0]
    chart = lines_chart("curve", "Error by epoch", says, series, "epoch", LOG, room(min(errors), max(errors), 0.1))
    epochs = zip_longest(results.train_mse, results.validation_mse)
    rows = [(str(epoch), number(train), number(validation)) for epoch, (train, validation) in enumerate(epochs, 1)]
    shown = table("Error by epoch", ("epoch", "#training", "#validation"), rows)
    legend = tuple(Key(shape, tone, label, joined=True) for label, _, tone, shape in pairs)
    caption = "Training error is measured with dropout on, validation error without."
    return Figure("Learning curve", chart, shown, legend, caption)


def _trials(done: list[Trial], every: tuple[Trial, ...], best: Trial | None) -> Figure:
    looks = {"complete": ("main", "dot"), "pruned": ("plain", "ring")}
    states = sorted({trial.state for trial in done}, key=lambda state: (state not in looks, state))
    series, legend = [], []
    for state in states:
        tone, shape = looks.get(state, ("bad", "cross"))
        points = tuple((float(trial.trial), trial.validation_mse or 0.0) for trial in done if trial.state == state)
        series.append(Series(state, points, tone, shape, joined=False))
        legend.append(Key(shape, tone, state))
    errors = [trial.validation_mse for trial in done if trial.validation_mse is not None] or [0.0]
    says = "No trial is complete."
    if best is not None:
        says = f"The lowest is {number(best.validation_mse)}, of trial {best.trial}."
    bounds = room(min(errors), max(errors), 0.1)
    chart = lines_chart("trials", "Validation error of each trial", says, series, "trial", LOG, bounds)
    columns = tuple(every[0].cells) if every else ("trial",)
    rows = [tuple(Cell(trial.cells.get(column) or NONE) for column in columns) for trial in every]
    titles = tuple(column if column in {"state", "reason", "optimizer"} else f"#{column}" for column in columns)
    return Figure("Trials of the study", chart, table("Every trial and its settings", titles, rows), tuple(legend))


def _parameters(results: PageResults) -> Figure:
    ranked = sorted(results.importances.items(), key=lambda entry: -entry[1])
    top = ranked[:8]
    axis = Axis(0, max(top[0][1] * 1.05, 0.01), "share of the variance of the trials’ errors", percent)
    rows = [Row(parameter, (Item(share, "bar"),), percent(share)) for parameter, share in top]
    says = f"{top[0][0]} explains {percent(top[0][1])} of the variance."
    cells = [(parameter, percent(share, 1)) for parameter, share in ranked]
    shown = table("Importance of every parameter (PED-ANOVA)", ("parameter", "#share"), cells)
    return Figure(
        "Which parameters mattered", rows_chart("parameters", "Importance of the parameters", says, rows, axis), shown
    )
