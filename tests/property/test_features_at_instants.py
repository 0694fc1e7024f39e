"""Features at an instant are those of a snapshot then; where events came later, the row says so."""

import random
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ebb.backtest.machine import Moment, Shop, live_through
from offline.backtest.rows import active
from offline.columns.names import Names
from offline.features.at_instants import Folding, Part
from offline.features.batches import Batch
from offline.history import History
from schemas.decode import DecodeRules
from schemas.events import Event, OrderLine, PageView, Purchase, Refund, RefundLine
from schemas.units import DAY_MS
from stream.chunk import Rules
from stream.features.columns import model_matrix
from stream.features.facts_of_events import facts_of
from stream.features.fold import fold
from stream.features.layout import empty
from tests.world import BEGIN_MS

CUSTOMERS, DAYS = 12, 260


def shopping(seed: int, count: int) -> list[Event]:
    """Orders, refunds and page views of some customers in the order of time, one of them at a midnight."""
    dice = random.Random(seed)
    times_ms = sorted([BEGIN_MS + dice.randrange(DAYS * DAY_MS) for _ in range(count)] + [BEGIN_MS + 35 * DAY_MS])
    return [_event(dice, number, time_ms) for number, time_ms in enumerate(times_ms)]


def _event(dice: random.Random, number: int, time_ms: int) -> Event:
    customer = f"customer-{dice.randrange(CUSTOMERS) ** 2 // CUSTOMERS}"
    common = {"event_id": f"event-{number}", "customer_id": customer, "event_time_ms": time_ms}
    price = f"{dice.randrange(1, 9_999) / 100:.2f}"
    match dice.randrange(4):
        case 0:
            return PageView(**common)
        case 1:
            lines = [RefundLine(product_id="85048", quantity=1, unit_price=price)]
            return Refund(currency="GBP", lines=lines, **common)
        case _:
            lines = [OrderLine(product_id=f"p{number % 5}", quantity=2, unit_price=price)]
            return Purchase(currency="GBP", lines=lines, **common)


def batch_of(events: list[Event], customers: Names) -> Batch:
    """Events as a reader hands them over."""
    facts = facts_of(events, customers.places_of([str(event.customer_id) for event in events]))
    return Batch("log", facts, customers, facts.time_ms)


def at_instants(log: list[Event], instants_ms: list[int], part: int, memory_bytes: int) -> list[Part]:
    """Rows of a log that is read in parts."""
    with TemporaryDirectory() as folder:
        folding = Folding(np.array(instants_ms), Path(folder), memory_bytes=memory_bytes)
        customers = Names()
        for begin in range(0, len(log), part):
            folding.add(batch_of(log[begin : begin + part], customers))
        return list(folding.parts(rows_at_once=5))


def by_customer(parts: list[Part], at_ms: int) -> dict[str, tuple[bytes, bool]]:
    """customer -> (columns, whether it rests on late events) of one instant."""
    return {
        customer: (columns.tobytes(), bool(late))
        for part in parts
        if part.at_ms == at_ms
        for customer, columns, late in zip(part.customers, part.columns, part.late, strict=True)
    }


def test_features_at_midnights_are_those_that_the_engine_has_then_and_labels_carry() -> None:
    log = shopping(7, 600)
    days = sorted(random.Random(5).sample(range(1, DAYS), 40))
    wanted = [BEGIN_MS + day * DAY_MS for day in (35, *days)]
    wanted = sorted(set(wanted))
    online: dict[int, dict[str, bytes]] = {}
    labelled: dict[tuple[int, str], bytes] = {}

    def look(moment: Moment) -> None:
        for label in moment.labels:
            labelled[label.snapshot_ms, label.customer_id] = np.array(label.columns, np.float32).tobytes()
        if moment.time_ms in wanted:
            customers, states = moment.customers, moment.states
            rows = np.flatnonzero(active(states, moment.time_ms))
            columns = model_matrix(states.take(rows), moment.time_ms).astype(np.float32)
            online[moment.time_ms] = {customers[row]: each.tobytes() for row, each in zip(rows, columns, strict=True)}

    live_through(History(log), Shop(Rules(), DecodeRules(currency="GBP"), BEGIN_MS + 9_999 * DAY_MS), look)
    instants_ms = sorted({*wanted, *(snapshot_ms for snapshot_ms, _ in labelled)})
    offline = at_instants(log, instants_ms, part=50, memory_bytes=10_000)
    for at_ms, rows in online.items():
        assert by_customer(offline, at_ms) == {customer: (columns, False) for customer, columns in rows.items()}
    assert len(labelled) > 20
    for (at_ms, customer), columns in labelled.items():
        assert by_customer(offline, at_ms)[customer][0] == columns


@given(
    seed=st.integers(0, 10_000),
    swaps=st.lists(st.tuples(st.integers(0, 119), st.integers(0, 40)), max_size=6),
    instants=st.lists(st.integers(0, (DAYS + 20) * DAY_MS), min_size=1, max_size=6, unique=True),
    part=st.sampled_from([1, 17, 200]),
    memory_bytes=st.sampled_from([1, 10**9]),
)
def test_rows_without_late_events_are_what_had_arrived(
    seed: int, swaps: list[tuple[int, int]], instants: list[int], part: int, memory_bytes: int
) -> None:
    log = shopping(seed, 120)
    for at, later in swaps:
        log.insert(at + later, log.pop(at))
    instants_ms = sorted(BEGIN_MS + instant for instant in instants)
    offline = at_instants(log, instants_ms, part, memory_bytes)
    for at_ms in instants_ms:
        passed = next((place for place, event in enumerate(log) if event.event_time_ms >= at_ms), len(log))
        came_later = {event.customer_id for event in log[passed:] if event.event_time_ms < at_ms}
        arrived = _folded(log[:passed], at_ms)
        rows = by_customer(offline, at_ms)
        assert {customer for customer, (_, late) in rows.items() if late} == came_later & rows.keys()
        assert {c: columns for c, (columns, late) in rows.items() if not late} == {
            customer: columns for customer, columns in arrived.items() if customer not in came_later
        }


def _folded(events: list[Event], at_ms: int) -> dict[str, bytes]:
    places: dict[str, int] = {}
    rows = [places.setdefault(str(event.customer_id), len(places)) for event in events]
    states = empty(len(places))
    fold(states, facts_of(events, rows))
    chosen = active(states, at_ms)
    columns = model_matrix(states[chosen], at_ms).astype(np.float32)
    names = np.array(list(places), object)[chosen]
    return {name: each.tobytes() for name, each in zip(names.tolist(), columns, strict=True)}
