"""Records of a run as types: a frozen dataclass is written to JSON, and read back by the same dataclass."""

import json
from collections.abc import Mapping
from dataclasses import Field, asdict, fields, is_dataclass
from typing import Any, ClassVar, Final, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from pricetrail.base.errors import DataError
from pricetrail.base.json_type import Json
from pricetrail.base.limits import load_json

T = TypeVar("T")
INLINE: Final = {"inline": True}  # of a field that is a mapping: its entries stand beside the other fields


class Dataclass(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


def record(value: Dataclass) -> dict[str, Json]:
    """A dataclass as the tree of its file, as ``json`` would read it back; see ``INLINE``."""
    tree: dict[str, Any] = {}
    named = asdict(value)
    for field in fields(value):
        tree |= named[field.name] if _is_inline(field) else {field.name: named[field.name]}
    plain: dict[str, Json] = json.loads(json.dumps(tree))
    return plain


def parse_as(kind: type[T], tree: object, place: str) -> T:
    """The tree of a file as a type; keys that the type does not name are left out, or are those of its inline field.

    Args:
        kind: a dataclass, or any type that pydantic knows.
        tree: as ``json`` reads it.
        place: the file, for messages.

    Raises:
        DataError: the first key that is missing or wrong.
    """
    named = {field.name: _is_inline(field) for field in fields(kind)} if is_dataclass(kind) else {}
    if any(named.values()) and isinstance(tree, Mapping):
        others = {key: value for key, value in tree.items() if key not in named}
        tree = {**tree, **{name: others for name, inline in named.items() if inline}}
    try:
        return TypeAdapter(kind).validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        raise _not_whole(error, place) from None


def parse_json_as(kind: type[T], text: str, place: str) -> T:
    """As ``parse_as``, from JSON text."""
    try:
        tree = load_json(text)
    except ValueError as error:
        raise DataError(place, f"must be JSON: {error}") from None
    return parse_as(kind, tree, place)


def parse_cells_as(kind: type[T], cells: object, place: str) -> T:
    """A row of texts as a type: each text is read as what its field wants.

    Raises:
        DataError: as ``parse_as``.
    """
    try:
        return TypeAdapter(kind).validate_python(cells)
    except ValidationError as error:
        raise _not_whole(error, place) from None


def _is_inline(field: Field[Any]) -> bool:
    return bool(field.metadata.get("inline"))


def _not_whole(error: ValidationError, place: str) -> DataError:
    first = error.errors()[0]
    key = ".".join(map(str, first["loc"])) or "the text"
    found = None if first["type"] == "missing" or isinstance(first["input"], dict) else first["input"]
    return DataError(place, f"{key} must be whole: {first['msg']}", found)
