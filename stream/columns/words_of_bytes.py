"""Eight bytes of a document at once, where compiled loops would look at one after another."""

from typing import Any

import numpy as np

from stream.compiled import tight
from stream.instructions import eight_bytes, zeros_below

BYTES = 8
_EACH, _HIGHEST = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_ONE = np.uint64(1)
_QUOTES, _BACKSLASHES, _BLANKS = (np.uint64(ord(sign)) * _EACH for sign in '"\\ ')


@tight
def word_at(data: Any, at: int, end: int) -> Any:
    """The bytes from `at` to before `end`, eight at most, the first in the lowest bits; what is missing is 0.

    >>> hex(word_at(np.frombuffer(b"tea,cup,tea", np.uint8), 4, 7))
    '0x707563'
    """
    left = end - at
    if at + BYTES <= len(data):
        word = eight_bytes(data, at)
        return word if left >= BYTES else word & ((_ONE << np.uint64(BYTES * left)) - _ONE)
    word = np.uint64(0)
    for place in range(min(left, BYTES)):
        word |= np.uint64(data[at + place]) << np.uint64(BYTES * place)
    return word


@tight
def is_same(data: Any, start: int, end: int, other: Any, other_start: int, other_end: int) -> Any:
    """Whether two spans of bytes are the same."""
    if end - start != other_end - other_start:
        return False
    differing = np.uint64(0)
    for at in range(0, end - start, BYTES):
        differing |= word_at(data, start + at, end) ^ word_at(other, other_start + at, other_end)
    return differing == 0


@tight
def first_not_plain(data: Any, at: int) -> Any:
    """How many of eight bytes come before the first that is a quote, a backslash or no printable ASCII; 8 if none is.

    A byte above 127 is no ASCII, so the highest bits of all differences tell. The lowest that is found is one; what a
    carry makes of those above it does not matter.
    """
    word = eight_bytes(data, at)
    quote, backslash = word ^ _QUOTES, word ^ _BACKSLASHES
    found = ((quote - _EACH) | (backslash - _EACH) | (word - _BLANKS) | (word + _EACH) | word) & _HIGHEST
    return zeros_below(found) >> np.uint64(3) if found else np.uint64(BYTES)
