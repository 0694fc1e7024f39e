"""Nearest centre, with a margin so that a customer between two segments does not flicker."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled, making_arrays
from stream.customers.segments import CODE_OF, fits, standing
from stream.features.model_columns import SEGMENT_COLUMNS
from stream.scoring.documents import SegmentDocument

FloatArray = NDArray[np.float64]
Codes = NDArray[np.uint8]

MARGIN = 0.4
"""Of a distance. In a year of Online Retail II 2.9 changes per customer-year; 3.2 with .35, 4.6 with .15."""

ROUNDING = 1e-9  # of a distance: what adding in another order may change it by, and more

_fits, _standing = compiled(fits), compiled(standing)


class Centres(NamedTuple):
    """A document for compiled code.

    Attributes:
        codes: shape (centres,), of their names.
        places: shape (centres, columns), in units of the columns.
        means, per_scale: shape (columns,); distances are measured in scales, `per_scale` is one over them.
        judged: whether only centres count whose name fits the customer; not with other columns than `SEGMENT_COLUMNS`.
    """

    codes: Codes
    places: FloatArray
    means: FloatArray
    per_scale: FloatArray
    judged: bool


def assign(document: SegmentDocument, matrix: FloatArray, current: Codes) -> Codes:
    """Segment codes of customers, given the ones they have.

    A customer moves only when the nearest centre of another name is at least `MARGIN` nearer than the nearest centre of
    its own; a customer whose name no centre has goes to the nearest. Centres whose name does not fit the customer
    (`fits`) do not count, unless there are no others.

    Args:
        document: the named centres.
        matrix: shape (customers, len(document.columns)), as `segments_of` gives it.
        current: shape (customers,), indices into `SEGMENTS`; 0 (Unsegmented) is nobody's name.

    Returns:
        Shape (customers,), u1 indices into `SEGMENTS`.

    >>> document = SegmentDocument(
    ...     version="1", epoch_day=0, layout="", columns=("spend",), means=(0.0,), scales=(1.0,),
    ...     centres=((0.0,), (10.0,)), names=("Need Attention", "Champions"), samples=2)
    >>> assign(document, np.array([[6.0], [6.0], [7.0]]), np.array([0, 6, 6], dtype=np.uint8))
    array([1, 6, 1], dtype=uint8)
    """
    return _assign(np.ascontiguousarray(matrix), np.ascontiguousarray(current), centres_of(document))


@lru_cache(maxsize=8)  # one document is in force at a time
def centres_of(document: SegmentDocument | None) -> Centres:
    """The document's centres; none before the first document, so that everybody keeps what it has."""
    if document is None:
        none = np.zeros((0, len(SEGMENT_COLUMNS)))
        return Centres(np.zeros(0, np.uint8), none, none.sum(axis=0), none.sum(axis=0), judged=True)
    means, scales = np.array(document.means, np.float64), np.array(document.scales, np.float64)
    return Centres(
        codes=np.array([CODE_OF[name] for name in document.names], np.uint8),
        places=np.array(document.centres, np.float64) * scales + means,
        means=means,
        per_scale=1.0 / scales,
        judged=document.columns == SEGMENT_COLUMNS,
    )


@compiled
def assigned(place: FloatArray, current: int, centres: Centres) -> int:
    """The code of a customer at this place who has the code `current`, by the rule of `assign`.

    >>> spend = np.array([[0.0], [10.0]])
    >>> centres = Centres(np.array([1, 6], np.uint8), spend, np.zeros(1), np.ones(1), judged=False)
    >>> [assigned(np.array([place]), 6, centres) for place in (6.0, 4.0, 3.0)]
    [6, 6, 1]
    """
    own, other, nearest = _distances(place, current, centres)
    return nearest if other < (1.0 - MARGIN) * own else current


@compiled
def stays(first: FloatArray, last: FloatArray, middle: FloatArray, current: int, centres: Centres) -> bool:
    """Whether a customer surely keeps its segment on the way from one place to another.

    Every column only rises or only falls on the way, so that the customer never leaves the box between the two places,
    and no distance differs from the box's middle by more than half its diagonal.

    Args:
        first, last: shape (columns,).
        middle: shape (columns,), is overwritten.
        current: the code it has.
        centres: in force.
    """
    if centres.judged and len(centres.codes) and not _stands_alike(first, last, middle, centres):
        return False
    squares = 0.0
    for column in range(len(first)):
        middle[column] = (first[column] + last[column]) / 2
        squares += ((last[column] - first[column]) / 2 * centres.per_scale[column]) ** 2
    reach = math.sqrt(squares)
    own, other, _ = _distances(middle, current, centres)
    return other - reach >= (1.0 - MARGIN) * (own + reach) + ROUNDING * (own + reach)


@compiled
def _distances(place: FloatArray, current: int, centres: Centres) -> tuple[float, float, int]:
    """Distances to the nearest centres of the own name and of another, and the other's code."""
    silent, good, settled = _standing_at(place, centres)
    any_fits = False
    for code in centres.codes:
        any_fits |= _fits(code, silent, good, settled)
    own, other, nearest = math.inf, math.inf, current
    for centre in range(len(centres.codes)):
        code = centres.codes[centre]
        if any_fits and not _fits(code, silent, good, settled):
            continue
        squares = 0.0
        for column in range(len(place)):
            squares += ((place[column] - centres.places[centre, column]) * centres.per_scale[column]) ** 2
        if code == current:
            own = min(own, squares)
        elif squares < other:
            other, nearest = squares, code
    return math.sqrt(own), math.sqrt(other), nearest


@compiled
def _standing_at(place: FloatArray, centres: Centres) -> tuple[bool, bool, bool]:
    """What `fits` goes by; with columns of other documents a name fits everybody."""
    if not centres.judged:
        return False, False, False
    frequency = (place[1] - centres.means[1]) * centres.per_scale[1]
    spend = (place[2] - centres.means[2]) * centres.per_scale[2]
    return _standing(place[0], frequency, spend, place[3])


@compiled
def _stands_alike(first: FloatArray, last: FloatArray, corner: FloatArray, centres: Centres) -> bool:
    """Whether what `fits` goes by is the same all over the box between two places: it only rises with each column."""
    for column in range(len(first)):
        corner[column] = min(first[column], last[column])
    lowest = _standing_at(corner, centres)
    for column in range(len(first)):
        corner[column] = max(first[column], last[column])
    return lowest == _standing_at(corner, centres)


@making_arrays
def _assign(matrix: FloatArray, current: Codes, centres: Centres) -> Codes:
    codes = np.empty(len(matrix), np.uint8)
    for i in range(len(matrix)):
        codes[i] = assigned(matrix[i], current[i], centres)
    return codes
