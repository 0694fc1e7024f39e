"""Facts of events as rows of bytes: one array to cut, join and reorder records by, instead of ten."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.features.facts import PRODUCTS_KEPT, PROFILE_FACTS, Envelopes, EventFacts
from stream.features.vocabulary import CATEGORIES_MAX

Packed = NDArray[np.uint8]
"""Shape (events, `FACTS_BYTES`)."""

_COLUMNS = np.dtype(
    [
        ("amount_minor", "<i8"),
        ("discount_minor", "<i8"),
        ("units", "<i8"),
        ("value", "<i8"),
        ("products", "<u8", (PRODUCTS_KEPT,)),
        ("lines", "<i4"),
        ("category_lines", "<u2", (CATEGORIES_MAX + 1,)),
        ("channel", "u1"),
        ("tier", "u1"),
        ("profile", PROFILE_FACTS),
    ]
)
"""The columns of `EventFacts` that not all events have."""

FACTS_BYTES = _COLUMNS.itemsize


def no_packed(count: int) -> Packed:
    """The rows of records that have no facts."""
    return np.zeros((count, FACTS_BYTES), np.uint8)


def blank_packed(envelopes: Envelopes) -> tuple[EventFacts, Packed]:
    """What all events have, nothing in the columns of their kinds; and the rows that are written to through these.

    >>> from stream.features.facts import PURCHASE
    >>> envelopes = Envelopes(np.array([PURCHASE], np.uint8), np.array([7]), np.array([1], np.uint64))
    >>> facts, packed = blank_packed(envelopes)
    >>> facts.units[0] = 3
    >>> unpacked(packed, [0], envelopes).units.tolist()
    [3]
    """
    packed = no_packed(len(envelopes.kind))
    return EventFacts(np.zeros(len(packed), np.intp), **vars(envelopes), **_views(packed)), packed


def unpacked(packed: Packed, rows: Sequence[int] | NDArray[np.intp], envelopes: Envelopes) -> EventFacts:
    """Facts from rows.

    Args:
        packed: of the events.
        rows: each event's customer, as its place in the array of states.
        envelopes: of the events.
    """
    columns = {name: np.ascontiguousarray(column) for name, column in _views(packed).items()}
    return EventFacts(np.array(rows, np.intp), **vars(envelopes), **columns)


def _views(packed: Packed) -> dict[str, NDArray[Any]]:
    of_rows = packed.view(_COLUMNS)[:, 0] if len(packed) else np.zeros(0, _COLUMNS)
    return {name: of_rows[name] for name in _COLUMNS.names or ()}
