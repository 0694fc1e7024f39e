"""The search for the first change: it is found where it is, no later than the grid allows, whoever else is asked."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.scoring.deadlines import SECTIONS, SHORTEST_SEARCH_MS, first_change_ms

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
NOW_MS = 14_600 * DAY_MS
CHANGES_MS = st.lists(st.integers(1, 2 * WEEK_MS), min_size=1, max_size=30)
WIDTHS_MS = st.sampled_from([SHORTEST_SEARCH_MS, SHORTEST_SEARCH_MS + 10_007, DAY_MS, WEEK_MS])


def found(changes_ms: np.ndarray, now_ms: np.ndarray, width_ms: int) -> np.ndarray:
    """Where customers that change at `now_ms + changes_ms`, for good, are found to."""
    return first_change_ms(lambda rows, at_ms: at_ms >= (now_ms + changes_ms)[rows], now_ms, now_ms + width_ms)


@settings(max_examples=200, deadline=None)
@given(CHANGES_MS, WIDTHS_MS)
def test_it_has_changed_by_then_and_not_a_grid_width_before(changes: list[int], width_ms: int) -> None:
    changes_ms = np.array(changes)
    now_ms = NOW_MS + np.arange(len(changes)) * 1_001
    after_ms = found(changes_ms, now_ms, width_ms) - now_ms
    grid_ms = -(-width_ms // SHORTEST_SEARCH_MS) + len(SECTIONS)  # each pass rounds down once
    changed = changes_ms <= width_ms
    assert (after_ms[~changed] == width_ms).all()
    assert (after_ms[changed] >= changes_ms[changed]).all()
    assert (after_ms[changed] < changes_ms[changed] + grid_ms).all()
    assert (after_ms > 0).all()


@settings(max_examples=50, deadline=None)
@given(CHANGES_MS, WIDTHS_MS, st.integers(1, 5))
def test_a_customer_is_found_alike_alone_and_among_others(changes: list[int], width_ms: int, group: int) -> None:
    changes_ms = np.array(changes)
    now_ms = NOW_MS + np.arange(len(changes)) * 777
    together = found(changes_ms, now_ms, width_ms)
    apart = [
        found(changes_ms[start : start + group], now_ms[start : start + group], width_ms)
        for start in range(0, len(changes), group)
    ]
    assert np.concatenate(apart).tolist() == together.tolist()


@given(st.integers(1, 8), st.integers(1, WEEK_MS // 64))
def test_a_change_that_lasts_an_eighth_of_the_time_is_not_missed(eighth: int, before_ms: int) -> None:
    begin_ms = eighth * WEEK_MS // 8 - before_ms
    end_ms = begin_ms + WEEK_MS // 8

    def passing(_: np.ndarray, at_ms: np.ndarray) -> np.ndarray:
        return (at_ms >= begin_ms) & (at_ms < end_ms)

    (at_ms,) = first_change_ms(passing, np.array([0]), np.array([WEEK_MS])).tolist()
    assert begin_ms <= at_ms < begin_ms + WEEK_MS // SHORTEST_SEARCH_MS + len(SECTIONS) + 1


def test_nobody_is_asked_about_nobody() -> None:
    def never(rows: np.ndarray, _: np.ndarray) -> np.ndarray:
        raise AssertionError(rows)

    assert first_change_ms(never, np.zeros(0, np.int64), np.zeros(0, np.int64)).tolist() == []
