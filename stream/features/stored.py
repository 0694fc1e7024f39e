"""States as the bytes that a store keeps."""

from collections.abc import Sequence

import numpy as np

from stream.byte_rows import ByteRows
from stream.errors import LayoutError
from stream.features.layout import DECISION, FEATURES, LAYOUT, STATE, StateArray
from stream.features.sparse import squeezed, widened

_SHORT = FEATURES.itemsize + DECISION.itemsize


def pack(states: StateArray) -> list[bytes]:
    """Each state as a store keeps it.

    >>> [len(packed) for packed in pack(np.zeros(1, STATE))]
    [9]
    """
    return stored_form(states).listed()


def stored_form(states: StateArray) -> ByteRows:
    """What a store keeps of the states, shape (customers,): `stream.features.sparse` of their bytes."""
    return squeezed(np.ascontiguousarray(states).view(np.uint8).reshape(-1, STATE.itemsize))


def unpack(stored: Sequence[bytes | None]) -> StateArray:
    """States from what a store keeps; None is a customer of whom nothing is known.

    What earlier releases stored, all bytes of a state with or without engagement, is read too: no length is both.

    Raises:
        LayoutError: no state of this layout.
    """
    squeezed_states = [_squeezed_again(packed) if packed else b"" for packed in stored]
    states = widened(squeezed_states, STATE.itemsize)
    if states is None:
        wrong = next(packed for packed in squeezed_states if widened([packed], STATE.itemsize) is None)
        raise LayoutError(
            f"A stored customer has {len(wrong)} bytes that are no state of layout {LAYOUT}. Another version of Ebb "
            "wrote it: run that version, or rebuild the states from the history."
        )
    return states.reshape(-1).view(STATE)


def _squeezed_again(packed: bytes) -> bytes:
    if len(packed) not in (_SHORT, STATE.itemsize):
        return packed
    whole = np.frombuffer(packed.ljust(STATE.itemsize, b"\0"), np.uint8)
    return squeezed(whole.reshape(1, -1)).data
