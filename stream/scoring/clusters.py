"""Nearest centre, with a margin so that a customer between two segments does not flicker."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from stream.customers.segments import CODE_OF, Standing, fits
from stream.features.columns import SEGMENT_COLUMNS
from stream.scoring.documents import SegmentDocument

FloatArray = NDArray[np.float64]
Codes = NDArray[np.uint8]

MARGIN = 0.4
"""Of a distance. In a year of Online Retail II 2.9 changes per customer-year; 3.2 with .35, 4.6 with .15."""


def assign(document: SegmentDocument, matrix: FloatArray, current: Codes) -> Codes:
    """Segment codes of customers, given the ones they have.

    A customer moves only when the nearest centre of another name is at least `MARGIN` nearer than the nearest centre of
    its own; a customer whose name no centre has goes to the nearest. Centres whose name does not fit the customer
    (`fits`) do not count, unless there are no others.

    Args:
        document: the named centres.
        matrix: shape (customers, len(document.columns)), as `segment_matrix` gives it.
        current: shape (customers,), indices into `SEGMENTS`; 0 (Unsegmented) is nobody's name.

    Returns:
        Shape (customers,), u1 indices into `SEGMENTS`.

    >>> document = SegmentDocument(
    ...     version="1", epoch_day=0, layout="", columns=("spend",), means=(0.0,), scales=(1.0,),
    ...     centres=((0.0,), (10.0,)), names=("Need Attention", "Champions"), samples=2)
    >>> assign(document, np.array([[6.0], [6.0], [7.0]]), np.array([0, 6, 6], dtype=np.uint8))
    array([1, 6, 1], dtype=uint8)
    """
    names, centres = _centres(document)
    distances = _fitting(document, names, matrix, _distances(document, centres, matrix))
    own = names[:, None] == current
    nearest_own = np.where(own, distances, np.inf).min(axis=0)
    others = np.where(own, np.inf, distances)
    moves = others.min(axis=0) < (1.0 - MARGIN) * nearest_own
    return np.where(moves, names[others.argmin(axis=0)], current).astype(np.uint8)


def _fitting(document: SegmentDocument, names: Codes, matrix: FloatArray, distances: FloatArray) -> FloatArray:
    """The distances, infinite to centres whose name does not fit; documents of other columns fit everybody."""
    if document.columns != SEGMENT_COLUMNS:
        return distances
    silence, frequency, spend, tenure = matrix.T
    means, scales = document.means, document.scales
    standing = Standing(
        np.expm1(silence), (frequency - means[1]) / scales[1], (spend - means[2]) / scales[2], np.expm1(tenure)
    )
    fitting = fits(names, standing)
    return np.where(fitting | ~fitting.any(axis=0), distances, np.inf)


@lru_cache(maxsize=8)  # one document is in force at a time
def _centres(document: SegmentDocument) -> tuple[Codes, FloatArray]:
    """Codes of the centres' names, shape (centres,), and their places, shape (columns, centres, 1)."""
    names = np.array([CODE_OF[name] for name in document.names], dtype=np.uint8)
    return names, np.array(document.centres).T[:, :, None].copy()


def _distances(document: SegmentDocument, centres: FloatArray, matrix: FloatArray) -> FloatArray:
    """Euclidean distances, shape (centres, customers), added column by column: one row gets the bits of many."""
    squares = np.zeros((len(document.centres), len(matrix)))
    for column, centre, mean, scale in zip(matrix.T, centres, document.means, document.scales, strict=True):
        squares += ((column - mean) / scale - centre) ** 2
    return np.sqrt(squares)
