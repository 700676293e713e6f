"""All that a run left, as one aggregate: what card and page are written from.

Each metrics file is of the type by which its stage wrote it; here are the aggregates, and rows of the plots' tables.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pricetrail.checks.estimates import ValidationResult
from pricetrail.checks.gates import Decision
from pricetrail.checks.results import (
    AccuracyResult,
    DriftResult,
    FairnessResult,
    IntervalsResult,
    ModelDriftResult,
    ModelsResult,
    Rival,
)
from pricetrail.data.etl_result import EtlResult
from pricetrail.lineage.ledger import SOURCE, Lineage, Run
from pricetrail.pricing.recommend import PriceSummary

PRIMARY: Final = "network"  # as model.bundle names it


@dataclass(frozen=True)
class Results:
    """The metrics files of a run, its lineage, and the ledger; ``runs`` oldest first.

    Attributes:
        intervals: None where the bundle has none.
    """

    etl: EtlResult
    drift: DriftResult
    validation: ValidationResult
    test: AccuracyResult
    models: ModelsResult
    intervals: IntervalsResult | None
    model_drift: ModelDriftResult
    fairness: FairnessResult
    prices: PriceSummary
    decision: Decision
    lineage: Lineage
    runs: tuple[Run, ...]

    @property
    def rivals(self) -> tuple[Rival, ...]:
        """The models beside the network, lowest error first."""
        return tuple(model for model in self.models.models if model.name != PRIMARY)


@dataclass(frozen=True)
class Trial:
    """A trial of the study; ``cells`` are all columns of its row, as text."""

    trial: int
    state: str
    validation_mse: float | None
    cells: Mapping[str, str | None]


@dataclass(frozen=True)
class PricePoint:
    """One price of one SKU's grid; quantity and revenue are those of a line."""

    sku: str
    description: str | None
    lines: int
    unit_price: float
    predicted_quantity: float
    predicted_revenue: float
    current_price: float
    recommended_price: float


@dataclass(frozen=True)
class PageResults(Results):
    """The same, and what the page draws besides: training, study, SHAP values, price curves.

    Attributes:
        train_mse, validation_mse: by epoch, of log1p(units).
        importances: share of the variance of the trials' errors by setting.
        shap: mean absolute SHAP value by feature, log1p(units).
        images: PNG by file name.
    """

    train_mse: tuple[float, ...]
    validation_mse: tuple[float, ...]
    trials: tuple[Trial, ...]
    importances: Mapping[str, float]
    shap: Mapping[str, float]
    price_points: tuple[PricePoint, ...]
    images: Mapping[str, bytes]


def run_before(runs: Sequence[Run], run: Run) -> Run | None:
    """The last run before another of ``runs`` (oldest first) on the same data source; None where it is the first."""
    earlier = runs[: next((place for place, each in enumerate(runs) if each.run == run.run), 0)]
    return next((each for each in reversed(earlier) if each.params.get(SOURCE) == run.params.get(SOURCE)), None)
