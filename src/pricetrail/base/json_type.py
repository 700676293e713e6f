"""What a metrics file may hold."""

from collections.abc import Mapping, Sequence

Json = Mapping[str, "Json"] | Sequence["Json"] | str | float | int | bool | None
