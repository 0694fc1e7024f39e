"""Erasures, merges and events that cross on their way between partitions, in thousands of orders of arrival."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.identities import Erasure
from stream.identities.known import UNKNOWN, counts_for, name_of
from tests.bare_shop import Event, crossing, worked_off
from tests.property.test_identities_law import CUSTOMERS


@settings(max_examples=2_500, deadline=None)
@given(st.integers(0, 2**48))
def test_whatever_crosses_every_event_is_where_the_identities_say_and_whatever_was_to_be_erased_is(seed: int) -> None:
    dice = Random(seed)
    history = crossing(dice, CUSTOMERS)
    shop = worked_off(history, dice)
    events = {record.number: record for record in history if isinstance(record, Event)}
    expected = {
        number: counts_for(event.customer_id, event.event_time_ms, shop.identities) for number, event in events.items()
    }
    counted = sorted(shop.counted())
    assert counted == sorted((number, customer) for number, customer in expected.items() if customer), history
    for record in history:
        if isinstance(record, Erasure):
            known = shop.identities.get(name_of(record.customer_id), UNKNOWN)
            assert known.erased_ms >= record.event_time_ms, history
