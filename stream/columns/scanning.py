"""JSON records of events as columns, by a compiled loop that takes only what is certainly an event and typical.

A record it takes has the kind, the fields and the bounds of `stream.columns.grammar`, each of its keys once, plain
ASCII without a backslash throughout, nothing nested but the lines of an order, version 1, and numbers that fit. Whether
it came at a time that is allowed is for others to say. Whatever else a record is, it is not taken.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.rules import READABLE_VERSION
from stream.columns.grammar import LEAST_BOUGHT, LINE, OF_EVENT, OF_LINE, SLOT, carried, grammar
from stream.columns.objects import FIRST, SECOND, begin, forget, has, is_complete, member, past_member, scratch
from stream.columns.tokens import BRACE_END, BRACKET, BRACKET_END, COMMA, NONE, byte_at, past_blanks
from stream.columns.words import number_of
from stream.compiled import tight
from stream.features.facts import LOYALTY_CHANGE, PROFILE, PURCHASE, REFUND, REVIEW, SESSION

IntArray = NDArray[np.int64]
TAKEN_BELOW = 2**61  # billionths of an order: what 64 bits hold with room, and no currency has too much
SHORTEST_LINE = len('{"product_id":"","quantity":1,"unit_price":""}')

_TYPE, _LINES_SLOT, _VERSION = SLOT["type"], SLOT["lines"], SLOT["schema_version"]
_ID, _CUSTOMER, _TIME, _CHANNEL = SLOT["event_id"], SLOT["customer_id"], SLOT["event_time_ms"], SLOT["channel"]
_PRODUCT, _QUANTITY, _PRICE = SLOT["product_id"], SLOT["quantity"], SLOT["unit_price"]
_DISCOUNT, _CATEGORY = SLOT["discount"], SLOT["category"]
_FIELDS, _ANY_CHANNEL = len(SLOT), 1  # the first one is that of an order which names none


class Records(NamedTuple):
    """A column of each, shape (records,). Places are those of bytes; a text that is not there begins and ends at 0.

    Attributes:
        kind: a code of `KIND_CODES`; 0 of what was not taken, whose other columns mean nothing.
        time_ms: of the event.
        id_start, id_end, customer_start, customer_end: where the text lies.
        channel: of orders and refunds, a code of `EventFacts.channel`.
        first_line, past_lines: which of `Lines` are its own.
        detail: which of `Scanned.details` is its own, of the kinds that have one.
    """

    kind: IntArray
    time_ms: IntArray
    id_start: IntArray
    id_end: IntArray
    customer_start: IntArray
    customer_end: IntArray
    channel: IntArray
    first_line: IntArray
    past_lines: IntArray
    detail: IntArray


class Lines(NamedTuple):
    """Lines of orders and refunds: places of text, pieces, and billionths of a major unit."""

    product_start: IntArray
    product_end: IntArray
    quantity: IntArray
    price: IntArray
    discount: IntArray
    category_start: IntArray
    category_end: IntArray


class Scanned(NamedTuple):
    """What a scan has found.

    Attributes:
        records: of all records.
        lines: of what was taken.
        details: shape (sessions, reviews, loyalty changes and profiles, fields, 2); a text's places, or a number and 1,
            both 0 of what is not there.
    """

    records: Records
    lines: Lines
    details: IntArray


def scan(
    data: NDArray[np.uint8], starts: IntArray, ends: IntArray, topics: Sequence[str], topic: IntArray, currency: str
) -> Scanned:
    """Read records.

    Args:
        data: the bytes of all of them.
        starts, ends: shape (records,), where the JSON of each lies.
        topics: names of topics of events.
        topic: shape (records,), the place of each record's among them; kinds that it does not carry are not taken.
        currency: of orders; those of others are not taken.
    """
    records = np.zeros((len(Records._fields), len(starts)), np.int64)
    lines = np.empty((int((ends - starts).sum()) // SHORTEST_LINE + 1, len(Lines._fields)), np.int64)
    details = np.empty((len(starts), _FIELDS, 2), np.int64)  # memory that is not written to costs nothing
    carried_by = np.array([carried(name) for name in topics])
    code = np.frombuffer(currency.encode(), np.uint8)
    line_count, detail_count = _scan(
        data, starts, ends, topic, carried_by, *grammar(), code, scratch(), scratch(), records, lines, details
    )
    return Scanned(Records(*records), Lines(*lines[:line_count].T), details[:detail_count])


@tight
def _scan(
    data: Any, starts: Any, ends: Any, topic: Any, carried_by: Any, fields: Any, kinds: Any, channels: Any, rules: Any,
    sets: Any, currency: Any, record: Any, line: Any, records: Any, lines: Any, details: Any,
) -> tuple[int, int]:  # fmt: skip
    """How many lines and details there are."""
    line_count, detail_count = 0, 0
    for row in range(len(starts)):
        at, past_lines = _read_event(
            data, starts[row], ends[row], fields, channels, rules, sets, currency, record, line, lines, line_count
        )
        if at < 0 or not has(record, _TYPE):
            continue
        kind = number_of(data, record[FIRST, _TYPE], record[SECOND, _TYPE], kinds)
        if (
            kind > 0
            and carried_by[topic[row], kind]
            and is_complete(kind, sets, record)
            and (not has(record, _VERSION) or record[FIRST, _VERSION] == READABLE_VERSION)
            and (kind != PURCHASE or _least_quantity(lines, line_count, past_lines) >= LEAST_BOUGHT)
        ):
            _keep(records, row, kind, record, line_count, past_lines, detail_count)
            line_count = past_lines
            if kind in (SESSION, REVIEW, LOYALTY_CHANGE, PROFILE):
                _keep_details(details, detail_count, record)
                detail_count += 1
    return line_count, detail_count


@tight
def _read_event(
    data: Any, at: int, end: int, fields: Any, channels: Any, rules: Any, sets: Any, currency: Any,
    record: Any, line: Any, lines: Any, count: int,
) -> tuple[int, int]:  # fmt: skip
    """Read a record's members, and its lines behind `count`; `NONE` where it is no object alone, and how many lines."""
    forget(record)
    at = begin(data, at, end)
    while at >= 0:
        at = member(data, at + 1, end, fields, rules[OF_EVENT], channels, currency, record)
        if 0 <= at < end and byte_at(data, at) == BRACKET:
            if not has(record, _LINES_SLOT) or record[FIRST, _LINES_SLOT] != at:
                return NONE, count
            at, count = _read_lines(data, at, end, fields, channels, rules, sets, currency, line, lines, count)
        at = past_member(data, at, end)
        if at >= 0 and byte_at(data, at) == BRACE_END:
            return at if past_blanks(data, at + 1, end) == end else NONE, count
    return NONE, count


