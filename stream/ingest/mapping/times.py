"""Times as sources write them, as whole milliseconds since 1970, UTC; parts of a millisecond are cut off."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal

from schemas.rejection import quoted
from stream.ingest.mapping.unfit import UnfitError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
DIGITS_MAX = 20  # whole digits of a number of nanoseconds since 1970, and one more
PER_SECOND = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000}
"""How many of a unit make a second."""
TIME_FORMATS = ("iso", *PER_SECOND)

_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")


def time_reader(form: str, zone: tzinfo) -> Callable[[object], int]:
    """What reads times written in one form of `TIME_FORMATS`.

    A value that is a time by itself, as logical types of Avro are, needs no form. What names no zone is in `zone`.

    >>> time_reader("iso", UTC)("2024-03-01T08:00:00.5+01:00"), time_reader("seconds", UTC)(Decimal("1709276400.5"))
    (1709276400500, 1709276400500)
    """
    per_second = PER_SECOND.get(form)

    def read(value: object) -> int:
        if isinstance(value, date):
            return _since_1970_ms(value, zone)
        if per_second is None:
            return _iso_ms(value, zone)
        return _scaled_ms(value, per_second, form)

    return read


def _iso_ms(value: object, zone: tzinfo) -> int:
    if not isinstance(value, str):
        raise UnfitError(f"{quoted(value)} is not a time such as 2024-03-01T08:00:00Z")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise UnfitError(f"{quoted(value)} is not a time such as 2024-03-01T08:00:00Z") from error
    return _since_1970_ms(moment, zone)


def _since_1970_ms(moment: date, zone: tzinfo) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    try:
        return (moment - EPOCH) // MILLISECOND
    except OverflowError as error:
        raise UnfitError(f"{moment} is no time") from error


def _scaled_ms(value: object, per_second: int, form: str) -> int:
    if type(value) is int and abs(value) < 10**DIGITS_MAX:
        return value * 1_000 // per_second
    if isinstance(value, float):
        value = repr(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = Decimal(value)
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < DIGITS_MAX:
        return int(value * 1_000 // per_second)
    raise UnfitError(f"{quoted(value)} is not a number of {form} since 1970")
