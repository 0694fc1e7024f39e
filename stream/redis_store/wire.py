"""Commands in the form of the Redis protocol: few arguments one by one, those of a whole chunk by a compiled loop."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.byte_rows import ByteRows
from stream.compiled import compiled

ByteArray = NDArray[np.uint8]

_LENGTH_BYTES = 16  # at most around an argument: two line ends, a dollar and eleven digits; Redis takes 512 MB
_LENGTH = np.frombuffer(b"\r\n$", np.uint8)
_RETURN, _LINE_FEED, _ZERO = b"\r\n0"


class Arguments(NamedTuple):
    """Arguments that are in the protocol's form already: how many, and their bytes, each behind its length."""

    number: int
    form: memoryview

    def listed(self) -> list[bytes]:
        """Each as an object of its own."""
        found, rest = [], bytes(self.form)
        while rest:
            length, rest = rest.removeprefix(b"\r\n$").split(b"\r\n", 1)
            found.append(rest[: int(length)])
            rest = rest[int(length) :]
        return found


Command = Sequence[bytes | Arguments]


class _Heads(dict[int, bytes]):
    """Length of an argument -> what stands between the one before it and itself; most are made once."""

    def __missing__(self, length: int) -> bytes:
        return b"\r\n$%d\r\n" % length


_HEADS = _Heads((length, b"\r\n$%d\r\n" % length) for length in range(2_048))


def packed(commands: Sequence[Command]) -> bytes:
    r"""Commands in the Redis protocol, ready for one write.

    >>> packed([(b"GET", b"ada")])
    b'*2\r\n$3\r\nGET\r\n$3\r\nada\r\n'
    """
    parts: list[bytes | memoryview] = []
    for command in commands:
        if type(command[-1]) is Arguments:
            parts += _with_forms(command)
            continue
        arguments: list[bytes] = [b""] * (2 * len(command))
        arguments[::2] = map(_HEADS.__getitem__, map(len, command))
        arguments[1::2] = command  # type: ignore[assignment]  # none of them has a form
        parts += (b"*%d" % len(command), *arguments, b"\r\n")
    return b"".join(parts)


def _with_forms(command: Command) -> list[bytes | memoryview]:
    """A command whose last argument, and maybe others, have their form."""
    forms = [each if isinstance(each, Arguments) else one(each) for each in command]
    return [b"*%d" % sum(form.number for form in forms), *(form.form for form in forms), b"\r\n"]


def one(argument: bytes) -> Arguments:
    """One argument in its form."""
    return Arguments(1, memoryview(_HEADS[len(argument)] + argument))


def keys_and_values(prefix: bytes, names: ByteRows, values: ByteRows) -> Arguments:
    """Keys, each a prefix with a name, and a value behind each.

    Args:
        prefix: of all keys.
        names: what tells the keys apart.
        values: as many.

    >>> ada = ByteRows(b"ada", np.array([3])), ByteRows(b"{}", np.array([2]))
    >>> bytes(keys_and_values(b"view:", *ada).form)
    b'\\r\\n$8\\r\\nview:ada\\r\\n$2\\r\\n{}'
    """
    count = len(names.ends)
    room = len(names.data) + len(values.data) + count * (len(prefix) + 2 * _LENGTH_BYTES)
    out, (named, valued) = np.empty(room, np.uint8), (np.frombuffer(rows.data, np.uint8) for rows in (names, values))
    used = _write_pairs(out, np.frombuffer(prefix, np.uint8), named, names.ends, valued, values.ends)
    return Arguments(2 * count, out[:used].data)


@compiled
def _write_pairs(
    out: ByteArray, prefix: ByteArray, names: ByteArray, name_ends: NDArray[np.int64], values: ByteArray,
    value_ends: NDArray[np.int64],
) -> int:  # fmt: skip
    at = name = value = 0
    for pair in range(len(name_ends)):
        at = _put_length(out, at, len(prefix) + name_ends[pair] - name)
        at = _copy(out, at, prefix, 0, len(prefix))
        at = _copy(out, at, names, name, name_ends[pair])
        at = _put_length(out, at, value_ends[pair] - value)
        at = _copy(out, at, values, value, value_ends[pair])
        name, value = name_ends[pair], value_ends[pair]
    return at


@compiled
def _put_length(out: ByteArray, at: int, length: int) -> int:
    at = _copy(out, at, _LENGTH, 0, len(_LENGTH))
    digits, beyond = 1, 10
    while length >= beyond:
        digits, beyond = digits + 1, beyond * 10
    for place in range(digits - 1, -1, -1):
        out[at + place] = _ZERO + length % 10
        length //= 10
    out[at + digits], out[at + digits + 1] = _RETURN, _LINE_FEED
    return at + digits + 2


@compiled
def _copy(out: ByteArray, at: int, source: ByteArray, start: int, end: int) -> int:
    into, given = out[at : at + end - start], source[start:end]
    for place in range(len(given)):
        into[place] = given[place]
    return at + end - start
