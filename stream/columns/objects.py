"""JSON objects, read by compiled loops: each member is judged by the rule of its field and kept in a scratch array."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.columns.grammar import (
    AMOUNT,
    BOOLEAN,
    CHANNEL,
    CURRENCY,
    DECLARED,
    HOLDS,
    LEAST,
    LINES,
    MOST,
    NULLABLE,
    REQUIRED,
    SLOT,
    TAG,
    TEXT,
    WHOLE,
)
from stream.columns.tokens import (
    ARRAY,
    BRACE,
    BRACE_END,
    COLON,
    COMMA,
    FALSE,
    NONE,
    NULL,
    NUMBER,
    QUOTE,
    STRING,
    TRUE,
    billionths_in,
    byte_at,
    past_blanks,
    string_end,
    value_at,
)
from stream.columns.words import number_of
from stream.compiled import tight

FIRST, SECOND = range(2)
"""Rows of a scratch array: where a field's text begins and ends, or its number and 1."""

SEEN = len(SLOT)
"""The column behind the fields: which fields the object has, and which as null, as bits. Others mean nothing."""


def scratch() -> NDArray[np.int64]:
    """An object that has no member yet."""
    return np.zeros((2, len(SLOT) + 1), np.int64)


@tight
def forget(object_: Any) -> None:
    """Take its members out again."""
    object_[FIRST, SEEN] = object_[SECOND, SEEN] = 0


@tight
def has(object_: Any, slot: int) -> Any:
    """Whether it has a field, and not as null."""
    return (object_[FIRST, SEEN] & ~object_[SECOND, SEEN]) >> slot & 1 == 1


@tight
def begin(data: Any, at: int, end: int) -> int:
    """The brace that begins an object; `NONE` where none is next."""
    at = past_blanks(data, at, end)
    return at if at < end and byte_at(data, at) == BRACE else NONE


@tight
def member(data: Any, at: int, end: int, fields: Any, rules: Any, channels: Any, currency: Any, object_: Any) -> int:
    """Read a key and its value; where it ends, or `NONE`. Of an array that is where it begins."""
    at = past_blanks(data, at, end)
    if at >= end or byte_at(data, at) != QUOTE:
        return NONE
    key, key_end = at + 1, string_end(data, at + 1, end)
    if key_end < 0:
        return NONE
    at = past_blanks(data, key_end + 1, end)
    if at >= end or byte_at(data, at) != COLON:
        return NONE
    what, first, second, past = value_at(data, past_blanks(data, at + 1, end), end)
    slot = number_of(data, key, key_end, fields)
    if slot >= 0 and past >= 0:
        bit = np.int64(1) << slot
        if object_[FIRST, SEEN] & bit:
            return NONE  # twice
        object_[FIRST, SEEN] |= bit
        if what == NULL:
            object_[SECOND, SEEN] |= bit
        elif not _keep(data, what, first, second, rules, channels, currency, object_, slot):
            return NONE
    return past


@tight
def past_member(data: Any, at: int, end: int) -> int:
    """The comma or the brace behind a member; `NONE` where there is another sign."""
    if at < 0:
        return NONE
    at = past_blanks(data, at, end)
    if at >= end:
        return NONE
    byte = byte_at(data, at)
    return at if byte in (COMMA, BRACE_END) else NONE


@tight
def is_complete(kind: int, sets: Any, object_: Any) -> Any:
    """Whether the fields are those of the kind."""
    seen, nulls = object_[FIRST, SEEN], object_[SECOND, SEEN]
    strange, null = seen & ~sets[DECLARED, kind], nulls & ~sets[NULLABLE, kind]
    missing = sets[REQUIRED, kind] & ~(seen & ~nulls)
    return strange == 0 and null == 0 and missing == 0


@tight
def _keep(
    data: Any, what: int, first: int, second: int, rules: Any, channels: Any, currency: Any, object_: Any, slot: int
) -> Any:
    """Keep what a member means, if it holds what it should."""
    holds, least, most = rules[slot, HOLDS], rules[slot, LEAST], rules[slot, MOST]
    if what == STRING and holds not in (TEXT, TAG):
        if holds == AMOUNT:
            first, second = billionths_in(data, first, second), 1
        elif holds == CHANNEL:
            first, second = number_of(data, first, second, channels), 1
        elif holds != CURRENCY or not _is_same(data, first, second, currency):
            return False
    elif what in (TRUE, FALSE):
        first, second = int(what == TRUE), 1
    elif what == NUMBER:
        second = 1
    object_[FIRST, slot], object_[SECOND, slot] = first, second
    if what == STRING:
        return first >= 0 and (holds != TEXT or least <= second - first <= most)
    if what == NUMBER:
        return holds == WHOLE and least <= first <= most
    if what == ARRAY:
        return holds == LINES
    return holds == BOOLEAN and (what in (TRUE, FALSE))


@tight
def _is_same(data: Any, start: int, end: int, word: Any) -> Any:
    if end - start != len(word):
        return False
    differing = 0
    for place in range(len(word)):
        differing += byte_at(data, start + place) != word[place]
    return differing == 0
