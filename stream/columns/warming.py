"""Has the loops compiled that read records as columns."""

from schemas.rules import DecodeRules
from schemas.topics import PURCHASES
from schemas.units import DAY_MS
from stream.columns.events import EventColumns, columns_by
from stream.features.vocabulary import Vocabulary

_AT_MS = 14_600 * DAY_MS
_ORDER = (
    f'{{"type":"purchase","event_id":"any","event_time_ms":{_AT_MS},"customer_id":"anybody","currency":"EUR",'
    '"lines":[{"product_id":"any","quantity":1,"unit_price":"1"}]}'
).encode()


def warm_columns(vocabulary: Vocabulary) -> EventColumns | None:
    """Read an order, and forget it.

    >>> from stream.features.vocabulary import NOTHING_DECLARED
    >>> warm_columns(NOTHING_DECLARED).customers
    ['anybody']
    """
    return columns_by(DecodeRules(currency="EUR"), vocabulary)(PURCHASES, [_ORDER], [_AT_MS])
