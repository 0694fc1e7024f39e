"""How long the demo waits while nothing is applied, and what it says of it."""

import sys
from pathlib import Path

import pytest

from ebb.demo.screen import _figures
from ebb.demo.watching import Look, Patience
from ebb.services.ebb_process import EbbProcess
from stream.errors import ServiceError


def look(*, is_warm: bool, events: int = 0) -> Look:
    return Look(elapsed_s=1.0, events=events, customers=0, alerts=0, stream_time_ms=0, lag=None, is_warm=is_warm)


def test_a_worker_may_compile_for_minutes_before_a_minute_without_an_event_is_too_long() -> None:
    patience = Patience(since_s=0.0)
    for now_s in (0.0, 61.0, 300.0):
        patience.see(look(is_warm=False), now_s)
    for now_s in (301.0, 361.0):
        patience.see(look(is_warm=True), now_s)
    with pytest.raises(ServiceError, match=r"Nothing was applied for 60 s\."):
        patience.see(look(is_warm=True), 361.5)
    patience.see(look(is_warm=True, events=1), 362.0)


def test_a_worker_that_compiles_forever_is_not_waited_for() -> None:
    patience = Patience(since_s=0.0)
    patience.see(look(is_warm=False), 0.0)
    with pytest.raises(ServiceError, match=r"The worker still compiles after 1200 s\."):
        patience.see(look(is_warm=False), 1_200.5)


def test_while_the_worker_warms_up_the_bar_says_so() -> None:
    assert _figures(look(is_warm=False)) == "the worker warms up, a minute or more after an update"
    assert _figures(look(is_warm=True)) == "0 events/s  publishing  0 customers  0 alerts"


class Speaking(EbbProcess):
    """Logs the one event of its settings, and ends."""

    def prepare(self) -> list[str]:
        """As an entry of a worker's log."""
        return [sys.executable, "-c", """import os; print('{"event": "%s"}' % os.environ["EVENT"])"""]


def test_a_worker_has_warmed_up_when_it_says_so_and_not_when_one_before_it_did(tmp_path: Path) -> None:
    assert not Speaking("worker", tmp_path, {}).has_warmed_up()
    said = []
    for event in ("warmed up", "checked Redis and Kafka"):
        process = Speaking("worker", tmp_path, {"EVENT": event})
        process.start()
        process.wait()
        said.append(process.has_warmed_up())
    assert said == [True, False]
    assert process.log.read_text().count("event") == 2
