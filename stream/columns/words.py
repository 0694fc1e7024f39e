"""Finding one of some known words in the bytes of a document, as compiled loops do it: one look, one comparison."""

from collections.abc import Mapping, Sequence
from itertools import chain, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.columns.words_of_bytes import BYTES, word_at
from stream.compiled import tight

NO_WORD = -1

_FACTORS = (1, 3, 5, 7, 11, 13, 17, 31, 61)
_PLACES, _FIRST_PLACE, _FIRST_WORD = 512, 4, 516


def words_of(numbers: Mapping[str, int]) -> NDArray[np.int64]:
    """Words that differ in length, first, middle or last letter, each at a place of its own.

    They are one array, since a loop is compiled to something slower for each array that it is given: four factors, for
    each place where its word begins (0: it has none), and each word as its number, its length and its letters,
    eight in a number.

    Args:
        numbers: word, not empty -> what `number_of` says of it.

    Raises:
        ValueError: some do not differ.
    """
    for factors in product(_FACTORS, repeat=4):
        places = [_place(word.encode(), factors) for word in numbers]
        if len(set(places)) == len(places):
            entries = [[number, len(word.encode()), *_letters(word)] for word, number in numbers.items()]
            begins = np.cumsum([_FIRST_WORD, *map(len, entries)])
            at = np.zeros(_PLACES, np.int64)
            at[places] = begins[:-1]
            return np.array([*factors, *at.tolist(), *chain(*entries)], np.int64)
    raise ValueError(f"no place of its own for each of {', '.join(numbers)}")


def _letters(word: str) -> list[int]:
    data = word.encode()
    padded = data.ljust(-(-len(data) // BYTES) * BYTES, b"\0")
    return [int(number) for number in np.frombuffer(padded, np.int64)]


def _place(word: bytes, factors: Sequence[int]) -> int:
    length, first, middle, last = factors
    return (len(word) * length + word[0] * first + word[len(word) // 2] * middle + word[-1] * last) % _PLACES


@tight
def number_of(data: Any, start: int, end: int, words: Any) -> Any:
    """The number of the word that these bytes are; `NO_WORD` where they are none.

    >>> number_of(np.frombuffer(b"type", np.uint8), 0, 4, words_of({"event_id": 5, "type": 7}))
    7
    """
    length = end - start
    if length < 1:
        return NO_WORD
    first, middle, last = _byte(data, start), _byte(data, start + (length >> 1)), _byte(data, end - 1)
    place = length * words[0] + first * words[1] + middle * words[2] + last * words[3]
    begin = words[np.uint64(_FIRST_PLACE + (place & (_PLACES - 1)))]
    if begin == 0 or words[np.uint64(begin + 1)] != length:
        return NO_WORD
    differing, letters = np.uint64(0), begin + 2
    for at in range(start, end, BYTES):
        differing |= word_at(data, at, end) ^ np.uint64(words[np.uint64(letters)])
        letters += 1
    return words[np.uint64(begin)] if differing == 0 else np.int64(NO_WORD)


@tight
def _byte(data: Any, at: int) -> Any:
    return np.int64(data[np.uint64(at)])  # as a signed number numba would ask whether it is negative
