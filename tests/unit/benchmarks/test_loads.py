"""Benchmark loads: decodable, deterministic, as skewed and as spread in time as their names say."""

from collections import Counter

import numpy as np
import pytest

from benchmarks.loads import EVENTS_PER_CUSTOMER_DAY, LOADS, PURCHASE_SHARE, Record, records
from schemas.decode import DecodeRules, Rejection, decode
from schemas.topics import PURCHASES
from schemas.units import DAY_MS

END_MS = 1_700_000_000_000
EVENTS, CUSTOMERS = 20_000, 5_000


@pytest.fixture(scope="module", params=sorted(LOADS))
def load(request: pytest.FixtureRequest) -> list[Record]:
    return records(request.param, EVENTS, 1, END_MS, CUSTOMERS)


def customers_of(load: str) -> list[int]:
    """How many events each customer has, most first."""
    made = records(load, EVENTS, 1, END_MS, CUSTOMERS)
    return sorted(Counter(record.key for record in made).values(), reverse=True)


def test_every_record_is_an_event_that_a_worker_takes(load: list[Record]) -> None:
    rules = DecodeRules(currency="GBP")
    for record in load:
        event = decode(record.topic, record.value, END_MS, rules)
        assert not isinstance(event, Rejection), event
        assert (event.customer_id.encode(), event.event_time_ms) == (record.key, record.event_time_ms)


def test_no_event_comes_twice_and_they_are_in_the_order_of_time(load: list[Record]) -> None:
    assert len({record.value for record in load}) == EVENTS
    times = [record.event_time_ms for record in load]
    assert times == sorted(times)
    assert END_MS - DAY_MS < times[-1] <= END_MS


@pytest.mark.parametrize("name", ["uniform", "zipf"])
def test_a_quarter_are_purchases_and_time_advances_as_in_a_lively_shop(name: str) -> None:
    load = records(name, EVENTS, 1, END_MS, CUSTOMERS)
    assert np.mean([record.topic == PURCHASES for record in load]) == pytest.approx(PURCHASE_SHARE, abs=0.02)
    days = (load[-1].event_time_ms - load[0].event_time_ms) / DAY_MS
    assert days == pytest.approx(EVENTS / CUSTOMERS / EVENTS_PER_CUSTOMER_DAY, rel=0.1)


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    once = records("zipf", 100, 1, END_MS)
    assert once == records("zipf", 100, 1, END_MS)
    assert once != records("zipf", 100, 2, END_MS)


def test_uniform_has_no_favourite_and_zipf_has() -> None:
    assert customers_of("uniform")[0] < 20
    assert 0.1 < customers_of("zipf")[0] / EVENTS < 0.25


def test_a_session_is_a_burst_of_one_customer() -> None:
    made = records("sessions", EVENTS, 1, END_MS, CUSTOMERS)
    last_ms: dict[bytes, int] = {}
    soon = 0
    for record in made:
        soon += record.event_time_ms - last_ms.get(record.key, 0) < 600_000
        last_ms[record.key] = record.event_time_ms
    assert soon / EVENTS > 0.75, "most events follow another one of the same visit"
