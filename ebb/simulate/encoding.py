"""From columns to the bytes of the wire, by the schemas' own types."""

from itertools import pairwise
from typing import Any

import msgspec

from ebb.simulate.baskets import Baskets
from ebb.simulate.catalogue import CATEGORIES, Catalogue
from ebb.simulate.parts import Part
from schemas.events import NOTHING, OrderLine
from schemas.topics import ENGAGEMENT, KINDS_OF, PROFILES, PURCHASES

TOPICS = (PURCHASES, ENGAGEMENT, PROFILES)
"""A slice names a topic by its place here."""

_KINDS: dict[str, Any] = {str(kind.__struct_config__.tag): kind for topic in TOPICS for kind in KINDS_OF[topic]}
TOPIC_OF_KIND = {
    str(kind.__struct_config__.tag): place for place, topic in enumerate(TOPICS) for kind in KINDS_OF[topic]
}
_encode = msgspec.json.Encoder().encode


def encoded(part: Part, event_ids: list[str], names: list[str | None]) -> list[bytes]:
    """The values of a part.

    Args:
        part: its columns are fields of its kind.
        event_ids: shape (events,).
        names: the customer ids of the population, then None for guests.
    """
    kind, encode = _KINDS[part.kind], _encode
    customers = [names[place] for place in part.customer.tolist()]
    common = zip(event_ids, part.time_ms.tolist(), customers, strict=True)
    if not part.columns:
        return [encode(kind(event_id=e, event_time_ms=t, customer_id=c)) for e, t, c in common]
    if len(part.columns) == 1:
        ((name, values),) = part.columns.items()
        return [
            encode(kind(event_id=e, event_time_ms=t, customer_id=c, **{name: v}))
            for (e, t, c), v in zip(common, values, strict=True)
        ]
    fields, rows = tuple(part.columns), zip(*part.columns.values(), strict=True)
    return [
        encode(kind(event_id=e, event_time_ms=t, customer_id=c, **dict(zip(fields, row, strict=True))))
        for (e, t, c), row in zip(common, rows, strict=True)
    ]


def order_lines(baskets: Baskets, catalogue: Catalogue) -> list[list[OrderLine]]:
    """The lines of each order."""
    columns = (baskets.product, baskets.quantity, baskets.discount_minor)
    category = [CATEGORIES[place] for place in catalogue.category.tolist()]
    lines = [
        OrderLine(
            product_id=catalogue.ids[product],
            quantity=quantity,
            unit_price=catalogue.prices[product],
            discount=catalogue.written(discount) if discount else NOTHING,
            category=category[product],
        )
        for product, quantity, discount in zip(*(column.tolist() for column in columns), strict=True)
    ]
    return [lines[first:end] for first, end in pairwise(baskets.start.tolist())]


def event_id(prefix: str, day: int, kind: str, number: int) -> str:
    """The id of the `number`th event of a kind on a day.

    >>> event_id("s1-", 12, "purchase", 0)
    's1-12-purchase-0'
    """
    return f"{prefix}{day}-{kind}-{number}"
