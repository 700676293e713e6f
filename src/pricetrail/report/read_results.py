"""Texts of a run's files, by path, to the types of ``results``. A file that is not whole is no page."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, TypeVar, get_type_hints

from pricetrail.base.escaping import read_plot_cell
from pricetrail.base.typed_json import parse_cells_as, parse_json_as
from pricetrail.checks.decision import read_decision
from pricetrail.checks.results import IntervalsResult
from pricetrail.lineage.ledger import parse_ledger
from pricetrail.report.results import PageResults, PricePoint, Results, Trial

T = TypeVar("T")
DECISION, INTERVALS = "metrics/decision.json", "metrics/intervals.json"
LINEAGE, LEDGER = "reports/lineage.json", "reports/runs.jsonl"
METRICS: Final = ("etl", "drift", "validation", "test", "models", "model_drift", "fairness", "prices")
FILES: Final = {**{name: f"metrics/{name}.json" for name in METRICS}, "lineage": LINEAGE}
KINDS: Final[Mapping[str, tuple[str, type[Any]]]] = {  # field of Results: its file and its type
    name: (path, get_type_hints(Results)[name]) for name, path in FILES.items()
}
TEXTS: Final = (*FILES.values(), DECISION, INTERVALS, LEDGER)
TRAIN_MSE = "reports/training/plots/metrics/train_mse.tsv"
VALIDATION_MSE = "reports/training/plots/metrics/validation_mse.tsv"
TRIALS, IMPORTANCES = "reports/tuning/trials.csv", "reports/tuning/importances.csv"
SHAP, PRICE_CURVES = "reports/shap/importance.csv", "reports/price_curves.csv"
PAGE_TEXTS: Final = (*TEXTS, TRAIN_MSE, VALIDATION_MSE, TRIALS, IMPORTANCES, SHAP, PRICE_CURVES)
BEESWARM, DEPENDENCE = "beeswarm.png", "dependence.png"
IMAGES = (BEESWARM, DEPENDENCE)


def read_results(texts: Mapping[str, str]) -> Results:
    """What the card tells of a run, from the texts of ``TEXTS`` by path.

    Raises:
        DataError: a text is not what its stage writes, or a decision does not follow from its verdicts; the place
            names the file.
        KeyError: one of ``TEXTS`` is not there.
    """
    parsed: dict[str, Any] = {name: parse_json_as(kind, texts[path], path) for name, (path, kind) in KINDS.items()}
    has_intervals = texts[INTERVALS].split() != ["{}"]
    return Results(
        **parsed,
        decision=read_decision(parse_json_as(dict[str, Any], texts[DECISION], DECISION), DECISION),
        intervals=parse_json_as(IntervalsResult, texts[INTERVALS], INTERVALS) if has_intervals else None,
        runs=parse_ledger(texts[LEDGER], LEDGER),
    )


def read_page_results(texts: Mapping[str, str], images: Mapping[str, bytes]) -> PageResults:
    """What the page shows of a run, from the texts of ``PAGE_TEXTS`` by path, and SHAP's images by name.

    Raises:
        DataError: as ``read_results``; of a table the place names the row, too.
        KeyError: one of ``PAGE_TEXTS`` is not there.
    """
    results = read_results(texts)
    train, validation = (
        tuple(_series(texts[path], path, "step", name, "\t").values())
        for path, name in ((TRAIN_MSE, "train_mse"), (VALIDATION_MSE, "validation_mse"))
    )
    return PageResults(
        **{field.name: getattr(results, field.name) for field in fields(results)},
        train_mse=train,
        validation_mse=validation,
        trials=_rows(Trial, [{**row, "cells": row} for row in _cells(texts[TRIALS])], TRIALS),
        importances=_series(texts[IMPORTANCES], IMPORTANCES, "parameter", "importance"),
        shap=_series(texts[SHAP], SHAP, "feature", "mean_abs_shap"),
        price_points=_rows(PricePoint, _cells(texts[PRICE_CURVES]), PRICE_CURVES),
        images=images,
    )


def _rows(kind: type[T], rows: Sequence[object], place: str) -> tuple[T, ...]:
    """The rows of a table, each as a type; the header is row 1."""
    return tuple(parse_cells_as(kind, row, f"{place}: row {number}") for number, row in enumerate(rows, start=2))


def _series(text: str, place: str, key: str, value: str, delimiter: str = ",") -> dict[str, float]:
    """Two columns of a table: name and figure, in the order of the text."""
    rows = [(row.get(key), row.get(value)) for row in _cells(text, delimiter)]
    return dict(_rows(tuple[str, float], rows, place))


def _cells(text: str, delimiter: str = ",") -> list[dict[str, Any]]:
    """The rows of a CSV text, in which U+2028 and its like end no line; empty cells are None."""
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    return [{str(key): _text(value) for key, value in row.items()} for row in rows]


def _text(cell: object) -> object:
    return read_plot_cell(cell) if isinstance(cell, str) and cell else None
