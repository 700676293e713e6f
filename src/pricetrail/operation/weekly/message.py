"""What a run says of its results: the message of its commit, and the tables of its report. No I/O."""

from collections.abc import Mapping, Sequence
from typing import Final

from pricetrail.base.escaping import markdown_text
from pricetrail.base.json_type import Json
from pricetrail.checks.decision import number
from pricetrail.lineage.changes import Change, Move, moves, verdicts
from pricetrail.operation.weekly.outcome import Outcome

ERROR: Final = "test.mse_log_quantity"
MOST: Final = 20  # figures named in a message
Metrics = Mapping[str, Json]


def subject(outcome: Outcome, before: Metrics, after: Metrics) -> str:
    """First line of the message.

    >>> subject(Outcome.WITHHELD, {"test.mse_log_quantity": 0.31}, {"test.mse_log_quantity": 0.2874})
    'Weekly run: withheld, test MSE 0.2874 (was 0.31)'
    """
    old, new = before.get(ERROR), after.get(ERROR)
    if not isinstance(new, float | int):
        return f"Weekly run: {outcome.lower()}"
    was = f" (was {number(float(old))})" if isinstance(old, float | int) and old != new else ""
    return f"Weekly run: {outcome.lower()}, test MSE {number(float(new))}{was}"


def message(
    outcome: Outcome,
    headline: str,
    before: Metrics,
    after: Metrics,
    settings: Mapping[str, Json],
    sources: Sequence[str],
) -> str:
    """The message of a run's commit: the decision, the settings it set, the sources it updated, the figures that moved.

    Args:
        outcome: of the run.
        headline: of the decision.
        before: values of the metrics files at the base, by ``<file>.<key>``.
        after: those of the run.
        settings: of ``params.yaml`` that the run set.
        sources: imported ``.dvc`` files that it looked at.
    """
    lines = [subject(outcome, before, after), "", headline]
    lines += [f"Set {key}: {_short(value)}" for key, value in settings.items()]
    lines += [f"Updated {path}" for path in sources]
    told = [*map(_moved, moves(before, after)), *map(_turned, verdicts(before, after))]
    if told:
        lines += ["", *told[:MOST]]
        lines += [f"… and {len(told) - MOST} more: pricetrail why HEAD~1 HEAD --all"] if len(told) > MOST else []
    return "\n".join(lines) + "\n"


def metrics_table(before: Metrics, after: Metrics) -> str:
    """The figures that moved, as a Markdown table.

    >>> print(metrics_table({"test.mse": 0.5}, {"test.mse": 0.4}))
    | metric | before | after | change |
    | --- | --- | --- | --- |
    | test.mse | 0.5 | 0.4 | -20.0 % |
    <BLANKLINE>
    """
    rows = [(move.name, number(move.old), number(move.new), _percent(move)) for move in moves(before, after)]
    rows += [(c.name, markdown_text(_short(c.old)), markdown_text(_short(c.new)), "") for c in verdicts(before, after)]
    if not rows:
        return "No metric moved.\n"
    lines = [f"| {markdown_text(name)} | {' | '.join(cells)} |" for name, *cells in rows]
    return "\n".join(["| metric | before | after | change |", "| --- | --- | --- | --- |", *lines]) + "\n"


def _moved(move: Move) -> str:
    percent = f" ({_percent(move)})" if move.percent is not None else ""
    return f"{move.name}: {number(move.old)} -> {number(move.new)}{percent}"


def _turned(change: Change) -> str:
    return f"{change.name}: {_short(change.old)} -> {_short(change.new)}"


def _percent(move: Move) -> str:
    return "" if move.percent is None else f"{move.percent:+.1f} %"


def _short(value: Json) -> str:
    text = "–" if value is None else " ".join(str(value).split())
    return text if len(text) <= 200 else f"{text[:199]}…"
