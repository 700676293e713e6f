"""The differences between groups, and the verdict on them.

Definitions first. The mean outcome difference (MOD) of a table is the largest difference of its groups' means. The
truth has one of its own: wholesale customers do buy more. The disparity that the model *adds* is the largest difference
of the groups' biases (mean prediction - mean truth): zero for a model that repeats the truth's differences, whatever
these are, and also where there are more than two groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from pricetrail.base.params_schema import Fairness, Gates
from pricetrail.base.random_streams import stream
from pricetrail.checks.errors_and_intervals import Floats
from pricetrail.checks.estimates import Number, known
from pricetrail.checks.gates import RULES, Verdict, hold, no_object, not_computed, worst
from pricetrail.checks.group_errors import AND, COUNTS, GroupErrors, group_errors, known_percentiles
from pricetrail.checks.group_errors import known as known_groups
from pricetrail.checks.results import FairnessResult, GroupGap, GroupResult, SensitiveColumn
from pricetrail.data.contract import UNSPECIFIED

SHOWN = 3  # cells that a reason names
FIGURES = {  # name: the error it compares
    "prediction_mod": "mean_prediction",
    "truth_mod": "mean_truth",
    "added_disparity": "bias",
    "mse_ratio": "mse",
}


@dataclass(frozen=True)
class GroupFigures:
    """One sensitive column, or the cells of several: errors by group, and the differences between groups.

    Attributes:
        column: such as ``registered``, or ``registered & country_group``.
        by_group: see ``group_errors.GroupErrors``.
        not_assessed, empty, figures: see ``results.SensitiveColumn``.
        verdict: of the figure that ``fairness.metric`` picks; passed without a figure where no day has a second group.
    """

    column: str
    by_group: pd.DataFrame
    not_assessed: tuple[str, ...]
    empty: tuple[str, ...]
    figures: Mapping[str, GroupGap]
    verdict: Verdict

    @property
    def has_object(self) -> bool:
        """Whether there are groups to compare, or were."""
        return self.verdict.value is not None or not self.verdict.passed

    @property
    def worst_group(self) -> str | None:
        """The assessed group with the largest MSE, None where no group is assessed."""
        mse = self.by_group["mse"].drop(list(self.not_assessed))
        return None if mse.empty else str(mse.idxmax())

    def result(self) -> SensitiveColumn:
        """As ``metrics/fairness.json`` holds it."""
        return SensitiveColumn(
            column=self.column,
            passed=self.verdict.passed,
            reason=self.verdict.reason,
            worst_group=self.worst_group,
            not_assessed=self.not_assessed,
            empty=self.empty,
            figures=self.figures,
            groups={str(name): self._group(str(name)) for name in self.by_group.index},
        )

    def _group(self, name: str) -> GroupResult:
        row: dict[str, Any] = {
            str(error): int(values[name]) if error in COUNTS else known(float(values[name]))
            for error, values in self.by_group.items()
        }
        return GroupResult(**row)

    def plot_rows(self) -> pd.DataFrame:
        """One row a group, named ``column: group``."""
        groups = self.by_group.reset_index()
        assessed = ~groups["group"].isin(self.not_assessed)
        return groups.assign(group=self.column + ": " + groups["group"], assessed=assessed & self.has_object)


@dataclass(frozen=True)
class FairnessReport:
    """Every sensitive column, their intersections, and the verdict of the gate.

    Attributes:
        metric: the figure that is held against the threshold.
        columns: one entry a sensitive column.
        intersections: none, or the cells of all columns together.
    """

    metric: str
    columns: tuple[GroupFigures, ...]
    intersections: tuple[GroupFigures, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of all entries with something to compare; its reason also names what nobody assessed."""
        nothing = "; ".join(entry.verdict.reason for entry in self.columns if not entry.has_object)
        verdicts = [entry.verdict for entry in (*self.columns, *self.intersections) if entry.has_object]
        if not verdicts:
            return no_object("fairness", self.columns[0].verdict.threshold, nothing)
        found = worst(verdicts)
        if nothing:
            found = replace(found, reason=f"{found.reason}; not assessed: {nothing}")
        small = [f"{name} ({c.by_group['rows'][name]} rows)" for c in self.intersections for name in c.not_assessed]
        if not small:
            return found
        more = f" and {len(small) - SHOWN} more" if len(small) > SHOWN else ""
        return replace(found, reason=f"{found.reason}; not assessed: {', '.join(small[:SHOWN])}{more}")

    @property
    def worst_group(self) -> tuple[str, float] | None:
        """``column: group`` with the largest MSE among the assessed, and that MSE; None where none is assessed."""
        named = [
            (f"{entry.column}: {entry.worst_group}", float(entry.by_group["mse"][entry.worst_group]))
            for entry in (*self.columns, *self.intersections)
            if entry.worst_group is not None and entry.has_object
        ]
        return max(named, key=lambda pair: pair[1], default=None)

    def result(self) -> FairnessResult:
        """As ``metrics/fairness.json`` holds it."""
        group, mse = self.worst_group or (None, None)
        chosen = {f"{c.column}_{self.metric}": c.figures[self.metric].value for c in self.columns}
        chosen |= {f"intersections_{self.metric}": c.figures[self.metric].value for c in self.intersections}
        return FairnessResult(
            chosen=chosen,
            worst_group=group,
            worst_group_mse_log_quantity=mse,
            passed=self.verdict.passed,
            columns=tuple(entry.result() for entry in self.columns),
            intersections=tuple(entry.result() for entry in self.intersections),
            verdicts=(self.verdict,),
        )

    def plot_rows(self) -> pd.DataFrame:
        """One row a group and cell, for ``reports/error_by_group.csv``."""
        return pd.concat([entry.plot_rows() for entry in (*self.columns, *self.intersections)], ignore_index=True)


