"""Whoever lives where: a history moved between numbers of partitions is one that has always had the last number."""

import random
from pathlib import Path

from schemas.events import Event, OrderLine, PageView, Purchase
from schemas.units import DAY_MS
from stream.memory_store import StoredPartition
from tests.archived_shop import Shop
from tests.world import BEGIN_MS

SAME = ("states", "views", "deadlines", "segments", "risks", "labels", "snapshots", "totals")


def shopping(first_day: int, last_day: int) -> list[Event]:
    """Fifty customers who come as they like, some of whom stay away, and guests."""
    dice, events = random.Random(first_day), []
    for number in range(50):
        for day in range(first_day, last_day if number % 3 else first_day + 20):
            time_ms = BEGIN_MS + day * DAY_MS + dice.randrange(DAY_MS)
            common = {"event_id": f"{number}-{day}", "event_time_ms": time_ms}
            customer = None if number == 49 else f"customer-{number}"
            if dice.random() < 0.2:
                lines = [OrderLine(product_id="85048", quantity=2, unit_price="12.50")]
                events.append(Purchase(customer_id=customer, currency="GBP", lines=lines, **common))
            elif dice.random() < 0.2:
                events.append(PageView(customer_id=customer, **common))
    return sorted(events, key=lambda event: event.event_time_ms)


def assert_same(found: dict[int, StoredPartition], expected: dict[int, StoredPartition]) -> None:
    assert found.keys() == expected.keys()
    for partition, stored in expected.items():
        for name in SAME:
            assert getattr(found[partition], name) == getattr(stored, name), (partition, name)
        assert found[partition].head.stream_time_ms == stored.head.stream_time_ms


def test_a_history_moved_to_more_partitions_is_as_if_it_had_always_had_them(tmp_path: Path) -> None:
    first, then = shopping(0, 60), shopping(60, 90)
    always, moved = Shop(tmp_path / "always"), Shop(tmp_path / "moved")
    always.open(first, 6)
    moved.open(first, 4)
    assert any(stored.segments.get("At Risk") for stored in always.stored.values())
    assert any(stored.labels for stored in always.stored.values())

    positions = {number: stored.head.positions for number, stored in moved.stored.items()}
    moved.move(4, 6)
    assert_same(moved.stored, always.stored)
    for number, of_log in positions.items():
        assert moved.stored[number].head.positions == of_log

    always.open(then, 6)
    moved.open(then, 6)
    moved.archive()
    assert_same(moved.stored, always.stored)
    assert_same(moved.rebuilt(6), always.stored)  # lost after it was moved


def test_so_is_one_that_goes_to_fewer_and_to_more_again_and_to_a_single_one(tmp_path: Path) -> None:
    moved, counts = Shop(tmp_path / "moved"), (3, 2, 4, 1)
    for number, count in enumerate(counts):
        if number:
            moved.move(counts[number - 1], count)
        moved.open(shopping(30 * number, 30 * number + 30), count)
    always = Shop(tmp_path / "always")
    for number in range(len(counts)):
        always.open(shopping(30 * number, 30 * number + 30), counts[-1])
    moved.archive()
    assert_same(moved.stored, always.stored)
    assert_same(moved.rebuilt(counts[-1]), always.stored)
