"""The pieces of JSON, read by compiled loops: plain strings, whole numbers, amounts of money.

Stricter than JSON is: a piece that a reader could take for something else is none. Each returns where it ends, or
`NONE`.
"""

from typing import Any

import numpy as np

from stream.columns.words_of_bytes import BYTES, first_not_plain
from stream.compiled import tight

NONE = -1
ABSENT, NULL, STRING, NUMBER, FRACTION, TRUE, FALSE, ARRAY = range(8)
"""What a value is. `ARRAY` is the bracket that opens one."""

DIGITS_MAX = 18  # of a whole number in 64 bits
WHOLE_DIGITS_MAX, DECIMALS_MAX = 9, 9  # of an amount whose billionths are a number in 64 bits

QUOTE, BACKSLASH, COLON, COMMA, MINUS, POINT = (ord(sign) for sign in '"\\:,-.')
BRACKET, BRACKET_END, BRACE, BRACE_END = (ord(sign) for sign in "[]{}")
ZERO, NINE = ord("0"), ord("9")
FIRST_PLAIN, LAST_PLAIN = ord(" "), ord("~")
_SPACE, _TAB, _LINE, _RETURN = (ord(sign) for sign in " \t\n\r")
_SMALL_E, _LARGE_E, _N, _T, _F = (ord(sign) for sign in "eEntf")
_NULL, _TRUE, _FALSE = (tuple(word) for word in (b"null", b"true", b"false"))


@tight
def byte_at(data: Any, at: int) -> Any:
    """A byte, at a place that is not negative: as a signed number numba would ask that each time."""
    return data[np.uint64(at)]


@tight
def past_blanks(data: Any, at: int, end: int) -> int:
    """The first byte that is no blank."""
    while at < end and byte_at(data, at) <= _SPACE:
        byte = byte_at(data, at)
        if byte not in (_SPACE, _LINE, _RETURN, _TAB):
            break
        at += 1
    return at


@tight
def string_end(data: Any, at: int, end: int) -> int:
    """The quote that ends a string of printable ASCII without a backslash, whose first letter is at `at`."""
    while at + BYTES <= end:
        plain: int = np.int64(first_not_plain(data, at))  # type: ignore[assignment]  # compiled it is one
        at += plain
        if plain < BYTES:
            return at if byte_at(data, at) == QUOTE else NONE
    while at < end:
        byte = byte_at(data, at)
        if byte == QUOTE:
            return at
        if byte < FIRST_PLAIN or byte > LAST_PLAIN or byte == BACKSLASH:
            return NONE
        at += 1
    return NONE


@tight
def value_at(data: Any, at: int, end: int) -> tuple[int, int, int, int]:
    """A value: what it is; a number, or where a string begins; where a string ends; where the value ends.

    >>> value_at(np.frombuffer(b'"tea",', np.uint8), 0, 6), value_at(np.frombuffer(b"-12}", np.uint8), 0, 4)
    ((2, 1, 4, 5), (3, -12, 0, 3))
    """
    if at >= end:
        return ABSENT, 0, 0, NONE
    byte = byte_at(data, at)
    if byte == QUOTE:
        last = string_end(data, at + 1, end)
        return STRING, at + 1, last, NONE if last < 0 else last + 1
    if byte == MINUS or ZERO <= byte <= NINE:
        return _number(data, at, end)
    if byte == BRACKET:
        return ARRAY, at, 0, at
    return _word(data, at, end)


@tight
def _word(data: Any, at: int, end: int) -> tuple[int, int, int, int]:
    byte = byte_at(data, at)
    if byte == _N:
        return NULL, 0, 0, _past_word(data, at, end, _NULL)
    if byte == _T:
        return TRUE, 0, 0, _past_word(data, at, end, _TRUE)
    if byte == _F:
        return FALSE, 0, 0, _past_word(data, at, end, _FALSE)
    return ABSENT, 0, 0, NONE


@tight
def _past_word(data: Any, at: int, end: int, word: Any) -> int:
    if at + len(word) > end:
        return NONE
    for place in range(len(word)):
        if byte_at(data, at + place) != word[place]:
            return NONE
    return at + len(word)


@tight
def _number(data: Any, at: int, end: int) -> tuple[int, int, int, int]:
    negative = byte_at(data, at) == MINUS
    first = at + 1 if negative else at
    past, number = _digits(data, first, end)
    if past == first or past - first > DIGITS_MAX or (byte_at(data, first) == ZERO and (negative or past > first + 1)):
        return ABSENT, 0, 0, NONE
    if past < end and byte_at(data, past) == POINT:
        last, _ = _digits(data, past + 1, end)
        if last == past + 1 or last - past > DIGITS_MAX or (last < end and _is_exponent(byte_at(data, last))):
            return ABSENT, 0, 0, NONE
        return FRACTION, 0, 0, last
    if past < end and _is_exponent(byte_at(data, past)):
        return ABSENT, 0, 0, NONE
    return NUMBER, -number if negative else number, 0, past


@tight
def _is_exponent(byte: int) -> bool:
    return byte in (_SMALL_E, _LARGE_E)


@tight
def _digits(data: Any, at: int, end: int) -> tuple[int, int]:
    """Where digits end, and the number they are, if they are few enough."""
    number = 0
    while at < end and ZERO <= byte_at(data, at) <= NINE:
        number = number * 10 + (byte_at(data, at) - ZERO)
        at += 1
    return at, number


@tight
def billionths_in(data: Any, start: int, end: int) -> int:
    """`schemas.money.billionths` of an amount below a billion; `NONE` of a larger one and of what is none.

    >>> billionths_in(np.frombuffer(b"12.50", np.uint8), 0, 5)
    12500000000
    """
    point, whole = _digits(data, start, end)
    if point == start or point - start > WHOLE_DIGITS_MAX:
        return NONE
    if point == end:
        return whole * 1_000_000_000
    last, decimals = _digits(data, point + 1, end)
    count = last - point - 1
    if byte_at(data, point) != POINT or last != end or count < 1 or count > DECIMALS_MAX:
        return NONE
    for _ in range(DECIMALS_MAX - count):
        decimals *= 10
    return whole * 1_000_000_000 + decimals
