"""The id that every prediction carries: which bundle made it, and which row or request it was."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pricetrail.base.errors import LineageError

BUNDLE_DIGITS = 12  # of the bundle's sha256: enough to tell bundles apart, short enough to read out
_FORM = re.compile(r"([0-9a-f]{12})-(\d{6}|[1-9]\d{6,})", re.ASCII)


@dataclass(frozen=True)
class LineageId:
    """Where a prediction comes from.

    Attributes:
        bundle: first 12 hex digits of the sha256 of the bundle's ``manifest.json``.
        number: row of the test split, or number of the request, from 0.

    >>> str(LineageId("0123456789ab", 42))
    '0123456789ab-000042'
    """

    bundle: str
    number: int

    def __str__(self) -> str:
        return f"{self.bundle}-{self.number:06d}"

    @classmethod
    def of(cls, manifest_sha256: str, number: int) -> LineageId:
        """The id of a bundle's prediction.

        Args:
            manifest_sha256: of the bundle's manifest, 64 hex digits.
            number: row or request, from 0.

        >>> str(LineageId.of("0123456789ab" + 52 * "c", 1_234_567))
        '0123456789ab-1234567'
        """
        return cls(manifest_sha256[:BUNDLE_DIGITS], number)

    @staticmethod
    def fits(text: str) -> bool:
        """Whether a text has the form of an id.

        >>> LineageId.fits("0123456789ab-000042"), LineageId.fits("0123456789ab-0000042")
        (True, False)
        """
        return _FORM.fullmatch(text) is not None

    @classmethod
    def parse(cls, text: str) -> LineageId:
        """Read an id; the one form that ``str`` gives, and no other.

        >>> LineageId.parse("0123456789ab-000042")
        LineageId(bundle='0123456789ab', number=42)
        >>> LineageId.parse("0123456789AB-42")
        Traceback (most recent call last):
        pricetrail.base.errors.LineageError: lineage id: must be 12 hex digits, a dash and 6 or more digits, got '0123456789AB-42'

        Raises:
            LineageError: the text has another form.
        """  # noqa: E501  an error is one line
        match = _FORM.fullmatch(text)
        if match is None:
            raise LineageError("lineage id", "must be 12 hex digits, a dash and 6 or more digits", text)
        return cls(match[1], int(match[2]))
