"""Which midnights become snapshots never changes: labels already made would no longer be comparable."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import DAY_MS
from stream.outcomes.declaration import SAMPLE_ONE_IN_DAYS
from stream.outcomes.sampling import customer_hash, is_sampled, next_sample_ms

FIRST_DAY = 14_600


def days_of(customer: str, days: int) -> list[int]:
    """The sampled ones of the first `days` days."""
    hashes = np.full(days, customer_hash(customer), np.uint64)
    return np.flatnonzero(is_sampled(hashes, np.arange(FIRST_DAY, FIRST_DAY + days))).tolist()


def test_the_sample_is_fixed():
    assert customer_hash("17850") == 1_073_825_730_085_349_662
    assert days_of("17850", 120) == [3, 6, 61, 96]


def test_one_customer_day_in_28_is_sampled():
    hashes = np.array([customer_hash(str(number)) for number in range(2_000)], np.uint64)
    customers, days = np.meshgrid(hashes, np.arange(FIRST_DAY, FIRST_DAY + 280), indexing="ij")
    sampled = is_sampled(customers.ravel(), days.ravel()).reshape(customers.shape)
    assert abs(sampled.mean() * SAMPLE_ONE_IN_DAYS - 1) < 0.02
    assert abs(sampled.mean(axis=0) * SAMPLE_ONE_IN_DAYS - 1).max() < 0.5  # no day of the calendar is special
    assert sampled.sum(axis=1).max() < 30  # nor any customer


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.text(min_size=1), st.integers(0, 400 * DAY_MS)), min_size=1, max_size=20))
def test_the_next_sample_is_found_like_day_by_day(asked):
    hashes = np.array([customer_hash(customer) for customer, _ in asked], np.uint64)
    found = next_sample_ms(hashes, np.array([FIRST_DAY * DAY_MS + after_ms for _, after_ms in asked]))
    for one, (customer, after_ms), sample_ms in zip(hashes, asked, found.tolist(), strict=True):
        day = (FIRST_DAY * DAY_MS + after_ms) // DAY_MS + 1
        while not is_sampled(np.array([one]), np.array([day]))[0]:
            day += 1
        assert sample_ms == day * DAY_MS, customer


def test_a_midnight_is_not_the_next_one_after_itself():
    hashes, midnight_ms = np.array([customer_hash("17850")], np.uint64), (FIRST_DAY + 3) * DAY_MS
    assert next_sample_ms(hashes, np.array([midnight_ms - 1])).tolist() == [midnight_ms]
    assert next_sample_ms(hashes, np.array([midnight_ms])).tolist() == [midnight_ms + 3 * DAY_MS]
