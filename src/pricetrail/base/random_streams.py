"""One seed, many named random streams: a stream's numbers do not move when another stream draws more."""

import zlib

import numpy as np
import pandas as pd


def stream_seed(seed: int, name: str) -> int:
    """The seed of a named stream, below 2**31 so that torch, Optuna and scikit-learn all take it.

    >>> stream_seed(1, "study") == stream_seed(1, "study"), stream_seed(1, "study") == stream_seed(1, "weights")
    (True, False)
    """
    return int(np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(1)[0] >> 1)


def stream(seed: int, name: str) -> np.random.Generator:
    """A generator for a named stream."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(name.encode())])))


def draw_rows(rows: pd.DataFrame, most: int, rng: np.random.Generator) -> pd.DataFrame:
    """At most so many rows, drawn without replacement, in their order."""
    if len(rows) <= most:
        return rows
    return rows.iloc[np.sort(rng.choice(len(rows), size=most, replace=False))]
