"""Ways to write one table of lines that are misread: neither the same table nor refused, whatever the settings."""

from __future__ import annotations

import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import harness
from harness import Goal, Result

sys.path.insert(0, str(harness.ROOT / "tests"))

from support.dialect_reads import EQUAL, MISREAD, Outcome, trials
from support.dialects import DIMENSIONS, Dialect, Settings, sample

LEAST: Final = 400
DIALECTS, SEED, WRONG = 420, 20101201, 2  # how many, drawn by which seed, each read with how many wrong settings
WHAT = (
    f"{DIALECTS} dialects, drawn from the ways of {len(DIMENSIONS)} dimensions, each of 24 lines, written and read "
    f"with the settings that are right for them, with the shipped ones, and {WRONG} times with a right one set wrong."
)


def _counts(found: Mapping[Dialect, list[tuple[str, Settings, Outcome]]]) -> dict[str, dict[str, dict[str, int]]]:
    """How readings ended, by dimension and its value."""
    return {
        name: {
            str(value): dict(
                Counter(
                    outcome.how
                    for dialect, outcomes in found.items()
                    if getattr(dialect, name) == value
                    for _, _, outcome in outcomes
                )
            )
            for value in values
        }
        for name, values in DIMENSIONS.items()
    }


def measure() -> Result:
    """Write and read them."""
    logging.disable(logging.WARNING)
    found = {}
    with tempfile.TemporaryDirectory(prefix="pricetrail-bench-") as folder:
        for i, dialect in enumerate(sample(DIALECTS, SEED)):
            found[dialect] = trials(Path(folder) / str(i), dialect, WRONG)
    misread = [dialect for dialect, outcomes in found.items() if any(it.how == MISREAD for _, _, it in outcomes)]
    # Backslash quoting has no setting; it is no fault to refuse it.
    too_strict = [
        str(dialect)
        for dialect, outcomes in found.items()
        if dialect.is_supported and any(name == "right" and it.how != EQUAL for name, _, it in outcomes)
    ]
    by_settings = {
        name: dict(Counter(it.how for outcomes in found.values() for of, _, it in outcomes if of == name))
        for name in ("right", "shipped", "wrong")
    }
    return Result(
        name="dialects",
        value=len(misread),
        unit="dialects misread",
        what_was_run=WHAT,
        goals=(
            Goal("dialects misread", len(misread), "=", 0, "dialects"),
            Goal("tried", len(found), ">=", LEAST, "dialects"),
            Goal("refused with the right settings", len(too_strict), "=", 0, "dialects"),
        ),
        details={
            "by_settings": by_settings,
            "misread": [str(dialect) for dialect in misread],
            "refused_with_right_settings": too_strict,
            "by_dimension": _counts(found),
        },
    )


if __name__ == "__main__":
    harness.main(measure)
