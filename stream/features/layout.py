"""States as arrays of rows, and the name of their layout."""

from hashlib import blake2b

import numpy as np

from stream.features.fields import DECISION, ENGAGEMENT, FEATURES, STATE, StateArray
from stream.features.model_columns import MODEL_COLUMNS, SEGMENT_COLUMNS

__all__ = [
    "DECISION",
    "ENGAGEMENT",
    "FEATURES",
    "LAYOUT",
    "ROW",
    "STATE",
    "StateArray",
    "empty",
]

REVISION = 2  # raise it when a field or column changes its meaning under its name, or open outcomes their form
LAYOUT: str = blake2b(repr((REVISION, STATE.descr, MODEL_COLUMNS, SEGMENT_COLUMNS)).encode(), digest_size=6).hexdigest()
"""Names the record's layout and the columns computed from it. Data of another layout is refused."""

ROW = np.dtype(("V", STATE.itemsize))
"""A state that numpy copies whole. It copies a structured one field by field, .7 us instead of .03; `take` does not."""


def empty(n: int) -> StateArray:
    """States of `n` customers of whom nothing is known."""
    return np.zeros(n, STATE)
