"""From samples to rates: the warm-up does not count, costs are those of the steady part."""

import pytest

from benchmarks.steady import Sample, Steady, median_run, percentile, steady


def test_the_first_fifth_does_not_count() -> None:
    slow_start = [Sample(0, 0, {"worker": 0.0}), Sample(10, 200, {"worker": 9.0}), Sample(12, 1_000, {"worker": 10.6})]
    measured = steady(slow_start, 1_000)
    assert measured.events_per_s == pytest.approx(400)
    assert measured.cpu_us["worker"] == pytest.approx(2_000)


def test_nothing_counts_before_every_process_works() -> None:
    joins_late = [Sample(0, 0, {}, False), Sample(5, 500, {}, False), Sample(6, 600, {}), Sample(8, 1_000, {})]
    measured = steady(joins_late, 1_000)
    assert (measured.events_per_s, measured.all_work) == (pytest.approx(200), True)


def test_where_some_never_work_it_is_said() -> None:
    alone = [Sample(0, 0, {}, False), Sample(5, 500, {}, False), Sample(10, 1_000, {})]
    assert not steady(alone, 1_000).all_work


def test_what_is_asked_seldom_grows_evenly_between() -> None:
    samples = [Sample(0, 0, {"commits": 0.0}), Sample(2, 200, {}), Sample(4, 400, {"commits": 40.0})]
    assert steady(samples, 200, first=0.5).cpu_us == {"commits": pytest.approx(0.1 * 1e6)}


def test_between_two_samples_the_line_between_them_counts() -> None:
    samples = [Sample(0, 0, {}), Sample(4, 400, {}), Sample(8, 1_200, {})]
    assert steady(samples, 1_000).seconds == pytest.approx(7 - 2)


def test_a_process_that_shows_itself_later_has_spent_nothing_before() -> None:
    samples = [Sample(0, 0, {}), Sample(1, 100, {"redis": 1.0}), Sample(2, 200, {"redis": 2.0})]
    assert steady(samples, 200, first=0.0).cpu_us == {"redis": pytest.approx(10_000)}


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(1, 1_001)]
    assert [percentile(values, share) for share in (0.5, 0.99, 0.999, 1.0)] == [500, 990, 999, 1_000]
    assert percentile([7.0], 0.999) == 7.0
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_one_slow_run_does_not_move_the_median() -> None:
    runs = [Steady(rate, {"worker": 1e6 / rate}, 1.0) for rate in (100.0, 10.0, 104.0)]
    assert median_run(runs).events_per_s == 100.0
    assert median_run(runs).cpu_us == {"worker": 10_000.0}
