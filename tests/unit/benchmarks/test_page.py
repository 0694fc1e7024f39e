"""docs/performance.md says what the results say."""

import json

import pytest

from benchmarks.page import BEGIN, END, PAGE, figures, with_figures
from benchmarks.results import RESULTS


def test_the_page_is_in_step_with_the_results() -> None:
    page = PAGE.read_text()
    if not RESULTS.exists():
        assert page.partition(BEGIN)[2].partition(END)[0].strip() == "", "figures without results: run `make bench`"
        return
    assert page == with_figures(page, json.loads(RESULTS.read_text())), "run `python -m benchmarks.page`"


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks"):
        with_figures("# Performance\n", {})


def test_every_figure_has_its_unit() -> None:
    machine = {"cores": 2, "cpu": "a", "memory_gb": 8, "python": "3.11", "redis": "6.2"}
    load = {
        "ebb": 200_000,
        "quix": 80_000,
        "obvious": 10,
        "decode_limit": None,
        "ratios": {"quix": 2.5, "obvious": 20.0},
    }
    load |= {"cpu_us": {"worker": 20.0, "stages": {"step": 9.0}}, "bytes_per_customer": {"state": 500.0}}
    told = {"date": "2026-01-01", "machine": machine, "seed": 1, "events": 10, "uniform": load}
    told |= {"small": {"uniform": None}, "offline_events_per_s": 2_000_000, "offline_read_events_per_s": 1_100_000}
    said = figures(told)
    assert "| events/s | uniform |" in said
    assert "| Quix Streams | 80,000 (Ebb ×2.50) |" in said
    assert "| offline fold | 2,000,000 events/s of one core |" in said
    assert "| offline, files read and folded | 1,100,000 events/s of one core |" in said
