"""JSON objects, read by compiled loops: members one after another into a scratch array, then judged by a kind's rules."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offline.columns import tokens
from offline.columns.grammar import (
    AMOUNT,
    BOOLEAN,
    CHANNEL,
    CURRENCY,
    FIELDS,
    HOLDS,
    LEAST,
    LINES,
    MOST,
    NULLABLE,
    REQUIRED,
    TAG,
    TEXT,
    WHOLE,
)
from offline.columns.tokens import ABSENT, ARRAY, FALSE, NONE, NULL, NUMBER, STRING, TRUE
from offline.columns.words import number_of
from stream.compiled import compiled

WHAT, FIRST, SECOND, NAMED = range(4)
"""Rows of a scratch array: what a field's value is, its two numbers; behind the count at 0, which fields there are."""


def scratch() -> NDArray[np.int64]:
    """An object that has no member yet: columns are fields, by their place in `FIELDS`."""
    return np.zeros((4, len(FIELDS) + 1), np.int64)


@compiled
def forget(object_: Any) -> None:
    """Take its members out again."""
    for place in range(1, object_[NAMED, 0] + 1):
        slot = object_[NAMED, place]
        object_[WHAT, slot] = object_[FIRST, slot] = object_[SECOND, slot] = 0
    object_[NAMED, 0] = 0


@compiled
def member(data: Any, at: int, end: int, fields: Any, object_: Any) -> int:
    """Read a key and its value; where it ends, or `NONE`. Of an array that is where it begins."""
    at = tokens.past_blanks(data, at, end)
    if at >= end or data[at] != tokens.QUOTE:
        return NONE
    key_end = tokens.string_end(data, at + 1, end)
    if key_end < 0:
        return NONE
    slot = number_of(data, at + 1, key_end, fields)
    at = tokens.past_blanks(data, key_end + 1, end)
    if at >= end or data[at] != tokens.COLON:
        return NONE
    what, first, second, past = tokens.value_at(data, tokens.past_blanks(data, at + 1, end), end)
    if slot >= 0 and past >= 0:
        if object_[WHAT, slot] != ABSENT:
            return NONE  # twice
        object_[WHAT, slot], object_[FIRST, slot], object_[SECOND, slot] = what, first, second
        object_[NAMED, 0] += 1
        object_[NAMED, object_[NAMED, 0]] = slot
    return past


@compiled
def past_member(data: Any, at: int, end: int) -> int:
    """The comma or the brace behind a member; `NONE` where there is another sign."""
    if at < 0:
        return NONE
    at = tokens.past_blanks(data, at, end)
    return at if at < end and (data[at] == tokens.COMMA or data[at] == tokens.BRACE_END) else NONE


@compiled
def is_sound(data: Any, kind: int, rules: Any, required: Any, channels: Any, currency: Any, object_: Any) -> bool:
    """Whether the members are those of the kind; what they mean takes the place of their text."""
    found = 0
    for place in range(1, object_[NAMED, 0] + 1):
        slot = object_[NAMED, place]
        rule = rules[kind, slot]
        if object_[WHAT, slot] == NULL:
            if not rule[NULLABLE]:
                return False
            object_[WHAT, slot] = ABSENT
            continue
        if not _holds(data, rule, channels, currency, object_, slot):
            return False
        found += rule[REQUIRED]
    return found == required[kind]


@compiled
def _holds(data: Any, rule: Any, channels: Any, currency: Any, object_: Any, slot: int) -> bool:
    """Whether a member holds what it should."""
    holds, what, first, second = rule[HOLDS], object_[WHAT, slot], object_[FIRST, slot], object_[SECOND, slot]
    if holds == TEXT:
        return what == STRING and rule[LEAST] <= second - first <= rule[MOST]
    if holds == TAG:
        return what == STRING
    if holds == CURRENCY:
        return what == STRING and _is_same(data, first, second, currency)
    if holds == LINES:
        return what == ARRAY
    object_[SECOND, slot] = 1
    if holds == WHOLE:
        return what == NUMBER and rule[LEAST] <= first <= rule[MOST]
    if holds == BOOLEAN:
        object_[FIRST, slot] = what == TRUE
        return what == TRUE or what == FALSE
    if what != STRING:
        return False
    if holds == AMOUNT:
        object_[FIRST, slot] = tokens.billionths_in(data, first, second)
        return object_[FIRST, slot] >= 0
    object_[FIRST, slot] = number_of(data, first, second, channels)
    return holds == CHANNEL and object_[FIRST, slot] >= 0


@compiled
def _is_same(data: Any, start: int, end: int, word: Any) -> bool:
    if end - start != len(word):
        return False
    for place in range(len(word)):
        if data[start + place] != word[place]:
            return False
    return True
