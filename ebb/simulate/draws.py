"""Random numbers that depend on what they are for, not on when they are drawn.

A draw is a hash of the seed, its purpose and its counters (customer, day, place): the order of drawing, the size of a
batch and the machine do not matter. Distributions are tables of rounded quantiles, so that no logarithm of a
mathematics library reaches the output. The hash is the finaliser of SplitMix64: Steele, Lea and Flood, OOPSLA 2014.
"""

import math
import zlib
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
_Bits = NDArray[np.uint64]

QUANTILES = 4_096  # the largest exponential draw is 9 times the mean
_MIDPOINTS = [(place + 0.5) / QUANTILES for place in range(QUANTILES)]
EXPONENTIAL = np.array([round(-math.log(1 - p), 6) for p in _MIDPOINTS])
NORMAL = np.array([round(NormalDist().inv_cdf(p), 6) for p in _MIDPOINTS])
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_TO_UNIT = 2.0**-53


class Draws:
    """All randomness of a shop.

    >>> draws = Draws(seed=1)
    >>> alone = draws.uniform("need", np.array([7]), 3)
    >>> bool(alone[0] == draws.uniform("need", np.arange(10), 3)[7])
    True
    """

    def __init__(self, seed: int) -> None:
        self._seed = np.uint64(seed % 2**64)

    def bits(self, purpose: str, *counters: ArrayLike) -> _Bits:
        """64 random bits for each combination of counters, which broadcast."""
        with np.errstate(over="ignore"):
            hashed: Any = _mixed(self._seed ^ (np.uint64(zlib.crc32(purpose.encode())) * _GOLDEN))
            for counter in counters:
                hashed = _mixed(hashed ^ (np.asarray(counter).astype(np.uint64) * _GOLDEN))
        return np.atleast_1d(hashed)

    def uniform(self, purpose: str, *counters: ArrayLike) -> FloatArray:
        """From 0 to below 1."""
        return np.asarray((self.bits(purpose, *counters) >> np.uint64(11)) * _TO_UNIT, np.float64)

    def exponential(self, purpose: str, *counters: ArrayLike) -> FloatArray:
        """With mean 1."""
        return EXPONENTIAL[self._places(purpose, *counters)]

    def gamma4(self, purpose: str, *counters: ArrayLike) -> FloatArray:
        """Gamma of shape 4 with mean 1: the mean of four exponential draws."""
        bits = self.bits(purpose, *counters)
        places = [(bits >> np.uint64(shift)).astype(np.intp) % QUANTILES for shift in (0, 13, 26, 39)]
        return np.asarray(sum(EXPONENTIAL[place] for place in places) / 4, np.float64)

    def normal(self, purpose: str, *counters: ArrayLike) -> FloatArray:
        """With mean 0 and standard deviation 1."""
        return NORMAL[self._places(purpose, *counters)]

    def below(self, count: int, purpose: str, *counters: ArrayLike) -> IntArray:
        """Whole numbers from 0 to below `count`."""
        return np.asarray(self.uniform(purpose, *counters) * count, np.int64)

    def choice(self, shares: Sequence[float] | FloatArray, purpose: str, *counters: ArrayLike) -> IntArray:
        """Places in `shares`, each as often as its share says."""
        cumulative = np.cumsum(np.asarray(shares, np.float64))
        found = np.searchsorted(cumulative, self.uniform(purpose, *counters) * cumulative[-1], side="right")
        return np.asarray(np.minimum(found, len(cumulative) - 1), np.int64)

    def _places(self, purpose: str, *counters: ArrayLike) -> NDArray[np.intp]:
        return (self.bits(purpose, *counters) >> np.uint64(52)).astype(np.intp)


def quantile_power(base: float, exponents: FloatArray) -> FloatArray:
    """`base` to powers within ±4 in steps of 1/64, from a rounded table: lognormal draws without a library's `exp`.

    >>> quantile_power(4.0, np.array([0.5, -1.0]))
    array([2.  , 0.25])
    """
    table = np.array([round(base ** (step / 64), 6) for step in range(-256, 257)])
    return table[np.clip(np.rint(exponents * 64), -256, 256).astype(np.intp) + 256]


def spread(counts: IntArray) -> tuple[NDArray[np.intp], IntArray]:
    """For `counts[i]` items of each i, all items in order: whose they are, and their number within that.

    >>> spread(np.array([2, 0, 1]))
    (array([0, 0, 2]), array([0, 1, 0]))
    """
    owner = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - starts[owner]


def _mixed(bits: Any) -> Any:
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return bits ^ (bits >> np.uint64(31))
