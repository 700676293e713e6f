"""Groups of lines by who bought: a customer or a guest, which country, at home or abroad."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Labels = NDArray[np.str_]


def buyers(rows: pd.DataFrame) -> Labels:
    """``registered`` or ``guest``, shape (n,); by it intervals are calibrated, too.

    Args:
        rows: with the feature ``registered``, shape (n, …).
    """
    return np.where(rows["registered"] > 0, "registered", "guest")


def sensitive_groups(rows: pd.DataFrame, home: str) -> dict[str, Labels | pd.Series]:
    """Every column that ``fairness.columns`` may name.

    Args:
        rows: with ``registered`` and ``country``, shape (n, …).
        home: the most frequent country of the training rows.
    """
    at_home = np.where(rows["country"] == home, "home", "abroad")
    return {"registered": buyers(rows), "country": rows["country"], "country_group": at_home}
