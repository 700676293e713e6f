"""The sections of ``params.yaml`` as frozen types, each with its rules."""

import datetime as dt
import zoneinfo
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
Reason = Annotated[str, Field(pattern=r"\S")]
CategoricalMethod = Literal["Jensen-Shannon distance", "Hellinger distance", "PSI"]
NumericMethod = Literal["Normed Wasserstein distance", CategoricalMethod]


class Section(BaseModel):
    """A frozen group of settings; unknown keys and implicit conversions are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Demo(Section):
    """The simulated shop."""

    first_day: str
    weeks: int = Field(ge=2, le=520)
    skus: int = Field(ge=4, le=20_000)
    customers: int = Field(ge=10, le=200_000)
    lines: int = Field(ge=200, le=20_000_000)

    @field_validator("first_day")
    @classmethod
    def _is_a_day(cls, text: str) -> str:
        try:
            dt.date.fromisoformat(text)
        except ValueError:
            raise ValueError("must be an ISO date, such as 2010-12-01") from None
        return text


class Features(Section):
    """Settings of the as-of features."""

    half_life_days: Positive


class Split(Section):
    """Settings of the chronological split."""

    test_share: float = Field(gt=0, le=0.4)


class Encoding(Section):
    """Settings of the encoder, fitted on the training rows."""

    bins: int = Field(ge=2, le=512)
    max_countries: Count


class Drift(Section):
    """Windows, distances and thresholds of the drift check, and what a failed verdict does."""

    current_days: Count
    policy: Literal["stop", "withhold"]
    max_share: Share
    max_rows: int = Field(ge=100)
    max_column_ratio: float = Field(gt=1)
    numeric_method: NumericMethod
    numeric_threshold: Positive
    categorical_method: CategoricalMethod
    categorical_threshold: Positive
    missing_threshold: Share
    methods: dict[str, NumericMethod]
    thresholds: dict[str, Positive]
    max_error_growth: float = Field(ge=0)


class Space(Section):
    """The search space: two bounds for a range, a list for a choice; widths and dropouts are drawn for each layer."""

    layers: tuple[Count, Count] = Field(strict=False)  # a YAML list is read as a tuple
    width: tuple[Count, ...] = Field(min_length=1, strict=False)
    dropout: tuple[Dropout, Dropout] = Field(strict=False)
    batch_norm: tuple[bool, ...] = Field(min_length=1, strict=False)
    residual: tuple[bool, ...] = Field(min_length=1, strict=False)
    bins: tuple[Count, ...] = Field(min_length=1, strict=False)
    ensemble_size: tuple[Count, ...] = Field(min_length=1, strict=False)
    optimizer: tuple[Literal["adamw", "adam", "sgd"], ...] = Field(min_length=1, strict=False)
    learning_rate: tuple[Positive, Positive] = Field(strict=False)
    weight_decay: tuple[Positive, Positive] = Field(strict=False)
    batch_size: tuple[Count, ...] = Field(min_length=1, strict=False)

    @field_validator("layers", "dropout", "learning_rate", "weight_decay")
    @classmethod
    def _low_before_high(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if bounds[0] > bounds[1]:
            raise ValueError("must have the lower bound first")
        return bounds


class Fixed(Section):
    """One network and its training, as ``metrics/validation.json`` names the best of a study."""

    widths: tuple[Count, ...] = Field(min_length=1, strict=False)
    dropouts: tuple[Dropout, ...] = Field(min_length=1, strict=False)
    bins: Count
    batch_norm: bool
    residual: bool
    ensemble_size: Count
    optimizer: Literal["adamw", "adam", "sgd"]
    learning_rate: Positive
    weight_decay: Positive
    batch_size: Count

    @model_validator(mode="after")
    def _a_dropout_a_layer(self) -> Self:
        if len(self.widths) != len(self.dropouts):
            raise ValueError(f"must have a dropout for each of its {len(self.widths)} widths")
        return self


class Tuning(Section):
    """Budget and space of the study, or the network that is trained without one."""

    method: Literal["tpe", "grid", "fixed"]
    fixed: Fixed | None
    pruner: Literal["median", "hyperband", "none"]
    n_trials: Count
    max_minutes: float = Field(ge=0)
    max_epochs: Count
    patience_epochs: Count
    min_steps: Count
    search_rows: int = Field(ge=100)
    sku_lines: Count
    customer_lines: Count
    space: Space

    @model_validator(mode="after")
    def _fixed_is_given(self) -> Self:
        if self.method == "fixed" and self.fixed is None:
            raise ValueError("must have a network in fixed where method is fixed")
        return self


class Baselines(Section):
    """The models that stand beside the network, and behind it as backups."""

    models: tuple[Literal["lightgbm", "elastic_net", "svr"], ...] = Field(strict=False)
    n_trials: Count
    folds: int = Field(ge=2)
    search_rows: int = Field(ge=100)
    svr_rows: int = Field(ge=50)


class Explain(Section):
    """Size of the SHAP computation."""

    background_rows: Count
    max_rows: int = Field(ge=0)


class Pricing(Section):
    """How a price is chosen from predicted quantities."""

    objective: Literal["revenue", "quantity"]
    grid_points: int = Field(ge=2)
    max_change: Share
    window_days: Count
    min_lines: Count


class Gates(Section):
    """Thresholds of the accuracy gate, and the overrides of all gates."""

    min_skill: float = Field(lt=1)
    bootstrap_samples: int = Field(ge=20)
    confidence: Share
    overrides: dict[Literal["drift", "accuracy", "fairness"], Reason]


class Fairness(Section):
    """Sensitive columns, and the figure that is held against the threshold."""

    columns: tuple[Literal["registered", "country_group", "country"], ...] = Field(min_length=1, strict=False)
    intersections: bool
    metric: Literal["added_disparity", "prediction_mod", "mse_ratio"]
    threshold: Positive
    min_rows: Count

    @field_validator("columns")
    @classmethod
    def _no_column_twice(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(columns)) < len(columns):
            raise ValueError("must name each column once")
        return columns


class Weekly(Section):
    """The scheduled run; no stage reads it."""

    cron: str = Field(pattern=r"^\S+( \S+){4}$")
    timezone: str
    repository: str = Field(min_length=1)
    branch: str
    search_every: int = Field(ge=0)
    release: bool
    retries: int = Field(ge=0, le=20)
    retry_delay_seconds: Positive
    timeout_minutes: Positive
    author: str = Field(pattern=r"^[^<>]+ <[^<>\s]+@[^<>\s]+>$")
    webhook_url: str = Field(pattern=r"^(https?://\S+)?$")

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in zoneinfo.available_timezones():
            raise ValueError("must be a time zone of the IANA list, such as Europe/London")
        return name
