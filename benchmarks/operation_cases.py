"""Cases of operation that end wrongly: every test marked as one does what an operator did, on the real thing."""

from __future__ import annotations

import harness
from attacks import counted
from harness import Result

LEAST_CASES = 25


def measure() -> Result:
    """Run the cases."""
    what = "each does what operators do or run into, and looks at what they are told and what is left"
    return counted("operation_cases", "operation_case", "cases that end wrongly", what, LEAST_CASES)


if __name__ == "__main__":
    harness.main(measure)
