"""Erasures and merges among any events, on any partitions, in any cut: whoever was not erased is there, whole."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from offline.history import History
from offline.verify import compare, recompute
from schemas.decode import decode
from schemas.topics import ENGAGEMENT, INVALID, PROFILES, PURCHASES, REROUTED
from stream.features.layout import STATE
from stream.features.stored import unpack
from stream.identities.known import UNKNOWN, name_of
from tests import oracle_features as oracle
from tests.live_lane import event_topic
from tests.property.chunk_histories import STORED, kept
from tests.shop_of_partitions import Shop, at_ms, erasure, merge
from tests.world import RULES, World, engagement, purchase, refund

CUSTOMERS = ("ada", "bob", "cy", "dora")
KINDS = ("purchase",) * 5 + ("refund", "page_view", "late", "erasure", "merge", "merge")
BLOCK_OF = {name: block for block in ("features", "engagement") for name in STATE[block].names}

WORKS = st.tuples(st.integers(0, 2), st.sampled_from(["", REROUTED, PROFILES, PURCHASES]))
"""Who works next, and on which topic before the others: topics have no common order."""

Wire = dict[str, Any]


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Wire, int]]:
    """(record, stream time in ms); one record or more a step of time, erasures and merges among them."""
    history, day = [], 0.0
    for number in range(draw(st.integers(1, 25))):
        day += draw(st.sampled_from([0.001, 0.001, 0.6, 9.0]))
        kind, customer, other = draw(st.sampled_from(KINDS)), *draw(st.permutations(CUSTOMERS))[:2]
        name = f"e{number}"
        match kind:
            case "erasure":
                record = erasure(customer, day, event_id=name)
            case "merge":
                record = merge(customer, other, day, event_id=name)
            case "page_view":
                record = engagement(kind, customer, day, event_id=name)
            case "refund":
                record = refund(customer, day, event_id=name)
            case _:
                at = max(day - 5, 0) if kind == "late" else day
                record = purchase(customer, at, event_id=name, price=f"{10 + number}.00")
        history.append((record, at_ms(day)))
    return history


class Obvious:
    """The same with lists of events: who has which, one record after another."""

    def __init__(self) -> None:
        self.events: dict[str, list[Wire]] = {}
        self.into: dict[str, str] = {}
        self.refused: list[Wire] = []
        self.erased_ms: dict[str, int] = {}

    def apply(self, record: Wire) -> None:
        customer = record["customer_id"]
        match record["type"]:
            case "erasure":
                for each in self._one(customer):
                    self._erase(each, record["event_time_ms"])
            case "merge":
                self._merge(customer, record)
            case _:
                self._count(record)

    def _count(self, record: Wire) -> None:
        if record["event_time_ms"] > self.erased_ms.get(record["customer_id"], 0):
            self.events.setdefault(self._home(record["customer_id"]), []).append(record)

    def _home(self, customer: str) -> str:
        while customer in self.into:
            customer = self.into[customer]
        return customer

    def _one(self, customer: str) -> set[str]:
        """All ids of one person."""
        everybody = {*self.into, *self.into.values(), customer}
        return {each for each in everybody if self._home(each) == self._home(customer)}

    def _erase(self, customer: str, time_ms: int) -> None:
        self.events.pop(customer, None)
        self.into.pop(customer, None)
        self.erased_ms[customer] = time_ms

    def _merge(self, customer: str, record: Wire) -> None:
        into = record["into"]
        if customer in self.into or self._home(into) == customer:
            self.refused += [record] * (self.into.get(customer) != into)
            return
        self.into[customer] = into
        self.events.setdefault(self._home(into), []).extend(self.events.pop(customer, []))

    def require_states(self, states: Mapping[str, bytes]) -> None:
        """That these customers are stored, and each is what the oracle counts."""
        expected = {customer: events for customer, events in self.events.items() if events}
        assert states.keys() == expected.keys()
        for customer, events in expected.items():
            state = unpack([states[customer]])
            for name, value in oracle.stored(events).items():
                tolerance = 1e-9 if STATE[BLOCK_OF[name]][name].base.kind == "f" else 0
                np.testing.assert_allclose(state[BLOCK_OF[name]][name][0], value, rtol=tolerance, err_msg=name)


@settings(max_examples=40, deadline=None)
@given(histories())
def test_after_every_record_each_customer_is_what_the_oracle_counts(history: list[tuple[Wire, int]]) -> None:
    shop, obvious = Shop(), Obvious()
    for record, time_ms in history:
        shop.write(record, time_ms)
        shop.settle()
        obvious.apply(record)
    obvious.require_states(shop.states)


@settings(max_examples=60, deadline=None)
@given(histories(), st.lists(st.lists(WORKS, max_size=3), max_size=25), st.sampled_from([1, 3, 50]))
def test_in_every_order_of_arrival_the_end_is_the_one_that_the_records_say(
    history: list[tuple[Wire, int]], turns: list[list[tuple[int, str]]], chunk: int
) -> None:
    shop, obvious = Shop(chunk=chunk), Obvious()
    for (record, time_ms), works in zip_longest(history, turns[: len(history)], fillvalue=()):
        shop.write(record, time_ms)
        obvious.apply(record)
        for number, topic in works:
            shop.work(number, topic)
    shop.settle()
    expected = recompute(History(events_of(history)), 3, RULES, at_ms(4_000), identities=shop.identities)
    assert list(compare(expected, shop.states).mismatches) == []
    erased = {customer: shop.identities.get(name_of(customer), UNKNOWN).erased_ms for customer in CUSTOMERS}
    asked = [(record["customer_id"], time_ms) for record, time_ms in history if record["type"] == "erasure"]
    assert all(erased[customer] >= time_ms for customer, time_ms in asked)
    letters = [message["event_id"] for message in shop.messages(INVALID)]
    released = {message["erased_ms"] for message in shop.messages(REROUTED) if message["type"] == "release"}
    has_found_later = bool((released | shop.erased_until) - {time_ms for _, time_ms in asked})
    refused = [record["event_id"] for record in obvious.refused]
    if has_found_later or sorted(letters) != sorted(refused):  # docs/architecture.md: both can be seen
        return
    assert all(erased[customer] >= time_ms for customer, time_ms in obvious.erased_ms.items())
    if erased == dict.fromkeys(CUSTOMERS, 0) | obvious.erased_ms:
        obvious.require_states(shop.states)


@settings(max_examples=40, deadline=None)
@given(histories(), st.lists(st.integers(0, 2), max_size=40), st.sampled_from([1, 3, 50]))
def test_whoever_works_when_the_end_is_what_the_history_and_the_identities_say(
    history: list[tuple[Wire, int]], turns: list[int], chunk: int
) -> None:
    shop, waits = Shop(chunk=chunk), False
    for place, (record, time_ms) in enumerate(history):
        is_identity = record["type"] in ("erasure", "merge")
        if is_identity and waits:  # as a command waits for its record
            shop.settle()
        waits = is_identity or waits
        shop.write(record, time_ms)
        if record["type"] == "erasure":
            shop.settle()
        for number in turns[place :: len(history)]:
            shop.work(number)
    shop.settle()
    expected = recompute(History(events_of(history)), 3, RULES, at_ms(4_000), identities=shop.identities)
    assert list(compare(expected, shop.states).mismatches) == []


@settings(max_examples=60, deadline=None)
@given(
    histories(),
    st.lists(st.lists(st.integers(0, 2), max_size=3), max_size=25),
    st.integers(0, 20),
    st.integers(1, 12),
    st.lists(st.sampled_from([REROUTED, PROFILES, PURCHASES, ENGAGEMENT]), max_size=2),
)
def test_what_a_store_has_lost_counts_once_whatever_order_it_is_read_again_in(
    history: list[tuple[Wire, int]], turns: list[list[int]], saved_at: int, lost_after: int, topics_first: list[str]
) -> None:
    shop, saved = Shop(chunk=3), None
    for place, ((record, time_ms), works) in enumerate(zip_longest(history, turns[: len(history)], fillvalue=())):
        saved = shop.saved() if place == saved_at else saved
        shop.write(record, time_ms)
        for number in works:
            shop.work(number)
        if saved and place == saved_at + lost_after:
            shop.come_back_older(saved, topics_first)
    if saved:
        shop.settle()
        shop.come_back_older(saved, topics_first)
    shop.settle()
    expected = recompute(History(events_of(history)), 3, RULES, at_ms(4_000), identities=shop.identities)
    assert list(compare(expected, shop.states).mismatches) == []


def events_of(history: list[tuple[Wire, int]]) -> list[Any]:
    """What customers did, without the records about who they are."""
    return [shop_event(record) for record, _ in history if record["type"] not in ("erasure", "merge")]


def shop_event(record: Wire) -> Any:
    return decode(event_topic(record["type"]), msgspec.json.encode(record), at_ms(4_000), RULES)


@settings(max_examples=40, deadline=None)
@given(histories(), st.sampled_from([2, 3, 50]))
def test_a_log_with_erasures_and_merges_does_not_depend_on_where_it_is_cut(
    history: list[tuple[Wire, int]], chunk: int
) -> None:
    one_by_one = Shop(partitions=1, chunk=1)
    for record, time_ms in history:
        one_by_one.write(record, time_ms)
        one_by_one.settle()
    log, cut = one_by_one.applied[0], World()
    for begin in range(0, len(log), chunk):
        part = log[begin : begin + chunk]
        cut.apply([record for record, _ in part], [time_ms for _, time_ms in part])
    assert cut.outbox.messages == one_by_one.worlds[0].outbox.messages
    for name in (*STORED, "identities", "due"):
        assert kept(cut.stored, name) == kept(one_by_one.worlds[0].stored, name), name
