"""JSON objects of one shape, many at once, written by a compiled loop from one array per field.

A view has some forty values. Made as Python objects and encoded one by one they cost more than everything that was
computed for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.compiled import compiled

NULL = np.iinfo(np.int64).min
"""Stands among `Whole` numbers for one that is null."""

_AT_ONCE = 64  # objects: what is written stays in the processor's cache, and in memory that is at hand
_NUMBER_BYTES = 32  # the longest: quotes, sign, 19 digits, a point and a zero before it
_TEXT, _WHOLE, _FRACTION, _MONEY = range(4)
_ZERO, _POINT, _MINUS, _QUOTE, _LINE_END = b'0.-"\n'
_TEN = np.uint64(10)  # unsigned numbers divide in a third of the time
_UNKNOWN = np.frombuffer(b"null", np.uint8)
_POWERS = 10 ** np.arange(19, dtype=np.int64)


class Values(NamedTuple):
    """A value of any kind per object, as msgspec encodes it."""

    values: Sequence[Any]


class Choice(NamedTuple):
    """One of a few values per object, by its place among them; shape (objects,)."""

    options: Sequence[Any]
    places: NDArray[np.integer[Any]]


class Whole(NamedTuple):
    """Whole numbers, null where they are `NULL`; shape (objects,)."""

    numbers: NDArray[np.integer[Any]]


class Fraction(NamedTuple):
    """Fractions rounded half to even to `decimals` after the point, null where they are nan; shape (objects,)."""

    numbers: NDArray[np.floating[Any]]
    decimals: int


class Money(NamedTuple):
    """Minor units as decimal text of the major ones, null where they are nan; shape (objects,)."""

    minor: NDArray[Any]
    exponent: int


Column: TypeAlias = Values | Choice | Whole | Fraction | Money


class _Columns(NamedTuple):
    """What the loop reads. `place` is a column's row in the arrays of its kind, `digits` those after its point."""

    kind: NDArray[np.int64]
    place: NDArray[np.int64]
    digits: NDArray[np.int64]
    literals: NDArray[np.uint8]
    literal_ends: NDArray[np.int64]
    texts: NDArray[np.uint8]
    text_starts: NDArray[np.int64]
    text_ends: NDArray[np.int64]
    whole: NDArray[np.int64]
    fractions: NDArray[np.float64]


def json_rows(shape: Mapping[str, Any], count: int) -> list[bytes]:
    """The JSON of `count` objects.

    Args:
        shape: field -> a column, which has a value per object; or another mapping, an object within; or anything else,
            which is the same in all of them.
        count: of the objects; each column is as long.

    >>> shape = {"id": Values(["ada", "cy"]), "spent": Money(np.array([1250.0, np.nan]), 2), "currency": "GBP"}
    >>> json_rows(shape | {"seen": {"days": Fraction(np.array([0.51239, 2.0]), 4)}}, 2)[0]
    b'{"id":"ada","spent":"12.50","currency":"GBP","seen":{"days":0.5124}}'
    """
    literals, columns = [b""], []
    for part in _flat(shape):
        if isinstance(part, bytes):
            literals[-1] += part
        else:
            columns.append(part)
            literals.append(b"")
    prepared = _prepared(literals, columns, count)
    text_bytes = (prepared.text_ends - prepared.text_starts).sum(axis=0)
    row_bytes = len(prepared.literals) + _NUMBER_BYTES * len(columns) + 1 + int(text_bytes.max(initial=0))
    out = np.empty(min(count, _AT_ONCE) * row_bytes, np.uint8)
    rows: list[bytes] = []
    for first in range(0, count, _AT_ONCE):
        written = _write(out, prepared, first, min(count, first + _AT_ONCE))
        rows += out[:written].tobytes().splitlines()  # JSON has no line break within
    return rows


def _flat(shape: Mapping[str, Any]) -> Iterator[bytes | Column]:
    yield b"{"
    for place, (name, value) in enumerate(shape.items()):
        yield b"," * bool(place) + msgspec.json.encode(name) + b":"
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield value if isinstance(value, Column) else msgspec.json.encode(value)
    yield b"}"


def _prepared(literals: Sequence[bytes], columns: Sequence[Column], count: int) -> _Columns:
    """Columns by kind: texts in one buffer, whole numbers and fractions in one array each."""
    texts = [column for column in columns if isinstance(column, Values | Choice)]
    whole = [column.numbers for column in columns if isinstance(column, Whole)]
    fractions = [_numbers(column) for column in columns if isinstance(column, Fraction | Money)]
    text, starts, ends = _texts(texts, count)
    kinds = [_kind(column) for column in columns]
    return _Columns(
        kind=np.array(kinds, np.int64),
        place=np.array(list(_places(kinds)), np.int64),
        digits=np.array([_digits(column) for column in columns], np.int64),
        literals=np.frombuffer(b"".join(literals), np.uint8),
        literal_ends=np.cumsum([len(literal) for literal in literals], dtype=np.int64),
        texts=text,
        text_starts=starts,
        text_ends=ends,
        whole=np.array(whole, np.int64).reshape(len(whole), count),
        fractions=np.array(fractions, np.float64).reshape(len(fractions), count),
    )


