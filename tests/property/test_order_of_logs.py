"""Records of several logs come in the order of their times, each log in its own order, as far as that is certain."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.alignment import merged, places_of

logs = st.lists(st.tuples(st.lists(st.integers(0, 9), max_size=8), st.booleans()), min_size=1, max_size=4)


def one_by_one(times: list[list[int]], grows: list[bool]) -> list[int]:
    """The earliest of the heads, until the head of a log that grows is not known."""
    left, reached, found = [list(each) for each in times], [0] * len(times), []
    while any(left) and all(each or not more for each, more in zip(left, grows, strict=True)):
        reached = [max(so_far, *each[:1]) if each else so_far for so_far, each in zip(reached, left, strict=True)]
        first = min((number for number, each in enumerate(left) if each), key=lambda number: reached[number])
        left[first].pop(0)
        found.append(first)
    return found


@given(logs, st.integers(0, 40))
def test_the_earliest_of_the_heads_comes_next(drawn: list[tuple[list[int], bool]], at_most: int) -> None:
    times, grows = [each for each, _ in drawn], [more for _, more in drawn]
    arrays = [np.array(each, np.int64) for each in times]
    expected = one_by_one(times, grows)
    assert merged(arrays, grows).tolist() == expected
    assert merged(arrays, grows, at_most).tolist() == expected[:at_most]


@given(st.lists(st.integers(0, 3), max_size=30))
def test_a_record_keeps_its_place_in_its_log(order: list[int]) -> None:
    counts = [order.count(log) for log in range(4)]
    records = [(log, number) for log, count in enumerate(counts) for number in range(count)]
    found = [records[place] for place in places_of(np.array(order, np.intp), counts)]
    assert [log for log, _ in found] == order
    for log in range(4):
        assert [number for of, number in found if of == log] == list(range(counts[log]))
