"""From a value of a source to a value of one of Ebb's fields, by the field's declared type."""

import re
from collections.abc import Callable, Mapping
from datetime import tzinfo
from decimal import Decimal
from types import NoneType
from typing import Any, get_args
from uuid import UUID

from schemas.envelope import Amount, Text, TimeMs
from schemas.rejection import quoted
from stream.ingest.mapping.amounts import AmountForm, amount_reader
from stream.ingest.mapping.times import PER_SECOND, time_reader
from stream.ingest.mapping.unfit import UnfitError

Convert = Callable[[object], object]
"""Makes a value that can be written as JSON, or raises UnfitError with what is wrong."""

INT64_MAX = 2**63 - 1
DIGITS_MAX = 18  # of such a number
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


def _base_of(declared: Any) -> Any:
    """The type of a field without `None`: the annotated alias, or what it annotates."""
    options = [option for option in get_args(declared) if option is not NoneType]
    is_optional = NoneType in get_args(declared)
    return options[0] if is_optional else declared


def plain_of(declared: Any) -> Any:
    """The Python type behind a field: str, int, bool, or a Literal."""
    base = _base_of(declared)
    return get_args(base)[0] if hasattr(base, "__metadata__") else base


def is_amount(declared: Any) -> bool:
    """Whether the field is money."""
    return bool(_base_of(declared) == Amount)


def is_time(declared: Any) -> bool:
    """Whether the field is a point in time."""
    return bool(_base_of(declared) == TimeMs)


def keeps_empty(declared: Any) -> bool:
    """Whether an empty string means something in the field: what a person wrote may be nothing."""
    return bool(_base_of(declared) == Text)


def conversion(declared: Any, time: str, zone: tzinfo, amount: AmountForm, duration: str) -> Convert:
    """What turns values into the declared type.

    Args:
        declared: the type of the field in `schemas`.
        time: how times are written, one of `stream.ingest.mapping.times.TIME_FORMATS`.
        zone: of times that name none.
        amount: how money is written.
        duration: the unit of whole numbers that are durations, or "".
    """
    if is_amount(declared):
        return amount_reader(amount)
    if is_time(declared):
        return time_reader(time, zone)
    if duration:
        return lambda value: _milliseconds(value, duration)
    plain = plain_of(declared)
    return {int: whole_number, bool: flag}.get(plain, text)


def text(value: object) -> str:
    """A string; a whole number is written as one, since many shops number their customers.

    >>> text(17850)
    '17850'
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (int, UUID)) and not isinstance(value, bool):
        return str(value)
    raise UnfitError(f"{quoted(value)} is not a string")


def whole_number(value: object) -> int:
    """A whole number, also as 2.0 or "2".

    >>> whole_number(Decimal("2.0")), whole_number("-2")
    (2, -2)
    """
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        is_whole = value.is_finite() and value.adjusted() < DIGITS_MAX and value % 1 == 0
    else:
        is_whole = isinstance(value, str) and _WHOLE.fullmatch(value) is not None
    if is_whole:
        value = int(value)  # type: ignore[call-overload]  # a decimal or a string
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnfitError(f"{quoted(value)} is not a whole number")
    if abs(value) > INT64_MAX:
        raise UnfitError(f"{quoted(value)} is too large a number")
    return value


def flag(value: object) -> bool:
    """True or false, as JSON has them; for other spellings there is `values`."""
    if not isinstance(value, bool):
        raise UnfitError(f"{quoted(value)} is not true or false; values = {{ yes = true, no = false }} translates")
    return value


def _milliseconds(value: object, unit: str) -> int:
    """A duration in whole milliseconds."""
    if isinstance(value, (float, str)):
        value = Decimal(repr(value) if isinstance(value, float) else str(whole_number(value)))
    if not isinstance(value, Decimal):
        value = Decimal(whole_number(value))
    if not value.is_finite() or value.adjusted() > 18:
        raise UnfitError(f"{quoted(value)} is not a duration")
    return int(value * 1_000 // PER_SECOND[unit])


def translated(values: Mapping[str, object], otherwise: object) -> Convert:
    """What replaces values by those of a table; numbers and flags are looked up as they are written.

    >>> translated({"web": "online", "1": "app"}, None)(1)
    'app'
    """

    def translate(value: object) -> object:
        if isinstance(value, bool):
            spelt = "true" if value else "false"
        elif isinstance(value, (str, int, Decimal)):
            spelt = str(value)
        else:
            raise UnfitError(f"{quoted(value)} cannot be looked up in values")
        found = values.get(spelt, otherwise)
        if found is None:
            raise UnfitError(f"{quoted(value)} is not in values; add it, or give otherwise")
        return found

    return translate
