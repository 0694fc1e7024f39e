"""The days on which a customer bought: a bitmap of the 512 days up to the last purchase day.

Bit k of the words, counted from the first word's lowest bit, is the day k days before the last purchase day. What is
older leaves no trace: a count carried along would not merge with events that come late.
"""

import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled

IntArray = NDArray[np.int64]
WordArray = NDArray[np.uint64]


def shifted(words: WordArray, days: IntArray) -> WordArray:
    """Bitmaps seen from a last day that is `days` later: every bit moves up, what passes the end is gone.

    >>> shifted(np.array([[1 << 63, 0, 0, 0, 0, 0, 0, 1]], np.uint64), np.array([65]))[0].tolist()
    [0, 0, 1, 0, 0, 0, 0, 0]
    """
    moved = np.array(words, order="C")
    _shift_each(moved, days)
    return moved


@compiled
def _shift_each(words: WordArray, days: IntArray) -> None:
    for row in range(len(days)):
        shift(words[row], days[row])


@compiled
def shift(words: WordArray, days: int) -> None:
    """Move the bitmap of one customer, shape (words,), up by that many days, in place."""
    whole, part = min(days >> 6, len(words)), np.uint64(days & 63)
    for place in range(len(words) - 1, -1, -1):
        moved = words[place - whole] << part if place >= whole else np.uint64(0)
        if part and place > whole:
            moved |= words[place - whole - 1] >> (np.uint64(64) - part)
        words[place] = moved


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


@compiled
def days_set(words: WordArray) -> int:
    """How many days the bitmap of one customer has, shape (words,).

    >>> days_set(np.array([0b1011, 1], np.uint64))
    4
    """
    days = 0
    for word in words:
        left = word
        while left:
            left &= left - np.uint64(1)  # takes out the lowest day
            days += 1
    return days


@compiled
def oldest_age_days(words: WordArray) -> int:
    """Days from the oldest set day to the last purchase day; -1 where nothing is set. `words` has shape (words,).

    >>> [oldest_age_days(np.array(words, np.uint64)) for words in ([0b1011, 0], [1, 1], [0, 0])]
    [3, 64, -1]
    """
    for place in range(len(words) - 1, -1, -1):
        if words[place]:
            age, left = place * 64 - 1, words[place]
            while left:
                left >>= np.uint64(1)
                age += 1
            return age
    return -1
