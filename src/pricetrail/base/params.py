"""``params.yaml`` as frozen types: what is not right is told in one line, before any work.

The text is read with YAML 1.2 as DVC reads it, so a key given twice is an error here too.
"""

import difflib

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml.error import YAMLError

from pricetrail.base import params_data
from pricetrail.base import params_schema as schema
from pricetrail.base.errors import ParamsError
from pricetrail.base.limits import load_yaml

FILE = "params.yaml"


class Params(schema.Section):
    """All of ``params.yaml``."""

    seed: int = Field(ge=0, lt=2**63)
    threads: int = Field(ge=1, le=256)
    data: params_data.Data
    shop: params_data.Shop
    demo: schema.Demo
    features: schema.Features
    split: schema.Split
    encoding: schema.Encoding
    drift: schema.Drift
    tuning: schema.Tuning
    baselines: schema.Baselines
    explain: schema.Explain
    pricing: schema.Pricing
    gates: schema.Gates
    fairness: schema.Fairness
    weekly: schema.Weekly


def parse_params(text: str) -> Params:
    """Read the text of ``params.yaml``.

    Raises:
        ParamsError: naming the first key that is not right, the rule and its value.
    """
    try:
        tree = load_yaml(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{FILE}: line {mark.line + 1}" if mark else FILE
        raise ParamsError(place, f"must be YAML 1.2: {getattr(error, 'problem', error)}") from None
    except ValueError as error:  # such as a date without quotes that no calendar has
        raise ParamsError(FILE, f"must be YAML 1.2: {error}") from None
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
    value = None if isinstance(first["input"], dict) else first["input"]  # a whole section is no help in one line
    return ParamsError(FILE, f"{key} {message}{more}", value)


_SHORT = {
    "String should match pattern '\\S'": "must give a reason",
    "String should": "must",
    "Tuple should": "must",
    " after validation": "",
    "Input should": "must",
    "greater than or equal to": ">=",
    "less than or equal to": "<=",
    "greater than": ">",
    "less than": "<",
    "a valid dictionary or instance of": "a section with the settings of",
    "a valid integer": "an integer",
    "a valid ": "a ",
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
