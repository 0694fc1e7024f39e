"""JSON objects of one shape, many at once, written by a compiled loop from one array per field.

A view has some forty values. Made as Python objects and encoded one by one they cost more than everything that was
computed for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.byte_rows import ByteRows
from stream.compiled import compiled

NULL = np.iinfo(np.int64).min
"""Stands among whole numbers for one that is null."""

_AT_ONCE = 64  # objects: what is written stays in the processor's cache, and in memory that is at hand
_NUMBER_BYTES = 32  # the longest: quotes, sign, 19 digits, a point and a zero before it
_TEXT, _WHOLE, _FRACTION, _MONEY = range(4)
_ZERO, _POINT, _MINUS, _QUOTE, _LINE_END = b'0.-"\n'
_TEN = np.uint64(10)  # unsigned numbers divide in a third of the time
_UNKNOWN = np.frombuffer(b"null", np.uint8)
_POWERS = 10 ** np.arange(19, dtype=np.int64)


class Values(NamedTuple):
    """Where a value of any kind stands, different in each object, as msgspec encodes it."""

    column: str


class Choice(NamedTuple):
    """Where one of a few values stands; the column has its place among them."""

    column: str
    options: Sequence[Any]


class Whole(NamedTuple):
    """Where a whole number stands; null where the column has `NULL`."""

    column: str


class Fraction(NamedTuple):
    """Where a number stands, rounded half to even to `decimals` after the point; null where the column has nan."""

    column: str
    decimals: int


class Money(NamedTuple):
    """Where minor units stand as decimal text of the major ones; null where the column has nan."""

    column: str
    exponent: int


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


class _Lines(NamedTuple):
    """Encoded values, a line each, and where in `encoded` each begins and ends."""

    encoded: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


class JsonRows:
    """The form of the objects, made once for many of them.

    Args:
        shape: field -> where a column stands; or another mapping, an object within; or anything else, which is the same
            in all objects.

    >>> within = {"days": Fraction("days", 4)}
    >>> rows = JsonRows({"id": Values("id"), "spent": Money("spent", 2), "currency": "GBP", "seen": within})
    >>> rows.write({"id": ["ada", "cy"], "spent": np.array([1250, 0]), "days": np.array([0.51239, 2.0])}, 2).listed()[0]
    b'{"id":"ada","spent":"12.50","currency":"GBP","seen":{"days":0.5124}}'
    """

    def __init__(self, shape: Mapping[str, Any]) -> None:
        literals, columns = [b""], []
        for part in _flat(shape):
            if isinstance(part, bytes):
                literals[-1] += part
            else:
                columns.append(part)
                literals.append(b"")
        kinds = [_KINDS[type(column)] for column in columns]
        self._kind, self._place = np.array(kinds, np.int64), np.array(list(_places(kinds)), np.int64)
        self._digits = np.array([_digits(column) for column in columns], np.int64)
        self._literals = np.frombuffer(b"".join(literals), np.uint8)
        self._literal_ends = np.cumsum([len(literal) for literal in literals], dtype=np.int64)
        self._texts = [(text.column, _options(text)) for text in columns if _KINDS[type(text)] == _TEXT]
        self._whole = [whole.column for whole in columns if isinstance(whole, Whole)]
        self._fractions = [number.column for number in columns if isinstance(number, Fraction | Money)]

    def write(self, columns: Mapping[str, Any], count: int) -> ByteRows:
        """The JSON of `count` objects.

        Args:
            columns: by name, a sequence of `Values`, else an array of shape (count,).
            count: of the objects.
        """
        prepared = self._prepared(columns, count)
        text_bytes = (prepared.text_ends - prepared.text_starts).sum(axis=0).max(initial=0)
        row_bytes = len(self._literals) + _NUMBER_BYTES * len(self._kind) + int(text_bytes)
        out, ends = np.empty(min(count, _AT_ONCE) * row_bytes, np.uint8), np.empty(count, np.int64)
        written, before = [], 0
        for first in range(0, count, _AT_ONCE):
            used = _write(out, ends, before, prepared, first, min(count, first + _AT_ONCE))
            written.append(out[:used].tobytes())
            before += used
        return ByteRows(b"".join(written), ends)

    def _prepared(self, columns: Mapping[str, Any], count: int) -> _Columns:
        """Columns by kind: texts in one buffer, whole numbers and fractions in one array each."""
        whole = np.empty((len(self._whole), count), np.int64)
        fractions = np.empty((len(self._fractions), count))
        for into, names in ((whole, self._whole), (fractions, self._fractions)):
            for row, name in enumerate(names):
                into[row] = columns[name]
        texts, starts, ends = self._all_texts(columns, count)
        form = self._kind, self._place, self._digits, self._literals, self._literal_ends
        return _Columns(*form, texts, starts, ends, whole, fractions)

    def _all_texts(self, columns: Mapping[str, Any], count: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """All texts one after another, and where in there that of each column and object begins and ends."""
        starts, ends = np.empty((2, len(self._texts), count), np.int64)
        pieces, before = [], 0
        for row, (name, options) in enumerate(self._texts):
            lines = options or _encoded(columns[name])
            which = columns[name] if options else slice(None)
            starts[row], ends[row] = lines.starts[which], lines.ends[which]
            starts[row] += before
            ends[row] += before
            pieces.append(lines.encoded)
            before += len(lines.encoded)
        return np.frombuffer(b"".join(pieces), np.uint8), starts, ends


_KINDS = {Values: _TEXT, Choice: _TEXT, Whole: _WHOLE, Fraction: _FRACTION, Money: _MONEY}
_encoder = msgspec.json.Encoder()


def _flat(shape: Mapping[str, Any]) -> Iterator[Any]:
    """Bytes that are the same in all objects, and between them where columns stand."""
    yield b"{"
    for place, (name, value) in enumerate(shape.items()):
        yield b"," * bool(place) + _encoder.encode(name) + b":"
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield value if type(value) in _KINDS else _encoder.encode(value)
    yield b"}"


def _encoded(values: Sequence[Any]) -> _Lines:
    encoded = _encoder.encode_lines(values)
    ends = np.nonzero(np.frombuffer(encoded, np.uint8) == _LINE_END)[0]
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1] + 1
    return _Lines(encoded, starts, ends)


def _options(column: Values | Choice) -> _Lines | None:
    return _encoded(column.options) if isinstance(column, Choice) else None


def _digits(column: Any) -> int:
    return column.exponent if isinstance(column, Money) else getattr(column, "decimals", 0)


def _places(kinds: Sequence[int]) -> Iterator[int]:
    """Each column's place among those it shares an array with."""
    seen = {_TEXT: 0, _WHOLE: 0, _FRACTION: 0}
    for kind in kinds:
        array = _FRACTION if kind == _MONEY else kind
        yield seen[array]
        seen[array] += 1


@compiled
def _write(
    out: NDArray[np.uint8], ends: NDArray[np.int64], before: int, columns: _Columns, first: int, end: int
) -> int:
    """Write the objects from `first` to before `end`, which follow `before` bytes; how many bytes that took."""
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
        ends[row] = before + at
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
