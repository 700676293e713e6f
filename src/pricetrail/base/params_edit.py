"""Changing single settings in the text of ``params.yaml``: comments, order and layout stay."""

import io
from collections.abc import Mapping

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from pricetrail.base.errors import ParamsError
from pricetrail.base.json_type import Json
from pricetrail.base.params import FILE, parse_params


def with_settings(text: str, settings: Mapping[str, Json]) -> str:
    """The text with other values, by dotted key; what the new text says is checked.

    Raises:
        ParamsError: a key is not there, or the new value breaks its rule.
    """
    parse_params(text)  # the limits of what a branch may hold are its
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.representer.add_representer(
        type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    tree = yaml.load(text)
    for key, value in settings.items():
        *sections, last = key.split(".")
        section = tree
        for name in sections:
            section = section.get(name, {})
        if last not in section:
            raise ParamsError(FILE, f"{key} must be there to be changed")
        section[last] = _flow(value)
    out = io.StringIO()
    yaml.dump(tree, out)
    parse_params(out.getvalue())
    return out.getvalue()


def _flow(value: Json) -> object:
    """A value as it is written on one line."""
    if isinstance(value, Mapping):
        mapping = CommentedMap({key: _flow(inner) for key, inner in value.items()})
        mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list | tuple):
        sequence = CommentedSeq([_flow(inner) for inner in value])
        sequence.fa.set_flow_style()
        return sequence
    return value
