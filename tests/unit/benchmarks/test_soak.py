"""What a soak calls growth."""

from dataclasses import replace

import pytest

from benchmarks.soak import OUTBOX_MAX, Mark, growth

FLAT = Mark(
    events=0,
    events_per_s=30_000,
    resident_mb=[350.0, 340.0],
    descriptors=[17, 17],
    queued_bytes=80_000_000,
    keys={"customer": 100_000, "state": 100_000, "snapshot": 500, "due": 4},
    entries={"journal": 100, "seen": 40},
    outbox=3,
)
QUEUE_BYTES_MAX = 100_000_000


def marks(**of_the_last):
    flat = [replace(FLAT, events=number * 1_000_000) for number in range(1, 10)]
    return [*flat, replace(FLAT, events=10_000_000, **of_the_last)]


def test_what_stays_as_it_is_has_not_grown():
    assert growth(marks(), QUEUE_BYTES_MAX) == []


def test_more_customers_are_no_growth():
    assert growth(marks(keys={**FLAT.keys, "state": 200_000, "customer": 200_000}), QUEUE_BYTES_MAX) == []


def test_a_key_of_each_partition_that_comes_late_is_no_growth():
    assert growth(marks(keys={**FLAT.keys, "labels": 4}), QUEUE_BYTES_MAX) == []


@pytest.mark.parametrize(
    ("of_the_last", "said"),
    [
        ({"resident_mb": [350.0, 400.0]}, "worker 1: 340 MB after 6,000,000 events, 400 MB at the end"),
        ({"descriptors": [60, 17]}, "worker 0: 17 descriptors after 1,000,000 events, 60 at the end"),
        ({"keys": {**FLAT.keys, "due": 9}}, "4 keys due:… after 6,000,000 events, 9 at the end"),
        ({"keys": {**FLAT.keys, "labels": 5}}, "0 keys labels:… after 6,000,000 events, 5 at the end"),
        ({"keys": {**FLAT.keys, "new": 1}}, "0 keys new:… after 6,000,000 events, 1 at the end"),
        ({"queued_bytes": QUEUE_BYTES_MAX + 1}, "100,000,001 bytes were queued, 100,000,000 may be"),
        ({"outbox": OUTBOX_MAX + 1}, "20,001 messages waited to be published, 20,000 may"),
    ],
)
def test_whatever_else_grows_is_named_with_both_numbers(of_the_last, said):
    assert growth(marks(**of_the_last), QUEUE_BYTES_MAX) == [said]


def test_one_mark_says_nothing_about_growth():
    with pytest.raises(ValueError, match="mark them oftener"):
        growth(marks()[-1:], QUEUE_BYTES_MAX)
