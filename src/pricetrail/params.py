"""``params.yaml`` as frozen types: what is not right is told in one line, before any work.

The text is read with YAML 1.2 as DVC reads it, so a key given twice is an error here too.
"""

from __future__ import annotations

import datetime as dt
import difflib
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pricetrail.errors import ParamsError

FILE = "params.yaml"

Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Reason = Annotated[str, Field(pattern=r"\S")]


class Section(BaseModel):
    """A frozen group of dials; unknown keys and implicit conversions are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Columns(Section):
    """Our column names, each with its name in the user's files."""

    invoice: str
    sku: str
    description: str
    quantity: str
    invoiced_at: str
    unit_price_gbp: str
    customer_id: str
    country: str

    @model_validator(mode="after")
    def _no_name_twice(self) -> Self:
        names = list(self.model_dump().values())
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"must name each column once, {twice[0]!r} is named twice")
        return self


class Data(Section):
    """Where the lines are and how their files are written."""

    path: str = Field(min_length=1)
    pattern: str = Field(min_length=1)
    columns: Columns
    datetime_format: str = Field(min_length=1)
    delimiter: str = Field(min_length=1, max_length=1)
    encoding: str = Field(min_length=1)
    max_bad_share: float = Field(ge=0, lt=1)
    sku: str

    @field_validator("sku", mode="before")
    @classmethod
    def _number_is_a_code(cls, sku: object) -> object:
        return str(sku) if type(sku) is int else sku  # YAML reads `-S data.sku=22423` as a number

    @field_validator("path")
    @classmethod
    def _is_no_pattern(cls, path: str) -> str:
        if set("*?[") & set(path):
            parent = PurePosixPath(path).parent
            raise ValueError(f"must be a file or folder that DVC tracks, such as {parent}; a glob goes in data.pattern")
        return path


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
    """Dials of the as-of features."""

    half_life_days: Positive


class Split(Section):
    """Dials of the chronological split."""

    test_share: float = Field(gt=0, le=0.4)


class Encoding(Section):
    """Dials of the encoder, fitted on the training rows."""

    bins: int = Field(ge=2, le=512)
    max_countries: Count


class Drift(Section):
    """Windows, distances and thresholds of the drift check, and what a failed verdict does."""

    current_days: Count
    policy: Literal["stop", "withhold"]
    max_share: Share
    max_rows: int = Field(ge=100)
    numeric_method: Literal["Normed Wasserstein distance", "Jensen-Shannon distance", "Hellinger distance", "PSI"]
    numeric_threshold: Positive
    categorical_method: Literal["Jensen-Shannon distance", "Hellinger distance", "PSI"]
    categorical_threshold: Positive
    thresholds: dict[str, Positive]


class Space(Section):
    """The search space: two bounds for a range, a list for a choice."""

    layers: tuple[Count, Count]
    width: tuple[Count, ...] = Field(min_length=1)
    dropout: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]
    learning_rate: tuple[Positive, Positive]
    weight_decay: tuple[Positive, Positive]
    batch_size: tuple[Count, ...] = Field(min_length=1)

    @field_validator("*", mode="before")
    @classmethod
    def _list_is_a_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("layers", "dropout", "learning_rate", "weight_decay")
    @classmethod
    def _low_before_high(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if bounds[0] > bounds[1]:
            raise ValueError("must have the lower bound first")
        return bounds


class Tuning(Section):
    """Budget and space of the study."""

    n_trials: Count
    max_epochs: Count
    patience_epochs: Count
    search_rows: int = Field(ge=100)
    space: Space


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

    columns: tuple[Literal["registered", "country_group", "country"], ...] = Field(min_length=1)
    metric: Literal["added_disparity", "prediction_mod", "mse_ratio"]
    threshold: Positive
    min_rows: Count

    @field_validator("columns", mode="before")
    @classmethod
    def _list_is_a_tuple(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


class Params(Section):
    """All of ``params.yaml``."""

    seed: int = Field(ge=0, lt=2**63)
    threads: int = Field(ge=1, le=256)
    data: Data
    demo: Demo
    features: Features
    split: Split
    encoding: Encoding
    drift: Drift
    tuning: Tuning
    explain: Explain
    pricing: Pricing
    gates: Gates
    fairness: Fairness


def parse_params(text: str) -> Params:
    """Read the text of ``params.yaml``.

    Raises:
        ParamsError: naming the first key that is not right, the rule and its value.
    """
    try:
        tree = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{FILE}: line {mark.line + 1}" if mark else FILE
        raise ParamsError(place, f"must be YAML 1.2: {getattr(error, 'problem', error)}") from None
    if not isinstance(tree, dict):
        raise ParamsError(FILE, "must be a mapping of sections", tree)
    try:
        return Params.model_validate(tree)
    except ValidationError as error:
        raise _first_line(error.errors()) from None


def _first_line(errors: list[ErrorDetails]) -> ParamsError:
    """The first of pydantic's errors in our form: ``params.yaml: tuning.n_trials must be >= 1, got 0``."""
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")  # a misspelt key is also a missing one
    key = ".".join(str(part) for part in first["loc"] if part != "[key]")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    if first["type"] == "missing":
        return ParamsError(FILE, f"{key} is missing{more}")
    if first["type"] == "extra_forbidden":
        return ParamsError(FILE, f"{key} is not a known key{_nearest(key)}{more}")
    message = first["msg"].removeprefix("Value error, ")
    for long, short in _SHORT.items():
        message = message.replace(long, short)
    return ParamsError(FILE, f"{key} {message}{more}", first["input"])


_SHORT = {
    "Input should": "must",
    "greater than or equal to": ">=",
    "less than or equal to": "<=",
    "greater than": ">",
    "less than": "<",
    "a valid integer": "an integer",
    "a valid ": "a ",
    "String should match pattern '\\\\S'": "must give a reason",
}


def _nearest(key: str) -> str:
    """``, did you mean …?`` with the known key that is spelled most alike."""
    *parents, last = key.split(".")
    section: type[BaseModel] = Params
    for parent in parents:
        annotation = section.model_fields[parent].annotation if parent in section.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        section = annotation
    alike = difflib.get_close_matches(last, section.model_fields, n=1)
    return f", did you mean {alike[0]}?" if alike else ""
