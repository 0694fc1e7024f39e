"""What a benchmark writes down: ratios are taken within a round, and the shape is the one that is promised."""

from benchmarks.comparing import Throughput, small_summary, summary
from benchmarks.results import table
from benchmarks.steady import Steady

NAMES = ("ebb", "small_ebb", "obvious", "quix", "decode_limit")


def measured(**rates: list[float]) -> Throughput:
    """Runs with one process, one a round."""
    found = Throughput(bytes_per_customer={"state": 500.0})
    for name, of_rounds in rates.items():
        spent = {"worker": 20.0} | ({"stage_step": 12.0} if name == "ebb" else {})
        found.runs[name][1] = [Steady(rate, spent, 10.0) for rate in of_rounds]
    return found


FOUND = measured(
    ebb=[300.0, 100.0, 200.0],
    small_ebb=[900.0, 900.0, 900.0],
    obvious=[10.0, 10.0, 10.0],
    quix=[150.0, 40.0, 80.0],
    decode_limit=[1_000.0, 1_000.0, 1_000.0],
)


def test_a_ratio_compares_runs_of_the_same_round() -> None:
    assert FOUND.ratio("ebb", "quix") == 2.5, "the median of 2, 2.5 and 2.5: the slow round was slow for both"


def test_the_number_of_processes_that_was_faster_first_goes_on() -> None:
    found = measured(ebb=[100.0])
    found.runs["ebb"][2] = [Steady(150.0, {}, 1.0)]
    assert found.best_processes("ebb") == 2


def test_a_load_is_told_in_the_promised_shape() -> None:
    told = summary(FOUND, NAMES)
    assert {name: told[name] for name in ("ebb", "obvious", "quix", "decode_limit")} == {
        "ebb": 200,
        "obvious": 10,
        "quix": 80,
        "decode_limit": 1_000,
    }
    assert told["cpu_us"] == {"worker": 20.0, "stages": {"step": 12.0}}
    assert told["bytes_per_customer"] == {"state": 500.0}
    assert small_summary(FOUND, NAMES) == {
        "ebb": 900,
        "obvious": 10,
        "quix": 80,
        "ratios": {"obvious": 90.0, "quix": 11.25, "decode_limit": 0.9},
    }


def test_the_table_names_everybody_with_the_unit() -> None:
    told = summary(FOUND, NAMES) | {"customers": 1_234}
    shown = table({"uniform": told, "small": {"uniform": small_summary(FOUND, NAMES)}})
    assert "Ebb                    200 events/s" in shown
    assert "Ebb is 2.50 times as fast" in shown
    assert "state 500" in shown


def test_what_was_left_out_is_null() -> None:
    told = summary(measured(quix=[80.0]), ["quix"]) | {"customers": 10}
    assert told["ebb"] is None
    assert told["cpu_us"] is None
    assert "Quix Streams" in table({"zipf": told})
