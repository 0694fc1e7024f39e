"""Whatever numbers of partitions a history went through, everybody is who they are after the last one alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from offline.history import History
from offline.verify import Mismatch, Recomputed, compare, recompute
from schemas.events import Event, OrderLine, PageView, Purchase
from schemas.identities import Erasure, Merge
from schemas.partition import partition_of
from schemas.units import DAY_MS
from stream.features.stored import unpack
from stream.identities.known import Identity, unpack_identity
from stream.memory_store import StoredPartition
from tests.archived_shop import PLAN, WRITTEN_MS, Shop
from tests.world import BEGIN_MS

CUSTOMERS = ("ada", "bob", "cy", "dora", "eve")
EVENTS, IDENTITIES = ["purchase"] * 4 + ["page_view", "guest"], ["merge", "merge", "erasure"]
STORED = ("states", "views", "deadlines", "risks", "labels", "snapshots")


class Era(NamedTuple):
    """What happens while there are so many partitions, day by day; who is put on a wrong partition; what is garbage."""

    partitions: int
    days: list[list[Any]]
    misrouted: frozenset[str]
    garbage: int


@st.composite
def histories(draw: st.DrawFn, identities: str = "") -> list[Era]:
    """Two to four eras, without merges and erasures, or with them: `apart`, one a day, or `among` the events of a day.

    With them events are put on wrong partitions, too.
    """
    eras, number, day = [], 0, 0
    for partitions in draw(st.lists(st.integers(1, 5), min_size=2, max_size=4)):
        days: list[list[Any]] = []
        for _ in range(draw(st.integers(1, 4))):
            day += draw(st.sampled_from([1, 1, 20]))
            is_alone = identities == "apart" and draw(st.booleans())
            events = []
            for _ in range(1 if is_alone else draw(st.integers(1, 6))):
                number += 1
                kinds = IDENTITIES if is_alone else EVENTS + IDENTITIES * (identities == "among")
                events.append(draw(happenings(number, day, kinds)))
            days.append(events)
        ids = [event.event_id for events in days for event in events if isinstance(event, Event)]
        misrouted = frozenset(draw(st.sets(st.sampled_from(ids)))) if identities and ids else frozenset[str]()
        eras.append(Era(partitions, days, misrouted, draw(st.integers(0, partitions))))
    return eras


@st.composite
def happenings(draw: st.DrawFn, number: int, day: int, kinds: Sequence[str]) -> Any:
    """An event of a customer or a guest; or who somebody is."""
    time_ms = BEGIN_MS + day * DAY_MS + number * 60_000
    customer, other = draw(st.permutations(CUSTOMERS))[:2]
    common = {"event_id": f"e{number}", "event_time_ms": time_ms}
    match draw(st.sampled_from(kinds)):
        case "merge":
            return Merge(customer_id=customer, into=other, **common)
        case "erasure":
            return Erasure(customer_id=customer, **common)
        case "page_view":
            return PageView(customer_id=customer, **common)
        case "guest":
            return Purchase(currency="GBP", lines=[line(number)], **common)
        case _:
            return Purchase(customer_id=customer, currency="GBP", lines=[line(number)], **common)


def line(number: int) -> OrderLine:
    return OrderLine(product_id="85048", quantity=2, unit_price=f"{10 + number}.50")


def happen(shop: Shop, era: Era, partitions: int) -> None:
    for events in era.days:
        shop.open([*events[:1], *events], partitions, misrouted=era.misrouted)


def moved(folder: Path, eras: list[Era]) -> Shop:
    """A shop that went through all of them."""
    shop, before = Shop(folder), 0
    for era in eras:
        if before and before != era.partitions:
            shop.move(before, era.partitions)
        for number in range(era.garbage):
            shop.garble(number)
        happen(shop, era, era.partitions)
        before = era.partitions
    shop.archive()
    return shop


def always(folder: Path, eras: list[Era]) -> Shop:
    """One that had the last number of partitions all the time."""
    shop, partitions = Shop(folder), eras[-1].partitions
    for era in eras:
        for number in range(era.garbage):
            shop.garble(number % partitions)
        happen(shop, era, partitions)
    return shop


def totals(stored: Mapping[int, StoredPartition]) -> Counter[str]:
    return Counter({name: n for part in stored.values() for name, n in part.totals.items()})


def require_same(found: Mapping[int, StoredPartition], expected: Mapping[int, StoredPartition]) -> None:
    assert found.keys() == expected.keys()
    for partition, stored in expected.items():
        for name in STORED:
            assert getattr(found[partition], name) == getattr(stored, name), (partition, name)
        assert found[partition].segments == stored.segments
    assert totals(found) == totals(expected)


def states(stored: Mapping[int, StoredPartition]) -> dict[str, bytes]:
    """Everybody, who is where they belong."""
    for partition, part in stored.items():
        assert {partition_of(customer, len(stored)) for customer in part.states} <= {partition}
    return {customer: packed for part in stored.values() for customer, packed in part.states.items()}


def identities(stored: Mapping[int, StoredPartition]) -> dict[bytes, Identity]:
    found = {name: packed for part in stored.values() for name, packed in part.identities.items()}
    return {name: unpack_identity(packed) for name, packed in found.items()}


def who_is_who(stored: Mapping[int, StoredPartition]) -> dict[bytes, Any]:
    """Whose events count for whom, and until when they were erased."""
    return {name: (each.erased_ms, each.into) for name, each in identities(stored).items()}


def differences(expected: Recomputed, stored: Mapping[int, StoredPartition]) -> list[Mismatch]:
    return list(compare(expected, states(stored)).mismatches)


@settings(max_examples=15)
@given(histories())
def test_events_guests_repeats_and_garbage_come_to_the_same_bit_for_bit(eras: list[Era]) -> None:
    with TemporaryDirectory() as folder:
        expected, found = always(Path(folder) / "always", eras).stored, moved(Path(folder) / "moved", eras)
        require_same(found.stored, expected)
        require_same(found.rebuilt(eras[-1].partitions), expected)


@settings(max_examples=20)
@given(histories("apart"))
def test_so_do_merges_erasures_and_records_on_wrong_partitions(eras: list[Era]) -> None:
    with TemporaryDirectory() as folder:
        expected, found = always(Path(folder) / "always", eras).stored, moved(Path(folder) / "moved", eras)
        wanted = states(expected)
        recomputed = Recomputed(list(wanted), unpack(list(wanted.values())), 0, 0)
        for stored in (found.stored, found.rebuilt(eras[-1].partitions)):
            assert differences(recomputed, stored) == []
            assert who_is_who(stored) == who_is_who(expected)


@settings(max_examples=15)
@given(histories("among"))
def test_where_they_cross_with_events_everybody_is_what_events_and_identities_come_to(eras: list[Era]) -> None:
    history = History([event for era in eras for day in era.days for event in day if isinstance(event, Event)])
    with TemporaryDirectory() as folder:
        shop = moved(Path(folder) / "moved", eras)
        again = shop.rebuilt(eras[-1].partitions)
    expected = recompute(history, 1, PLAN.decoding, WRITTEN_MS, identities=identities(shop.stored))
    assert differences(expected, shop.stored) == []
    assert (states(again), identities(again)) == (states(shop.stored), identities(shop.stored))
