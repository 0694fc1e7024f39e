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
_VALUE, _CHOICE, _WHOLE, _FRACTION, _MONEY = range(5)
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


class _Form(NamedTuple):
    """What is the same in all objects, as the loop reads it.

    Attributes:
        kind, place, digits: of each column: its kind, its place among those it shares an array with, and the digits
            after its point.
        literals, literal_ends: what stands before each column and behind the last.
        options, option_starts, option_ends: encoded options, and where each begins and ends, shape (choices, most).
    """

    kind: NDArray[np.int64]
    place: NDArray[np.int64]
    digits: NDArray[np.int64]
    literals: NDArray[np.uint8]
    literal_ends: NDArray[np.int64]
    options: NDArray[np.uint8]
    option_starts: NDArray[np.int64]
    option_ends: NDArray[np.int64]


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
        self._form = _Form(
            kind=np.array(kinds, np.int64),
            place=np.array(list(_places(kinds)), np.int64),
            digits=np.array([_digits(column) for column in columns], np.int64),
            literals=np.frombuffer(b"".join(literals), np.uint8),
            literal_ends=np.cumsum([len(literal) for literal in literals], dtype=np.int64),
            **_options([column.options for column in columns if isinstance(column, Choice)]),
        )
        self._values, self._choices, self._whole, self._fractions = (
            [column.column for column, kind in zip(columns, kinds, strict=True) if _SHARED[kind] == shared]
            for shared in (_VALUE, _CHOICE, _WHOLE, _FRACTION)
        )
        longest = (self._form.option_ends - self._form.option_starts).max(initial=0)
        self._row_bytes = len(self._form.literals) + len(kinds) * max(_NUMBER_BYTES, int(longest))

    def write(self, columns: Mapping[str, Any], count: int) -> ByteRows:
        """The JSON of `count` objects.

        Args:
            columns: by name, a sequence of `Values`, else an array of shape (count,).
            count: of the objects.
        """
        lines = [_encoder.encode_lines(columns[name]) for name in self._values]
        begins = np.array([0, *map(len, lines)]).cumsum()
        choices, whole, fractions = (
            _filled(columns, names, np.empty((len(names), count), kind))
            for names, kind in ((self._choices, np.int64), (self._whole, np.int64), (self._fractions, np.float64))
        )
        given = _Given(np.frombuffer(b"".join(lines), np.uint8), begins, choices, whole, fractions)
        out = np.empty(min(count, _AT_ONCE) * self._row_bytes + len(given.values), np.uint8)
        ends = np.empty(count, np.int64)
        written, before = [], 0
        for first in range(0, count, _AT_ONCE):
            used = _write(out, ends, before, self._form, given, first, min(count, first + _AT_ONCE))
            written.append(out[:used].tobytes())
            before += used
        return ByteRows(b"".join(written), ends)


class _Given(NamedTuple):
    """The columns of some objects, as the loop reads them.

    Attributes:
        values: encoded, a line each, a column behind the other.
        begins: where in there the next one of each column begins; the loop moves it on.
        choices, whole, fractions: shape (columns, objects).
    """

    values: NDArray[np.uint8]
    begins: NDArray[np.int64]
    choices: NDArray[np.int64]
    whole: NDArray[np.int64]
    fractions: NDArray[np.float64]


def _filled(columns: Mapping[str, Any], names: Sequence[str], into: NDArray[Any]) -> NDArray[Any]:
    for row, name in zip(into, names, strict=True):
        row[:] = columns[name]
    return into


_KINDS = {Values: _VALUE, Choice: _CHOICE, Whole: _WHOLE, Fraction: _FRACTION, Money: _MONEY}
_SHARED = {_VALUE: _VALUE, _CHOICE: _CHOICE, _WHOLE: _WHOLE, _FRACTION: _FRACTION, _MONEY: _FRACTION}
"""Kind -> the kind in whose array its columns stand."""

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


def _options(of_choices: Sequence[Sequence[Any]]) -> dict[str, NDArray[Any]]:
    """The fields of `_Form` about options."""
    encoded = [[_encoder.encode(option) for option in options] for options in of_choices]
    starts, ends = np.zeros((2, len(encoded), max(map(len, encoded), default=0)), np.int64)
    before = 0
    for choice, options in enumerate(encoded):
        for place, option in enumerate(options):
            starts[choice, place], ends[choice, place] = before, before + len(option)
            before += len(option)
    texts = np.frombuffer(b"".join(option for options in encoded for option in options), np.uint8)
    return {"options": texts, "option_starts": starts, "option_ends": ends}


def _digits(column: Any) -> int:
    return column.exponent if isinstance(column, Money) else getattr(column, "decimals", 0)


def _places(kinds: Sequence[int]) -> Iterator[int]:
    """Each column's place among those it shares an array with."""
    seen = dict.fromkeys(_SHARED, 0)
    for kind in kinds:
        yield seen[_SHARED[kind]]
        seen[_SHARED[kind]] += 1


@compiled
def _write(
    out: NDArray[np.uint8], ends: NDArray[np.int64], before: int, form: _Form, given: _Given, first: int, end: int
) -> int:
    """Write the objects from `first` to before `end`, which follow `before` bytes; how many bytes that took."""
    at = 0
    for row in range(first, end):
        literal = 0
        for column in range(len(form.kind)):
            at = _copy(out, at, form.literals, literal, form.literal_ends[column])
            literal = form.literal_ends[column]
            kind, place, digits = form.kind[column], form.place[column], form.digits[column]
            if kind == _VALUE:
                begin = given.begins[place]
                given.begins[place] = _line_end(given.values, begin) + 1
                at = _copy(out, at, given.values, begin, given.begins[place] - 1)
            elif kind == _CHOICE:
                at = _put_option(out, at, form, place, given.choices[place, row])
            elif kind == _WHOLE:
                at = _put_whole(out, at, given.whole[place, row])
            else:
                at = _put_fraction(out, at, given.fractions[place, row], digits, kind == _MONEY)
        at = _copy(out, at, form.literals, literal, len(form.literals))
        ends[row] = before + at
    return at


@compiled
def _line_end(lines: NDArray[np.uint8], at: int) -> int:
    """Where the line that begins here ends."""
    for end in range(at, len(lines)):
        if lines[end] == _LINE_END:
            return end
    raise IndexError("there are fewer values than objects")


@compiled
def _put_option(out: NDArray[np.uint8], at: int, form: _Form, choice: int, option: int) -> int:
    if option < 0 or option >= form.option_ends.shape[1] or form.option_ends[choice, option] == 0:
        raise IndexError("a choice has none of its options")
    return _copy(out, at, form.options, form.option_starts[choice, option], form.option_ends[choice, option])


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
