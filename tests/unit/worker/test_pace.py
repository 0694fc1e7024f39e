"""How long records gather follows what turns of lanes take."""

import pytest

from stream.worker.pace import AIM, AT_LEAST_S, Pace

AT_MOST_S, LANES = 0.03, 4


def after(pace: Pace, turn_s: float, seconds: float, at_s: float) -> float:
    """Lanes that keep up have turns of this length for so long; the time it is then."""
    end_s = at_s + seconds
    while at_s < end_s:
        for lane in range(LANES):
            pace.took(at_s + lane * turn_s, at_s + (lane + 1) * turn_s)
        at_s += max(pace.gather_s, LANES * turn_s)
    return at_s


@pytest.mark.parametrize("turn_s", [0.0015, 0.002, 0.003])
def test_records_gather_as_briefly_as_turns_have_time_for(turn_s: float) -> None:
    pace = Pace(AT_MOST_S)
    after(pace, turn_s, 20, at_s=100)
    assert pace.gather_s == pytest.approx(LANES * turn_s / AIM, rel=0.05)


def test_who_has_little_time_lets_them_gather_as_long_as_allowed_and_who_has_much_as_briefly_as_it_is_worth() -> None:
    pace = Pace(AT_MOST_S)
    at_s = after(pace, 0.0001, 10, at_s=100)
    assert pace.gather_s == AT_LEAST_S
    at_s = after(pace, 0.05, 10, at_s)
    assert pace.gather_s == AT_MOST_S
    after(pace, 0.001, 10, at_s)
    assert pace.gather_s < AT_MOST_S


def test_a_replay_gathers_as_briefly_as_it_is_worth_whatever_turns_take() -> None:
    pace = Pace(0)
    after(pace, 0.05, 1, at_s=100)
    assert pace.gather_s == AT_LEAST_S
