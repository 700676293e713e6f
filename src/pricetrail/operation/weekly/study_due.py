"""Whether the next run on new data has a study, or trains what the last one chose: the settings that say so."""

from collections.abc import Mapping, Sequence
from itertools import takewhile

from pydantic import BaseModel, ConfigDict, Field

from pricetrail.base.json_type import Json
from pricetrail.base.params_schema import Fixed, Tuning
from pricetrail.base.typed_json import parse_as
from pricetrail.lineage.ledger import Run

VALIDATION = "metrics/validation.json"
METHOD, NETWORK = "tuning.method", "tuning.fixed"
FIXED, USUAL_STUDY = "fixed", "tpe"


class _Chosen(Fixed):
    """A network of ``metrics/validation.json``, which says more of it."""

    model_config = ConfigDict(extra="ignore")


class _Validation(BaseModel):
    """What is read of that file."""

    chosen: list[_Chosen] = Field(min_length=1)


def settings_of_next_run(
    tuning: Tuning, search_every: int, ledger: Sequence[Run], validation: Mapping[str, object]
) -> dict[str, Json]:
    """The changes to ``params.yaml`` for a run on new data, by dotted key; only what is really other.

    Args:
        tuning: the settings as they are.
        search_every: 4: every fourth run has a study; 1: each; 0: the settings stay.
        ledger: the runs so far, oldest first; one whose ``tuning.method`` is not ``fixed`` had a study.
        validation: the tree of ``metrics/validation.json``, whose ``chosen`` a run without a study trains; not read
            where there is one.

    Raises:
        DataError: no network can be read from ``validation``.
    """
    if search_every == 0:
        return {}
    if _study_is_due(search_every, ledger):
        wanted: dict[str, Json] = {METHOD: _study_method(tuning, ledger)}
    else:
        wanted = {METHOD: FIXED, NETWORK: _chosen(validation).model_dump(mode="json")}
    present = {METHOD: tuning.method, NETWORK: tuning.fixed.model_dump(mode="json") if tuning.fixed else None}
    return {key: value for key, value in wanted.items() if value != present[key]}


def _study_is_due(search_every: int, ledger: Sequence[Run]) -> bool:
    """Whether there is no run yet, or as many as may follow each other without a study."""
    without = sum(1 for _ in takewhile(lambda run: run.params.get(METHOD) == FIXED, reversed(ledger)))
    return not ledger or without >= search_every - 1


def _study_method(tuning: Tuning, ledger: Sequence[Run]) -> str:
    """The method of ``params.yaml`` where it is one of a study, else that of the last run that had one."""
    if tuning.method != FIXED:
        return tuning.method
    methods = [str(run.params[METHOD]) for run in ledger if run.params.get(METHOD, FIXED) != FIXED]
    return methods[-1] if methods else USUAL_STUDY


def _chosen(validation: Mapping[str, object]) -> Fixed:
    """The network of ``metrics/validation.json``; what the file says besides is no setting of it."""
    return parse_as(_Validation, validation, VALIDATION).chosen[0]
