"""The events of files of a known source, as batches of columns."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from offline.columns.homes import homes_of
from offline.columns.orders import order_facts_in, sure_orders
from offline.columns.reading import NOBODY, Told, put_events
from offline.columns.repeats import Repeats
from offline.duplicates import NO_ID
from offline.features.batches import AT_ONCE, Batch, Reading, batch_of
from offline.sources.order_columns import OrderColumns
from offline.sources.orders import events_of
from offline.verify import decoded
from schemas.events import Event
from schemas.money import exponent_of
from schemas.rejection import Rejection
from stream.features.facts import Envelopes, blank_facts


def of_orders(orders: OrderColumns, reading: Reading) -> Iterator[Batch]:
    """The events of files, without what a worker would reject or drop as a repeat."""
    repeats = Repeats()
    for begin in range(0, len(orders), AT_ONCE):
        part = orders.part(begin, begin + AT_ONCE)
        found = _told(part, reading)
        id_hash = np.where(found.is_event, found.facts.id_hash, np.uint64(NO_ID))
        is_repeat = repeats.among(id_hash, _homes(part, reading.partitions))
        reading.rejected.add(found.rejected)
        reading.duplicates += int(is_repeat.sum())
        yield batch_of("history", found, found.is_event & ~is_repeat)


def _told(orders: OrderColumns, reading: Reading) -> Told:
    """What orders tell: those that are sure by columns, the others as the events that they would be."""
    exponent, coded = exponent_of(reading.rules.currency), orders.of_orders("customer_id")
    places = reading.customers.places_of(coded.texts.tolist())
    sure = sure_orders(orders, reading.rules, reading.received_ms)
    facts = blank_facts(np.zeros(len(orders), np.intp), _no_envelopes(len(orders)))
    facts.put(np.flatnonzero(sure), order_facts_in(orders.only(sure), reading.vocabulary, exponent))
    facts.row[:] = np.where(coded.each(len, np.int64) > 0, places[coded.code], NOBODY)
    read = decoded(events_of(orders.only(~sure).table), reading.rules, reading.received_ms)
    events, is_event = [each for each in read if isinstance(each, Event)], sure.copy()
    is_event[~sure] = [isinstance(each, Event) for each in read]
    rejected = [each for each in read if isinstance(each, Rejection)]
    put_events(facts, np.flatnonzero(is_event & ~sure), events, reading.customers, reading.vocabulary, exponent)
    return Told(facts, is_event, reading.customers, rejected)


def _no_envelopes(events: int) -> Envelopes:
    return Envelopes(np.zeros(events, np.uint8), np.zeros(events, np.int64), np.zeros(events, np.uint64))


def _homes(orders: OrderColumns, partitions: int) -> NDArray[np.int64]:
    """The partition of each order's key, which is the id of a guest's order itself."""
    customers, ids = orders.of_orders("customer_id"), orders.of_orders("event_id")
    of_customer, of_id = (homes_of(coded.texts.tolist(), partitions)[coded.code] for coded in (customers, ids))
    return np.where(customers.each(len, np.int64) > 0, of_customer, of_id)
