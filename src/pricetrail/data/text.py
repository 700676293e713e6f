"""Text of a cell: what is missing, and codes, which are text whatever they look like."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def plain_text(values: pd.Series) -> pd.Series:
    """Stripped strings; empty ones are missing."""
    text = values.astype(str).str.strip() if not isinstance(values.dtype, pd.StringDtype) else values.str.strip()
    return text.mask((text == "") | values.isna(), np.nan).astype("str")


def plain_code(values: pd.Series) -> pd.Series:
    """Stripped codes; a whole number that a file holds as a float (17850.0) is the code 17850."""
    return plain_text(plain_text(values).str.removesuffix(".0"))


def first_that_holds(rules: Mapping[str, Mask]) -> NDArray[np.str_]:
    """For each row the name of the first rule that holds, or an empty string."""
    first = np.argmax(np.stack([*rules.values(), np.ones_like(next(iter(rules.values())))]), axis=0)
    names: NDArray[np.str_] = np.array([*rules, ""])[first]
    return names
