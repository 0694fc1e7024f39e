"""Watching a replay being applied: how far it is, and when it is done."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from ebb.cli.verify import lag
from offline.broker import end_offsets
from offline.replay import Replayed
from schemas.topics import INPUT_TOPICS
from stream.errors import ServiceError
from stream.redis_store.inspection import applied_positions, outbox_depths, shop_totals, stream_times

LOOK_EVERY_S = 0.25
STALLED_AFTER_S = 60.0


@dataclass(frozen=True)
class Look:
    """One look at a replay. `lag` counts records published and not applied, None while publishing goes on."""

    elapsed_s: float
    events: int
    customers: int
    alerts: int
    stream_time_ms: int
    lag: int | None

    @property
    def events_per_s(self) -> float:
        """Mean since the start."""
        return self.events / self.elapsed_s if self.elapsed_s else 0.0


def looks(
    servers: list[str], redis_url: str, publishing: "Future[Replayed]", check: Callable[[], None]
) -> Iterator[Look]:
    """Look again and again until everything published is applied and sent out.

    Raises:
        ServiceError: nothing has moved for a minute.
        EbbError: publishing failed, or `check` found a process ended.
    """
    began_s = moved_s = time.monotonic()
    ends: dict[tuple[str, int], int] | None = None
    last: tuple[int, int] | None = None
    while True:
        check()
        if publishing.done() and ends is None:
            publishing.result()
            ends = end_offsets(servers, INPUT_TOPICS)
        now_s = time.monotonic()
        look = _look(redis_url, now_s - began_s, ends)
        yield look
        if look.lag == 0 and not sum(outbox_depths(redis_url).values()):
            return
        if last != (look.events, look.stream_time_ms):
            last, moved_s = (look.events, look.stream_time_ms), now_s
        if now_s - moved_s > STALLED_AFTER_S:
            raise ServiceError(f"Nothing was applied for {STALLED_AFTER_S:.0f} s. See the logs in .ebb/demo.")
        time.sleep(LOOK_EVERY_S)


def _look(redis_url: str, elapsed_s: float, ends: dict[tuple[str, int], int] | None) -> Look:
    totals = shop_totals(redis_url)
    missing = None if ends is None else sum(lag(ends, applied_positions(redis_url)).values())
    return Look(
        elapsed_s=elapsed_s,
        events=totals.get("events", 0),
        customers=totals.get("customers", 0),
        alerts=totals.get("churn_alerts", 0),
        stream_time_ms=min(stream_times(redis_url).values(), default=0),
        lag=missing,
    )