def assess_fairness(
    predictions: pd.DataFrame, earlier: pd.DataFrame, settings: Fairness, gates: Gates, seed: int
) -> FairnessReport:
    """Compare the groups of every sensitive column, and the cells of all columns that have more than one.

    Args:
        predictions: the table of ``model.inference.prediction_table``, shape (n, …).
        earlier: the sensitive columns of the rows before the test days, which tell what groups there are.
        settings: columns, figure, threshold and smallest group.
        gates: bootstrap of the intervals.
        seed: of the run.

    Raises:
        DataError: a truth or prediction is no finite number, or a column is not there.
    """
    columns = tuple(
        _expected(
            compare_groups(predictions, (column,), settings, gates, stream(seed, f"fairness {column}")),
            predictions,
            earlier,
        )
        for column in settings.columns
    )
    cells: tuple[GroupFigures, ...] = ()
    compared = [entry.column for entry in columns if entry.has_object]
    if settings.intersections and len(compared) > 1:
        rng = stream(seed, f"fairness {AND.join(compared)}")
        cells = (compare_groups(predictions, compared, settings, gates, rng),)
    return FairnessReport(settings.metric, columns, cells)


def _expected(found: GroupFigures, predictions: pd.DataFrame, earlier: pd.DataFrame) -> GroupFigures:
    """Hold the groups of a column against those of the days before.

    A group that was there and is no more fails closed: it would be served, and nobody knows how well. Where no day has
    ever had a second one there is nothing to compare.
    """
    column, threshold = found.column, found.verdict.threshold
    before, now = (set(known_groups(rows[column])) for rows in (earlier, predictions))
    if before - now and (found.verdict.passed or len(now) == 1):
        gone = ", ".join(sorted(before - now))
        reason = f"{column}: no line of {gone} in the test days, which the days before have: nobody can tell its error"
        return replace(found, verdict=not_computed("fairness", threshold, reason))
    if len(now) > 1:
        return found
    reason = _one_group(column, now.pop(), str(predictions["country"].iloc[0]) if "country" in predictions else "")
    return replace(found, verdict=Verdict("fairness", None, threshold, True, reason, RULES["fairness"]))


def _one_group(column: str, group: str, country: str) -> str:
    """What a shop does not have, in words."""
    if column == "registered":
        return "no line has a customer" if group == "guest" else "every line has a customer, so there are no guests"
    return "no line has a country" if country == UNSPECIFIED else f"all lines are of one country, {country}"


def compare_groups(
    predictions: pd.DataFrame, columns: Sequence[str], settings: Fairness, gates: Gates, rng: np.random.Generator
) -> GroupFigures:
    """Compare the groups of one sensitive column, or the cells of several.

    Too small a group, or a single one, fails closed. Too small a cell does not, and of cells the lower end of the
    interval is held against the threshold: a difference of extremes grows with their number (docs/decisions/0007).
    """
    found = group_errors(predictions, columns, gates, rng)
    rows, of_cells = found.by_group["rows"], len(columns) > 1
    small = tuple(str(name) for name in rows.index[rows < settings.min_rows])
    figures = _gaps(found, small, gates.confidence)
    reason, least = None, f"fairness.min_rows = {settings.min_rows} rows"
    if of_cells and len(rows) - len(small) < 2:
        reason = f"{found.column}: fewer than two cells have {least}"
    elif not of_cells and len(rows) < 2:
        reason = f"{found.column} has one group only, nothing to compare"
    elif not of_cells and small:
        reason = f"{found.column}: {', '.join(small)} not assessed, fewer than {least}"
    if reason is not None:
        verdict = not_computed("fairness", settings.threshold, reason)
    else:
        figure = figures[settings.metric]
        value, what = _counted(settings.metric, figure.low if of_cells else figure.value)
        named = f"{what} by {found.column} ({figure.highest} over {figure.lowest})"
        named = f"lower end of the interval of {named}" if of_cells else named
        verdict = hold("fairness", value, settings.threshold, named)
    return GroupFigures(found.column, found.by_group, small, found.empty, figures, verdict)


def _counted(metric: str, value: Number) -> tuple[Number, str]:
    """What is held against the threshold, and its name: a ratio counts from one."""
    if metric != "mse_ratio":
        return value, metric
    return None if value is None else value - 1, "mse_ratio less 1"


def _gaps(found: GroupErrors, small: Sequence[str], confidence: float) -> dict[str, GroupGap]:
    """Every figure over the assessed groups."""
    assessed = found.by_group.drop(list(small))
    if len(assessed) < 2:
        return dict.fromkeys(FIGURES, GroupGap(None, None, None, "", ""))
    return {name: _gap(name, found, assessed[error], confidence) for name, error in FIGURES.items()}


def _gap(figure: str, found: GroupErrors, values: pd.Series, confidence: float) -> GroupGap:
    """Highest less lowest, or over it, on the data and on each resample."""
    names = [str(values.idxmax()), str(values.idxmin())]
    places = [found.by_group.index.get_loc(name) for name in names]
    sample = found.resampled[FIGURES[figure]]
    value = float(_apart(figure, values[[names[0]]].to_numpy(), values[[names[1]]].to_numpy())[0])
    low, high = known_percentiles(_apart(figure, sample[:, places[0]], sample[:, places[1]]), confidence)
    return GroupGap(known(value), known(low), known(high), *names)


def _apart(figure: str, highest: Floats, lowest: Floats) -> Floats:
    if figure == "mse_ratio":  # no error in the lowest group: no ratio, and so no pass
        return highest / np.where(lowest > 0, lowest, np.nan)
    return highest - lowest
