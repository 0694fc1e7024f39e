"""A value on which decoding fails: what is a bug of Ebb's, what is none, and what becomes of its neighbours."""

from collections.abc import Sequence
from itertools import count

import pytest

from stream.bugs import Bug, rejecting_bugs


def taken(fails: dict[bytes, int], *values: bytes, another_each_time: bool = False) -> Sequence[object]:
    """What values come to where those of `fails` fail so many times when they are asked for."""
    left, lines = dict(fails), count()

    def decode(_topic: str, values: Sequence[bytes | None], _timestamps_ms: Sequence[int]) -> Sequence[object]:
        for value in values:
            if left.get(value or b"", 0):
                left[value or b""] -= 1
                raise (KeyError if another_each_time and next(lines) % 2 else ValueError)(value)
        return values

    return rejecting_bugs(decode)("purchases", values, [0] * len(values))


def test_what_fails_whenever_it_is_asked_for_is_a_bug_and_its_neighbours_are_what_they_are():
    one, bug, other = taken({b"odd": 99}, b"one", b"odd", b"other")
    assert (one, other) == (b"one", b"other")
    assert isinstance(bug, Bug)
    assert bug.reason == "bug"
    assert bug.detail.startswith("ValueError: b'odd' (test_bugs.py line ")


@pytest.mark.parametrize("times", [1, 2])
def test_what_has_failed_once_or_twice_and_then_works_is_no_bug(times: int):
    assert taken({b"odd": times}, b"odd") == [b"odd"]


def test_what_fails_in_another_way_each_time_is_no_property_of_the_value_and_is_raised():
    with pytest.raises(KeyError):
        taken({b"odd": 99}, b"odd", another_each_time=True)
