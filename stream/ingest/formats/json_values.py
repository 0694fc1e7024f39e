"""Values of a JSON topic. Numbers with a fraction stay decimal: no amount goes through a binary fraction."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from schemas.misfits import MALFORMED, malformed
from schemas.rejection import reject
from schemas.topics import INPUT_BYTES_MAX

_decode = msgspec.json.Decoder(float_hook=Decimal).decode

NO_VALUE = reject("tombstone", "the record has no value")
NO_BYTES = reject("empty_value", "the value has no bytes")


def read_json(values: Sequence[bytes | None]) -> list[object]:
    """What each value holds, or a `Rejection`.

    >>> read_json([b'{"price": 12.10}', None])[0]
    {'price': Decimal('12.10')}
    """
    return [_read(value) for value in values]


def _read(value: bytes | None) -> object:
    if not value:
        return NO_VALUE if value is None else NO_BYTES
    if len(value) > INPUT_BYTES_MAX:
        return reject("too_large", f"{len(value)} bytes; at most {INPUT_BYTES_MAX} are read")
    try:
        return _decode(value)
    except MALFORMED as error:
        return malformed(error)
    except ArithmeticError:
        return reject("malformed_json", "a number has an exponent that no decimal can have")
