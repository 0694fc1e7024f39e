"""Failures of Ebb itself: how they are told, which are alike, and a value that cannot be decoded for one.

A bug of a pure function comes back alike whenever it is asked the same again; what fails in another way each time is no
property of what was asked.
"""

import traceback
from collections.abc import Callable, Sequence
from typing import Any

from schemas.rejection import DETAIL_CHARACTERS_MAX, Rejection, shortened

ATTEMPTS = 3

Decode = Callable[[str, Sequence[bytes | None], Sequence[int]], Sequence[Any]]
"""(topic, values, Kafka timestamps in ms) -> what each value is."""


class Bug(Rejection, frozen=True, kw_only=True):
    """A record on which Ebb itself fails, and what it failed with."""

    error: Exception


def bug_of(error: Exception) -> Bug:
    """The rejection of a record that alone fails with `error`."""
    return Bug("bug", shortened(told(error), DETAIL_CHARACTERS_MAX), error=error)


def told(error: BaseException) -> str:
    """The last lines of the traceback in one.

    >>> try:
    ...     {}["gone"]
    ... except KeyError as error:
    ...     told(error).partition(" (")[0]
    "KeyError: 'gone'"
    """
    last = traceback.extract_tb(error.__traceback__)[-1]
    what = traceback.format_exception_only(error)[0].strip()
    return f"{what} ({last.filename.rpartition('/')[2]} line {last.lineno}, {last.name})"


def alike(one: BaseException, other: BaseException) -> bool:
    """Whether two failures are of one kind, at one line: a text may name a row of the chunk."""
    return _where(one) == _where(other)


def _where(error: BaseException) -> tuple[type, str, int | None]:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return type(error), last.filename, last.lineno


def rejecting_bugs(decode: Decode) -> Decode:
    """`decode`, for which a value on which it fails three times alike is a `Bug`; the others are what they are.

    Raises:
        Exception: it fails on a value in another way each time.
    """

    def decoded(topic: str, values: Sequence[bytes | None], timestamps_ms: Sequence[int]) -> Sequence[Any]:
        try:
            return decode(topic, values, timestamps_ms)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told with the record
            if len(values) == 1:
                return [_alone(decode, topic, values, timestamps_ms, error)]
        half = len(values) // 2
        first = decoded(topic, values[:half], timestamps_ms[:half])
        return [*first, *decoded(topic, values[half:], timestamps_ms[half:])]

    return decoded


def _alone(
    decode: Decode, topic: str, values: Sequence[bytes | None], timestamps_ms: Sequence[int], like: Exception
) -> Any:
    """What the one value is that decoding has failed on once."""
    for _ in range(ATTEMPTS - 1):
        try:
            return decode(topic, values, timestamps_ms)[0]
        except Exception as error:
            if not alike(error, like):
                raise
    return bug_of(like)
