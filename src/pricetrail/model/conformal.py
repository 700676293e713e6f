"""Prediction intervals of log quantity: split conformal, calibrated on the validation days.

An interval is prediction ± offset, where the offset is a quantile of the absolute residuals of rows that the model was
not fitted on (Lei et al. 2018, arXiv:1604.04173; the finite-sample rank as in sec. 1 of Angelopoulos & Bates 2021,
arXiv:2107.07511). Guests buy a unit or two and wholesale customers dozens, so each cell, a group of customers by a bin
of predictions, has offsets of its own (Mondrian; Vovk, Gammerman & Shafer 2005, ch. 4.5). What is promised holds for
rows exchangeable with the calibration rows. Days to come need not be, and the study chose the model on the very
validation days, so ``coverage`` measures what is kept of the promise on the test days.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter, ValidationError

from pricetrail.base.errors import BundleError, DataError
from pricetrail.checks.errors_and_intervals import Floats, interval, resample_days, resampled_mean
from pricetrail.checks.estimates import Interval
from pricetrail.checks.results import GroupCoverage, IntervalsResult, LevelCoverage
from pricetrail.data.features import DAY, TARGET

LEVELS: Final = (0.8, 0.95)
BINS: Final = 4
SMALLEST_CELL: Final = 200  # rows; what a cell covers then has a standard error of 0.03 at 80% and 0.015 at 95%
LOWEST: Final = math.log1p(1.0)
_SLACK: Final = 1e-9  # prediction ± offset is rounded; the row that set the offset must not fall out by that


@dataclass(frozen=True)
class Cell:
    """Rows of one group whose predictions are in one bin.

    Attributes:
        group: such as ``registered`` or ``guest``.
        bin: 0 below the first edge.
        rows: how many rows it was calibrated on.
        offsets: half width at each level, log1p(units), shape (levels,).
    """

    group: str
    bin: int
    rows: int
    offsets: tuple[float, ...]


@dataclass(frozen=True)
class Conformal:
    """Calibrated state, plain enough for the bundle's ``model.json``.

    Attributes:
        levels: shares of rows that the intervals should cover, increasing, such as (0.8, 0.95).
        edges: between the bins of predictions, increasing, log1p(units).
        cells: those that had rows enough.
        pooled: offsets of all rows, for every other cell or group, which then has no promise of its own.

    Raises:
        ValueError: where these do not fit together.
    """

    levels: tuple[float, ...]
    edges: tuple[float, ...]
    cells: tuple[Cell, ...]
    pooled: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.levels or not _increasing((0.0, *self.levels, 1.0)) or not _increasing(self.edges):
            raise ValueError("levels must increase inside of (0, 1), and edges too")
        for offsets in (self.pooled, *(cell.offsets for cell in self.cells)):
            if len(offsets) != len(self.levels) or list(offsets) != sorted(offsets) or not offsets[0] >= 0:
                raise ValueError("offsets must be one a level, at least 0, and never lower at a higher level")
        if not all(0 <= cell.bin <= len(self.edges) for cell in self.cells):
            raise ValueError("the bin of a cell must be one between the edges")
        if not np.isfinite([*self.edges, *self.pooled, *(o for cell in self.cells for o in cell.offsets)]).all():
            raise ValueError("edges and offsets must be finite")

    def bounds(self, prediction: Floats, groups: ArrayLike) -> tuple[Floats, Floats]:
        """Interval of each prediction at each level.

        A sold line has at least one unit (the line contract), so no truth lies below ``LOWEST`` = log1p(1). Bounds
        stop there: that makes intervals narrower and loses no row.

        Args:
            prediction: log1p(units), shape (n,).
            groups: the group of each row, as in calibration, shape (n,).

        Returns:
            Low and high in log1p(units), each of shape (n, levels); low <= high.

        Raises:
            DataError: a prediction is not finite.
        """
        _check_finite("predictions", prediction)
        names = pd.Index(sorted({cell.group for cell in self.cells}), dtype=object)
        offsets = np.empty((len(names) + 1, len(self.edges) + 1, len(self.levels)))
        offsets[:] = self.pooled  # the last group stands for the ones that calibration did not see
        for cell in self.cells:
            offsets[names.get_loc(cell.group), cell.bin] = cell.offsets
        half = offsets[names.get_indexer(pd.Index(_labels(groups), dtype=object)), _bin(self.edges, prediction)]
        middle = prediction.astype(np.float64)[:, np.newaxis]
        return np.maximum(middle - half, LOWEST), np.maximum(middle + half, LOWEST)

    @classmethod
    def from_record(cls, tree: object) -> Conformal:
        """The state from its tree.

        Raises:
            BundleError: where the tree is not such a state.
        """
        try:
            return _STATE.validate_json(json.dumps(tree), strict=True)
        except (TypeError, ValidationError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise BundleError("model.json", f"must hold calibrated intervals: {reason}") from None


_STATE: Final = TypeAdapter(Conformal)


def fit_conformal(
    truth: Floats, prediction: Floats, groups: ArrayLike, levels: Sequence[float] = LEVELS, bins: int = BINS
) -> Conformal:
    """Calibrate intervals on rows that the model was not fitted on.

    Edges are quantiles of the calibration predictions. Between two order statistics the rest of a sample is a sample
    still, so this costs a cell's promise no more than the one row on its edge.

    Args:
        truth: log1p(units), shape (n,).
        prediction: of the very model that is to serve, the same.
        groups: the group of each row, shape (n,).
        levels: shares to cover, increasing.
        bins: of predictions, with as many rows each; a cell below ``SMALLEST_CELL`` rows uses the offsets of all rows.

    Raises:
        DataError: a value is not finite, or too few rows for the highest level.
    """
    _check_finite("validation rows", truth, prediction)
    fewest = math.ceil(round(max(levels) / (1 - max(levels)), 6))
    if len(truth) < fewest:
        rule = f"must be at least {fewest} to calibrate {max(levels):.6g} intervals"
        raise DataError("validation rows", rule, len(truth))
    residual = np.abs(truth.astype(np.float64) - prediction.astype(np.float64))
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    edges = tuple(np.unique(np.quantile(prediction.astype(np.float64), inner)).tolist())
    bin_of, group_of = _bin(edges, prediction), _labels(groups)
    cells = []
    for group in sorted(set(group_of.tolist())):
        for number in range(len(edges) + 1):
            inside = residual[(group_of == group) & (bin_of == number)]
            if len(inside) >= max(SMALLEST_CELL, fewest):
                cells.append(Cell(group, number, len(inside), _offsets(inside, levels)))
    return Conformal(tuple(levels), edges, tuple(cells), _offsets(residual, levels))


def _offsets(residual: Floats, levels: Sequence[float]) -> tuple[float, ...]:
    """The ceil((n + 1) level)-th smallest residual at each level: one more row than n, the row to come, is counted."""
    ordered = np.sort(residual)
    ranks = [math.ceil(round((len(ordered) + 1) * level, 6)) for level in levels]  # 100 x 0.55 is above 55 in floats
    return tuple(float(ordered[rank - 1]) + _SLACK for rank in ranks)


def _bin(edges: Sequence[float], prediction: Floats) -> NDArray[np.intp]:
    return np.searchsorted(np.asarray(edges), prediction.astype(np.float64), side="right")


def _labels(groups: ArrayLike) -> NDArray[np.str_]:
    return np.asarray(groups).astype(np.str_)


def _increasing(values: Sequence[float]) -> bool:
    return all(low < high for low, high in itertools.pairwise(values))


def _check_finite(place: str, *columns: Floats) -> None:
    for values in columns:
        if not np.isfinite(values).all():
            raise DataError(place, "must be finite to get intervals", float(values[~np.isfinite(values)][0]))


def coverage(
    conformal: Conformal,
    predictions: pd.DataFrame,
    samples: int,
    confidence: float,
    rng: np.random.Generator,
) -> IntervalsResult:
    """Measure the intervals of the two ``LEVELS`` on rows that came after calibration.

    Args:
        conformal: calibrated with the groups of the column ``registered``.
        predictions: the table of ``model.inference.prediction_table``, shape (n, …).
        samples: bootstrap resamples of days.
        confidence: of the bootstrap interval, such as 0.95.
        rng: draws the days.

    Raises:
        DataError: there are no rows, or a value is not finite.
    """
    if predictions.empty:
        raise DataError("predictions", "must hold rows to measure coverage")
    truth = predictions[TARGET].to_numpy(np.float64)
    _check_finite("predictions", truth)
    low, high = conformal.bounds(predictions[f"predicted_{TARGET}"].to_numpy(np.float64), predictions["registered"])
    codes, times = resample_days(predictions[DAY], samples, rng)
    overall: list[Interval] = []
    figures: dict[str, Floats] = {}
    for i, level in enumerate(conformal.levels):
        covered = ((low[:, i] <= truth) & (truth <= high[:, i])).astype(np.float64)
        overall.append(interval(float(covered.mean()), resampled_mean(codes, times, covered), confidence))
        figures |= {f"coverage_{100 * level:g}": covered, f"mean_width_{100 * level:g}": high[:, i] - low[:, i]}
    table = pd.DataFrame(figures)
    cuts = {"overall": np.full(len(table), "all"), "month": predictions[DAY].dt.strftime("%Y-%m").to_numpy()}
    cuts |= {
        name: predictions[name].to_numpy()
        for name in ("registered", "country_group")
        if predictions[name].nunique() > 1
    }
    rows = pd.concat([_by_group(table, column, groups) for column, groups in cuts.items()]).to_dict("records")
    widths = (float(rows[0][f"mean_width_{100 * level:g}"]) for level in conformal.levels)
    lowest, highest = (LevelCoverage(o.value, o.low, o.high, width) for o, width in zip(overall, widths, strict=True))
    groups = (GroupCoverage(**{str(name): value for name, value in row.items()}) for row in rows)
    return IntervalsResult(lowest, highest, tuple(groups))


def _by_group(figures: pd.DataFrame, column: str, groups: ArrayLike) -> pd.DataFrame:
    """Rows and mean figures of each group, in order of its name."""
    grouped = figures.groupby(_labels(groups))
    found = grouped.mean().rename_axis("group").reset_index()
    found.insert(1, "rows", grouped.size().to_numpy())
    found.insert(0, "column", column)
    return found
