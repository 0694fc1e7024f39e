"""What the consumer thread asks of the broker, with a fetcher that talks to nobody."""

from collections import OrderedDict
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from schemas.topics import PURCHASES
from stream.worker.consumer_thread import FETCH_MAX_WAIT_MS, FETCH_WORTH_BYTES, ChunkConsumerThread

HERE = TP(PURCHASES, 0)
SOME: dict[TP, list[str]] = {HERE: ["a record"]}


class Fetcher:
    """Hands out what the test has put there."""

    _closed = False
    _fetch_max_wait_ms = _fetch_min_bytes = 0

    def __init__(self, fetches: list[dict[TP, list[str]]]) -> None:
        self.fetches, self._records = fetches, OrderedDict[Any, Any]()
        self._subscriptions = SimpleNamespace(fetch_context=nullcontext, subscription=SimpleNamespace(assignment=None))

    async def fetched_records(self, *_: Any, **__: Any) -> dict[TP, list[str]]:
        return self.fetches.pop(0)


class Thread(ChunkConsumerThread):
    """Without a thread."""

    def __init__(self, gather_s: list[float]) -> None:
        self.consumer = SimpleNamespace(flow_active=True)
        self.gather_s = lambda: gather_s.pop(0)


async def test_the_broker_gathers_for_as_long_as_the_process_says_while_records_come_and_not_for_the_first() -> None:
    fetcher, thread = Fetcher([SOME, SOME, {}, SOME]), Thread([0.03, 0.0174, 0.01])
    asked = []
    while fetcher.fetches:
        await thread._fetch_records(SimpleNamespace(_closed=False, _fetcher=fetcher), {HERE})
        asked.append((fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes))
    assert asked == [
        (30, FETCH_WORTH_BYTES),
        (17, FETCH_WORTH_BYTES),
        (FETCH_MAX_WAIT_MS, 1),
        (10, FETCH_WORTH_BYTES),
    ]
