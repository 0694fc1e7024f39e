"""A bug of our own: the worker stops loudly and commits nothing of the chunk; once mended it goes on where it was."""

from pathlib import Path
from typing import Any

import pytest

from ebb.lookup import Lookup
from schemas.topics import PURCHASES
from schemas.units import DAY_MS
from stream.errors import UnknownCustomerError
from stream.redis_store.inspection import shop_totals
from tests.integration.live_events import customers_of, now_ms, purchase
from tests.integration.processes import deployed, eventually

BROKEN = Path(__file__).with_name("broken_worker.py")


def test_a_bug_stops_the_worker_and_after_the_fix_it_goes_on_where_it_was(
    embedded_kafka: str, redis_url: str, tmp_path: Path
) -> None:
    before, neighbour, trigger, after = customers_of(0, 4, "customer")
    with deployed(embedded_kafka, redis_url, tmp_path, broker="embedded", clock="live") as shop:
        broken = shop.start("worker", script=BROKEN)
        eventually(lambda: broken.said("lane started"))
        shop.send(PURCHASES, purchase(before, now_ms(), "1"))
        shop.wait_until_applied()
        events: list[Any] = [purchase(neighbour, now_ms(), "2")]
        events += [purchase(trigger, now_ms() - 400 * DAY_MS, "3"), purchase(after, now_ms(), "4")]
        shop.send(PURCHASES, *events)
        assert broken.exit_code() == 1
        assert "ZeroDivisionError: the bug" in broken.output()
        assert shop.applied() <= 2, "the chunk with the bug in it must not be committed"
        with pytest.raises(UnknownCustomerError):
            Lookup(redis_url).get(trigger)
        shop.processes.clear()
        shop.start("worker")
        shop.wait_until_applied()
        purchases = [
            Lookup(redis_url).get(customer).features["purchases"] for customer in (before, neighbour, trigger, after)
        ]
        assert purchases == [1, 1, 1, 1]
        assert shop_totals(redis_url)["events"] == 4