def _texts(columns: Sequence[Values | Choice], count: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """All texts of all columns one after another, and where in there each object's begins and ends."""
    starts, ends = np.empty((2, len(columns), count), np.int64)
    pieces, before = [], 0
    for row, column in enumerate(columns):
        lines = _lines.encode_lines(column.options if isinstance(column, Choice) else column.values)
        line_ends = np.nonzero(np.frombuffer(lines, np.uint8) == _LINE_END)[0]
        which = column.places if isinstance(column, Choice) else slice(None)
        ends[row] = before + line_ends[which]
        starts[row] = before + np.concatenate([[0], line_ends[:-1] + 1])[which]
        pieces.append(lines)
        before += len(lines)
    return np.frombuffer(b"".join(pieces), np.uint8), starts, ends


_lines = msgspec.json.Encoder()


def _numbers(column: Fraction | Money) -> NDArray[Any]:
    return column.numbers if isinstance(column, Fraction) else column.minor


def _kind(column: Column) -> int:
    match column:
        case Whole():
            return _WHOLE
        case Fraction():
            return _FRACTION
        case Money():
            return _MONEY
        case _:
            return _TEXT


def _digits(column: Column) -> int:
    match column:
        case Fraction(decimals=digits) | Money(exponent=digits):
            return digits
        case _:
            return 0


def _places(kinds: Sequence[int]) -> Iterator[int]:
    """Each column's place among those it shares an array with."""
    seen = {_TEXT: 0, _WHOLE: 0, _FRACTION: 0}
    for kind in kinds:
        array = _FRACTION if kind == _MONEY else kind
        yield seen[array]
        seen[array] += 1


@compiled
def _write(out: NDArray[np.uint8], columns: _Columns, first: int, end: int) -> int:
    """Write the objects from `first` to before `end`, a line each; how many bytes that took."""
    at = 0
    for row in range(first, end):
        literal = 0
        for column in range(len(columns.kind)):
            at = _copy(out, at, columns.literals, literal, columns.literal_ends[column])
            literal = columns.literal_ends[column]
            kind, place, digits = columns.kind[column], columns.place[column], columns.digits[column]
            if kind == _TEXT:
                at = _copy(out, at, columns.texts, columns.text_starts[place, row], columns.text_ends[place, row])
            elif kind == _WHOLE:
                at = _put_whole(out, at, columns.whole[place, row])
            else:
                at = _put_fraction(out, at, columns.fractions[place, row], digits, kind == _MONEY)
        at = _copy(out, at, columns.literals, literal, len(columns.literals))
        out[at] = _LINE_END
        at += 1
    return at


@compiled
def _copy(out: NDArray[np.uint8], at: int, source: NDArray[np.uint8], start: int, end: int) -> int:
    into, given = out[at : at + end - start], source[start:end]
    for place in range(len(given)):
        into[place] = given[place]
    return at + end - start


@compiled
def _put_whole(out: NDArray[np.uint8], at: int, number: int) -> int:
    if number == NULL:
        return _copy(out, at, _UNKNOWN, 0, len(_UNKNOWN))
    if number < 0:
        out[at] = _MINUS
        return _put_digits(out, at + 1, -number, 1)
    return _put_digits(out, at, number, 1)


@compiled
def _put_digits(out: NDArray[np.uint8], at: int, number: int, at_least: int) -> int:
    """A number that is not negative, with zeros before it until it has `at_least` digits."""
    digits = at_least
    while digits < len(_POWERS) and number >= _POWERS[digits]:
        digits += 1
    into, rest = out[at : at + digits], np.uint64(number)
    for place in range(digits):
        less = rest // _TEN
        into[digits - 1 - place] = _ZERO + np.uint8(rest - less * _TEN)
        rest = less
    return at + digits


@compiled
def _put_fraction(out: NDArray[np.uint8], at: int, number: float, digits: int, is_money: bool) -> int:
    """Money is quoted, in minor units and keeps its zeros; other fractions drop those at the end but one."""
    if np.isnan(number):
        return _copy(out, at, _UNKNOWN, 0, len(_UNKNOWN))
    units = np.int64(np.rint(number if is_money else number * _POWERS[digits]))
    if is_money:
        out[at] = _QUOTE
        at += 1
    if units < 0:
        out[at] = _MINUS
        at += 1
        units = -units
    at = _put_digits(out, at, units // _POWERS[digits], 1)
    if digits:
        out[at] = _POINT
        at = _put_digits(out, at + 1, units % _POWERS[digits], digits)
    if is_money:
        out[at] = _QUOTE
        return at + 1
    while digits > 1 and out[at - 1] == _ZERO:
        at -= 1
        digits -= 1
    return at
