"""Texts of a run's files to the types of the page. A file that is not whole is no page."""

from __future__ import annotations

import csv
import json
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pricetrail.base.errors import DataError
from pricetrail.report.page.facts import Trial

T = TypeVar("T")


def parse(kind: type[T], tree: object, place: str) -> T:
    """A tree of a file as a type; keys that the type does not name are left out.

    Raises:
        DataError: the first key that is missing or wrong.
    """
    try:
        return TypeAdapter(kind).validate_python(tree)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "it"
        found = None if first["type"] == "missing" else first["input"]
        raise DataError(place, f"{key} must be whole: {first['msg']}", found) from None


def parse_json(kind: type[T], text: str, place: str) -> T:
    """As ``parse``, from JSON text."""
    try:
        return parse(kind, json.loads(text), place)
    except json.JSONDecodeError as error:
        raise DataError(place, f"must be JSON: {error}") from None


def parse_rows(kind: type[T], text: str, place: str, delimiter: str = ",") -> tuple[T, ...]:
    """A CSV text, a value a line; empty cells are None.

    Raises:
        DataError: the line that is not whole.
    """
    return tuple(
        parse(kind, row, f"{place}: row {number}") for number, row in enumerate(_cells(text, delimiter), start=2)
    )


def _cells(text: str, delimiter: str) -> list[dict[str, Any]]:
    rows = csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter)
    return [{str(key): value or None for key, value in row.items()} for row in rows]


def parse_series(text: str, place: str, key: str, value: str, delimiter: str = ",") -> dict[str, float]:
    """Two columns of a CSV text: name and figure, in the order of the text."""
    rows = [(row.get(key), row.get(value)) for row in _cells(text, delimiter)]
    return dict(parse(tuple[str, float], row, f"{place}: row {n}") for n, row in enumerate(rows, 2))


def parse_trials(text: str, place: str) -> tuple[Trial, ...]:
    """``reports/tuning/trials.csv``."""
    rows = [{**row, "cells": row} for row in _cells(text, ",")]
    return tuple(parse(Trial, row, f"{place}: row {number}") for number, row in enumerate(rows, start=2))
