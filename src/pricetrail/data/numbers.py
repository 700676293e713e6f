"""Numbers as lands and systems write them."""

import numpy as np
import pandas as pd

from pricetrail.data.text import plain_text


def parse_numbers(values: pd.Series) -> pd.Series:
    """Numbers as float64, NaN where the text is none."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.astype("float64")
    text = plain_text(values)
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    long = numbers.notna() & (text.str.len() > 15)  # to_numeric can miss the last bit of a long decimal
    numbers[long] = np.array([float(number) for number in text[long]], dtype=np.float64)
    return numbers
