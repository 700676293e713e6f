"""What a file does not tell, and a person must."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One open question about files that were never read.

    Attributes:
        key: the setting that the answer gives, by dotted key.
        text: what cannot be told.
        readings: answers, each with what it would mean; empty where any text can be one.
        option: of `pricetrail init`, that answers it.
    """

    key: str
    text: str
    readings: tuple[tuple[str, str], ...]
    option: str
