"""Logarithms and exponentials of many numbers at once, in a quarter of the time that the C library takes for each.

Plain arithmetic, which the compiler does for eight numbers in one instruction where the processor has it. No sum is
reordered and nothing fused, so that a number has the same bits alone, among others, and on every processor. Errors are
below 1e-15 of the result, or of 1 where that is larger.
"""

import math

import numpy as np
from numpy.typing import NDArray

from stream.compiled import many_at_once, tight
from stream.instructions import bits_of, float_of

FloatArray = NDArray[np.float64]

_LN2 = math.log(2.0)
_LN2_HIGH = 6.93147180369123816490e-01  # the first 33 bits, so that some thousand times it is exact
_LN2_LOW = 1.90821492927058770002e-10
_PER_LN2 = 1.0 / _LN2
_ROUNDING = 1.5 * 2.0**52  # added to a number, leaves its whole part in the last bits
_ROOT_HALF_BITS = 0x3FE6A09E667F3BCD  # of the square root of a half
_WHOLE_BITS, _WHOLE_BIAS = 0x4330000000000000, 2048  # of 2 ** 52: its last bits are a whole number
_LARGEST_EXPONENT = 708.0

_ARTANH = tuple(2.0 / odd for odd in range(19, 1, -2))
_EXPONENTIAL = tuple(1.0 / math.factorial(power) for power in range(13, -1, -1))
"""What the powers count for in the two series, the highest first."""


@tight
def _polynomial(number: float, counts: tuple[float, ...]) -> float:
    """By Horner's rule."""
    total = counts[0]
    for count in counts[1:]:
        total = total * number + count
    return total


@many_at_once
def fill_logarithms(numbers: FloatArray, count: int) -> None:
    """Let the first `count` numbers be their logarithms; each is finite and at least 1e-300.

    A number is 2 ** k * m with m from sqrt(1/2) to sqrt(2), and log m is 2 artanh((m - 1) / (m + 1)).

    >>> numbers = np.array([1.0, 10.0])
    >>> fill_logarithms(numbers, 2)
    >>> numbers.round(6).tolist()
    [0.0, 2.302585]
    """
    for i in range(count):
        bits = bits_of(numbers[i])
        power = (bits - _ROOT_HALF_BITS) >> 52
        m = float_of(bits - (power << 52))
        k = float_of((power + _WHOLE_BIAS) | _WHOLE_BITS) - (2.0**52 + _WHOLE_BIAS)
        s = (m - 1.0) / (m + 1.0)
        z = s * s
        series = _polynomial(z, _ARTANH)
        numbers[i] = k * _LN2 + (series * z * s + 2.0 * s)


@many_at_once
def fill_exponentials(numbers: FloatArray, count: int) -> None:
    """Let the first `count` numbers be e to their power; beyond 708 and -708 as there.

    A number is k log 2 + r with r from -log(2) / 2 to log(2) / 2; e ** r by its series.

    >>> numbers = np.array([0.0, 1.0, -1.0])
    >>> fill_exponentials(numbers, 3)
    >>> numbers.round(6).tolist()
    [1.0, 2.718282, 0.367879]
    """
    for i in range(count):
        number = min(max(numbers[i], -_LARGEST_EXPONENT), _LARGEST_EXPONENT)
        rounded = number * _PER_LN2 + _ROUNDING
        k = rounded - _ROUNDING
        r = number - k * _LN2_HIGH - k * _LN2_LOW
        numbers[i] = _polynomial(r, _EXPONENTIAL) * float_of((bits_of(rounded) + 1023) << 52)