@tight
def _read_lines(
    data: Any, at: int, end: int, fields: Any, channels: Any, rules: Any, sets: Any, currency: Any,
    line: Any, lines: Any, count: int,
) -> tuple[int, int]:  # fmt: skip
    """Read an array of lines; where it ends, and how many lines there are then. `NONE` where one is not sound."""
    total = 0
    while True:
        at = _read_line(data, at + 1, end, fields, rules[OF_LINE], channels, currency, line)
        worth = _worth(line) if at >= 0 and is_complete(LINE, sets, line) else NONE
        total += worth
        if worth < 0 or total > TAKEN_BELOW:
            return NONE, count
        _keep_line(lines, count, line)
        count += 1
        at = past_blanks(data, at + 1, end)
        if at < end and byte_at(data, at) == BRACKET_END:
            return at + 1, count
        if at >= end or byte_at(data, at) != COMMA:
            return NONE, count


@tight
def _read_line(data: Any, at: int, end: int, fields: Any, rules: Any, channels: Any, currency: Any, line: Any) -> int:
    """Read an object in which nothing is nested; where its last brace is."""
    forget(line)
    at = begin(data, at, end)
    while at >= 0:
        at = past_member(data, member(data, at + 1, end, fields, rules, channels, currency, line), end)
        if at >= 0 and byte_at(data, at) == BRACE_END:
            break
    return at


@tight
def _number(object_: Any, slot: int) -> Any:
    """A member's number, or where its text begins; 0 where there is none."""
    return object_[FIRST, slot] if has(object_, slot) else np.int64(0)


@tight
def _end(object_: Any, slot: int) -> Any:
    return object_[SECOND, slot] if has(object_, slot) else np.int64(0)


@tight
def _worth(line: Any) -> Any:
    """Billionths of a line before its discount; `NONE` where the discount is more, or it is nothing or too much."""
    price, pieces = line[FIRST, _PRICE], abs(line[FIRST, _QUANTITY])
    if pieces == 0 or price > TAKEN_BELOW // pieces or _number(line, _DISCOUNT) > price * pieces:
        return np.int64(NONE)
    return price * pieces


@tight
def _keep_line(lines: Any, row: int, line: Any) -> None:
    """`Lines`."""
    lines[row, 0], lines[row, 1] = line[FIRST, _PRODUCT], line[SECOND, _PRODUCT]
    lines[row, 2], lines[row, 3] = line[FIRST, _QUANTITY], line[FIRST, _PRICE]
    lines[row, 4] = _number(line, _DISCOUNT)
    lines[row, 5], lines[row, 6] = _number(line, _CATEGORY), _end(line, _CATEGORY)


@tight
def _least_quantity(lines: Any, first: int, past: int) -> Any:
    least = lines[first, 2]
    for row in range(first + 1, past):
        least = min(least, lines[row, 2])
    return least


@tight
def _keep(records: Any, row: int, kind: int, record: Any, first_line: int, past_lines: int, detail: int) -> None:
    """`Records`."""
    records[0, row], records[1, row] = kind, record[FIRST, _TIME]
    records[2, row], records[3, row] = record[FIRST, _ID], record[SECOND, _ID]
    records[4, row], records[5, row] = _number(record, _CUSTOMER), _end(record, _CUSTOMER)
    if kind in (PURCHASE, REFUND):
        records[6, row] = record[FIRST, _CHANNEL] if has(record, _CHANNEL) else _ANY_CHANNEL
    records[7, row], records[8, row], records[9, row] = first_line, past_lines, detail


@tight
def _keep_details(details: Any, row: int, record: Any) -> None:
    for slot in range(_FIELDS):
        details[row, slot, 0], details[row, slot, 1] = _number(record, slot), _end(record, slot)
