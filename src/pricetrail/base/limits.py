"""What may be read of bytes that somebody else wrote: how long and how deep a text may be, how much memory it may take.

A file of a branch, a tag's message, an object of the remote and a source file are written by others. Each of them is
read here, or under ``memory_limit``: what a reader does not count itself, the kernel refuses.
"""

import json
import math
import resource
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import psutil
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import Node, ScalarNode

MB: Final = 10**6
MAX_JSON_MB: Final = 16  # a DVC list of 150,000 files
MAX_YAML_MB: Final = 1  # 14 times the dvc.lock that ships; ruamel's Python reads 0.06 MB a second of lists
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 10**6  # of a YAML text, each alias counted as what it stands for
MAX_INTEGER: Final = 2**63  # what tables and metrics hold
_TOO_DEEP: Final = f"it is nested deeper than {MAX_DEPTH} levels"
_INFINITE: Final = (math.inf, -math.inf)  # as ``json`` reads 1e999


def load_json(text: str | bytes) -> Any:  # noqa: ANN401  any JSON
    """JSON as RFC 8259 has it, in UTF-8; a key that stands twice, NaN and what is no 64-bit number are refused.

    Raises:
        ValueError: it is none, or is longer or deeper than the limits.
    """
    _require_short(text, MAX_JSON_MB)
    try:
        plain = text if isinstance(text, str) else text.decode()
        tree = json.loads(plain, object_pairs_hook=_no_key_twice, parse_constant=_no_number)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _require_plain(tree)
    return tree


def load_yaml(text: str) -> Any:  # noqa: ANN401  any YAML
    """YAML 1.2 as DVC reads it.

    Raises:
        ValueError: it is longer or deeper than the limits, or its aliases stand for more.
        YAMLError: it is no YAML.
    """
    _require_short(text, MAX_YAML_MB)
    try:
        if "&" in text and (node := YAML(typ="safe", pure=True).compose(text)) is not None:
            _values(node, {}, set())  # before it is loaded: merging `<<` copies what an alias stands for
        tree = YAML(typ="safe", pure=True).load(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except (YAMLError, ValueError):
        raise
    except Exception as error:  # ruamel lets other kinds out on texts that nobody writes, such as `!!timestamp x`
        raise ValueError(f"it is not understood ({type(error).__name__})") from None
    _require_plain(tree)
    return tree


@contextmanager
def memory_limit(more_mb: float) -> Iterator[None]:
    """Let the block take no more memory than so many MB beyond what is held now: a ``MemoryError`` ends it.

    Readers count what they can. This holds where a file lies about itself to the library that reads it. The limit is
    the process's, so it counts what other threads take meanwhile.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = psutil.Process().memory_info().data + int(more_mb * MB)
    least = min([wanted, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)])
    resource.setrlimit(resource.RLIMIT_DATA, (least, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _require_short(text: str | bytes, max_mb: int) -> None:
    if len(text) > max_mb * MB:
        raise ValueError(f"it has {len(text) / MB:.1f} MB, and may have {max_mb}")


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice[:40]!r} stands twice")
    return tree


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _require_plain(tree: object) -> None:
    """Hold a tree against the limits, level by level: no recursion, and an alias counts wherever it stands."""
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(_TOO_DEEP)
        below = list[object]()
        for value in level:
            if isinstance(value, Mapping):
                below.extend(value.values())
            elif isinstance(value, list | tuple | set):
                below.extend(value)
            elif (type(value) is int and not -MAX_INTEGER <= value < MAX_INTEGER) or value in _INFINITE:
                raise ValueError("a number has more than 64 bits")
        level = below


def _values(node: Node, known: dict[int, int], open_: set[int]) -> int:
    """How many values a node stands for, aliases replaced; ``known`` has those of the nodes that were counted."""
    if isinstance(node, ScalarNode):
        return 1
    if id(node) in open_:
        raise ValueError("an alias stands in what it stands for")
    if id(node) not in known:
        open_.add(id(node))
        known[id(node)] = 1 + sum(_values(child, known, open_) for child in _children(node))
        open_.remove(id(node))
    if known[id(node)] > MAX_VALUES:
        raise ValueError(f"its aliases stand for more than {MAX_VALUES:,} values")
    return known[id(node)]


def _children(node: Node) -> Iterable[Node]:
    for entry in node.value:
        yield from entry if isinstance(entry, tuple) else (entry,)
