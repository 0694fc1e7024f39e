"""The days on which a customer bought: a bitmap of the 512 days up to the last purchase day.

Bit k of the words, counted from the first word's lowest bit, is the day k days before the last purchase day. What is
older leaves no trace: a count carried along would not merge with events that come late.
"""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
WordArray = NDArray[np.uint64]


def shifted(words: WordArray, days: IntArray) -> WordArray:
    """Bitmaps seen from a last day that is `days` later: every bit moves up, what passes the end is gone.

    >>> shifted(np.array([[1 << 63, 0, 0, 0, 0, 0, 0, 1]], np.uint64), np.array([65]))[0].tolist()
    [0, 0, 1, 0, 0, 0, 0, 0]
    """
    width = words.shape[1]
    whole = np.minimum(days >> 6, width)[:, None]
    part = (days & 63).astype(np.uint64)[:, None]
    padded = np.zeros((len(words), 2 * width + 1), np.uint64)
    padded[:, width + 1 :] = words
    source = np.arange(width + 1, 2 * width + 1) - whole
    each = np.arange(len(words))[:, None]
    from_below = (padded[each, source - 1] >> np.uint64(1)) >> (np.uint64(63) - part)  # a shift by 64 is undefined in C
    moved: WordArray = (padded[each, source] << part) | from_below
    return moved


def count_days(words: WordArray) -> IntArray:
    """How many days are set, shape (customers,). `words` has shape (words, customers).

    >>> count_days(np.array([[0b1011], [1]], np.uint64)).tolist()
    [4]
    """
    days: IntArray = np.bitwise_count(words).sum(axis=0, dtype=np.int64)
    return days


def count_days_younger(words: WordArray, age_days: IntArray) -> IntArray:
    """How many days are set that lie less than `age_days` before the last purchase day, shape (customers,).

    >>> count_days_younger(np.array([[0b1011, 1, 3 << 62], [1, 1, 1]], np.uint64), np.array([3, 65, 63])).tolist()
    [2, 2, 1]
    """
    bits = np.clip(age_days - 64 * np.arange(len(words))[:, None], 0, 64).astype(np.uint64)
    younger = np.where(bits < 64, (np.uint64(1) << (bits & np.uint64(63))) - np.uint64(1), ~np.uint64(0))
    return count_days(words & younger)


def oldest_age_days(words: WordArray) -> IntArray:
    """Days from the oldest set day to the last purchase day, shape (customers,); -1 where nothing is set.

    >>> oldest_age_days(np.array([[0b1011, 1, 0], [0, 1, 0]], np.uint64)).tolist()
    [3, 64, -1]
    """
    width = len(words)
    highest = width - 1 - (words[::-1] != 0).argmax(axis=0)
    word = words[highest, np.arange(words.shape[1])]
    upper, lower = (word >> np.uint64(32)).astype(np.float64), (word & np.uint64(0xFFFF_FFFF)).astype(np.float64)
    bits = np.where(upper > 0, np.frexp(upper)[1] + 32, np.frexp(lower)[1])  # frexp's exponent is the bit length
    age: IntArray = np.where(word != 0, highest * 64 + bits - 1, -1)
    return age
