"""States as arrays of rows, and rows as the bytes that a store keeps."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from stream.errors import LayoutError
from stream.features.fields import DECISION, ENGAGEMENT, FEATURES, STATE, StateArray
from stream.features.model_columns import MODEL_COLUMNS, SEGMENT_COLUMNS

__all__ = ["DECISION", "ENGAGEMENT", "FEATURES", "LAYOUT", "ROW", "STATE", "StateArray", "empty", "pack", "unpack"]

REVISION = 2  # raise it when a field or column changes its meaning under its name, or open outcomes their form
LAYOUT: str = blake2b(repr((REVISION, STATE.descr, MODEL_COLUMNS, SEGMENT_COLUMNS)).encode(), digest_size=6).hexdigest()
"""Names the record's layout and the columns computed from it. Data of another layout is refused."""

_SHORT = FEATURES.itemsize + DECISION.itemsize


ROW = np.dtype(("V", STATE.itemsize))
"""A state that numpy copies whole. It copies a structured one field by field, .7 us instead of .03; `take` does not."""


def empty(n: int) -> StateArray:
    """States of `n` customers of whom nothing is known."""
    return np.zeros(n, STATE)


def pack(states: StateArray) -> list[bytes]:
    """Each state as bytes: features and decision, then engagement unless the customer has none.

    >>> [len(packed) for packed in pack(empty(1))] == [FEATURES.itemsize + DECISION.itemsize]
    True
    """
    size = STATE.itemsize
    stored = np.ascontiguousarray(states)
    engaged = stored.view("u1").reshape(-1, size)[:, _SHORT:].any(axis=1)
    everything, starts = stored.tobytes(), np.arange(len(stored)) * size
    ends = starts + np.where(engaged, size, _SHORT)
    return [everything[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def unpack(stored: Sequence[bytes | None]) -> StateArray:
    """States from their bytes; None is a customer of whom nothing is known.

    Raises:
        LayoutError: bytes of another length than this layout's.
    """
    for packed in stored:
        if packed and len(packed) not in (_SHORT, STATE.itemsize):
            raise LayoutError(
                f"A stored customer has {len(packed)} bytes; layout {LAYOUT} has {_SHORT} or {STATE.itemsize}. "
                "Another version of Ebb wrote it: run that version, or rebuild the states from the history."
            )
    joined = b"".join((packed or b"").ljust(STATE.itemsize, b"\0") for packed in stored)
    return np.frombuffer(bytearray(joined), STATE)
