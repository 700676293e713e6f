"""Which runs on new data have a study, and what the others train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pricetrail.base.errors import DataError
from pricetrail.base.json_type import Json
from pricetrail.base.params import parse_params
from pricetrail.base.params_edit import with_settings
from pricetrail.lineage.ledger import Run
from pricetrail.operation.weekly.study_due import settings_of_next_run
from support.tables import PARAMS

CHOSEN: dict[str, Any] = {
    "widths": [128, 64],
    "dropouts": [0.360784, 0.0],
    "bins": 24,
    "batch_norm": True,
    "residual": False,
    "ensemble_size": 2,
    "optimizer": "adamw",
    "learning_rate": 0.00204666,
    "weight_decay": 1e-05,
    "batch_size": 1024,
}
BUDGET = {"max_epochs": 6, "patience_epochs": 4, "min_steps": 400, "epochs": 6}


def validation(**changes: Any) -> dict[str, Any]:
    """``metrics/validation.json``."""
    return {"rows": 9, "mse_log_quantity": 0.27, "chosen": [{**CHOSEN, **BUDGET, **changes}]}


def ledger(*methods: str | None) -> list[Run]:
    """Runs with these methods, oldest first; None is a run from before the dial."""
    params: list[dict[str, Any]] = [{"tuning.method": method} if method else {} for method in methods]
    return [Run(f"{n}", "b", "withheld", ("a", "b"), 1, {}, params[n]) for n in range(len(methods))]


def next_settings(text: str, every: int, runs: list[Run], found: Mapping[str, Any] | None = None) -> dict[str, Json]:
    return settings_of_next_run(parse_params(text).tuning, every, runs, validation() if found is None else found)


def with_method(method: str, fixed: Mapping[str, Any] | None = None) -> str:
    return with_settings(PARAMS, {"tuning.method": method, "tuning.fixed": fixed})


@pytest.mark.parametrize("every", [1, 2, 4])
@pytest.mark.parametrize("method", ["tpe", "grid"])
def test_a_year_has_a_study_every_so_many_weeks(every: int, method: str) -> None:
    """Week by week as the flow does it: each edits the text that the week before left."""
    text, runs, chosen = with_method(method), [], {"bins": 0}
    for week in range(9):
        text = with_settings(text, next_settings(text, every, runs, validation(**chosen)))
        tuning = parse_params(text).tuning
        assert tuning.method == (method if week % every == 0 else "fixed"), f"week {week}"
        if tuning.method == "fixed":
            assert tuning.fixed is not None
            assert tuning.fixed.model_dump(mode="json") == {**CHOSEN, **chosen}
        else:
            chosen = {"bins": 2 + week, "learning_rate": 0.001 * (week + 1)}
        runs = [*runs, *ledger(tuning.method)]
    assert "# tpe: Optuna's sampler" in text


@pytest.mark.parametrize(
    ("methods", "every", "has_study"),
    [
        ((), 4, True),
        (("tpe",), 4, False),
        (("grid", "fixed", "fixed"), 4, False),
        (("tpe", "fixed", "fixed", "fixed"), 4, True),
        (("tpe", "fixed", "fixed", "fixed", "fixed", "fixed"), 4, True),
        (("tpe", "fixed", "fixed", "tpe", "fixed"), 4, False),
        (("fixed",), 4, False),
        (("fixed",), 2, True),
        ((None, "fixed"), 3, False),
        ((None, "fixed", "fixed"), 3, True),
        ((None,), 2, False),
        (("tpe",), 1, True),
    ],
)
def test_a_study_is_due_after_enough_runs_without_one(
    methods: tuple[str | None, ...], every: int, has_study: bool
) -> None:
    text = with_method("fixed", CHOSEN)
    dials = next_settings(text, every, ledger(*methods))
    assert (parse_params(with_settings(text, dials)).tuning.method != "fixed") == has_study
    assert "tuning.fixed" not in dials, "the network stays in the file"


def test_the_method_of_a_study_is_that_of_the_last_one() -> None:
    text = with_method("fixed", CHOSEN)
    assert next_settings(text, 2, ledger("tpe", "grid", "fixed")) == {"tuning.method": "grid"}
    assert next_settings(text, 2, ledger("grid", "tpe", "fixed")) == {"tuning.method": "tpe"}
    for methods in ((), ("fixed",), (None, "fixed")):
        assert next_settings(text, 2, ledger(*methods)) == {"tuning.method": "tpe"}
    assert next_settings(with_method("grid"), 2, ledger("tpe", "fixed")) == {}, "changed by hand since"


def test_only_what_is_other_is_a_change() -> None:
    runs = ledger("tpe")
    assert next_settings(PARAMS, 4, runs) == {"tuning.method": "fixed", "tuning.fixed": CHOSEN}
    assert next_settings(with_method("tpe", CHOSEN), 4, runs) == {"tuning.method": "fixed"}
    assert next_settings(with_method("fixed", {**CHOSEN, "bins": 8}), 4, runs) == {"tuning.fixed": CHOSEN}
    assert next_settings(with_method("fixed", CHOSEN), 4, runs) == {}
    assert next_settings(PARAMS, 4, []) == {}


def test_without_scheduled_studies_the_dials_stay_unread() -> None:
    for text in (PARAMS, with_method("fixed", CHOSEN)):
        assert next_settings(text, 0, ledger("tpe", "fixed", "fixed"), {}) == {}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({}, "chosen must be whole: Field required"),
        ({"chosen": []}, "chosen must be"),
        ({"chosen": {}}, "chosen must be"),
        ({"chosen": [3]}, "chosen.0 must be"),
        ({"chosen": [{**CHOSEN, "bins": 2.5}]}, "chosen.0.bins must be"),
        ({"chosen": [{**CHOSEN, "learning_rate": None}]}, "chosen.0.learning_rate must be"),
        ({"chosen": [{**CHOSEN, "optimizer": "adagrad"}]}, "chosen.0.optimizer must be"),
        ({"chosen": [{name: CHOSEN[name] for name in CHOSEN if name != "widths"}]}, "chosen.0.widths must be"),
        ({"chosen": [{**CHOSEN, "dropouts": [0.1]}]}, "chosen.0 must be .* a dropout for each of its 2 widths"),
    ],
)
def test_what_is_no_network_is_named(found: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^metrics/validation.json: {message}"):
        next_settings(PARAMS, 4, ledger("tpe"), found)
    assert next_settings(PARAMS, 4, [], found) == {}, "a study reads none"
