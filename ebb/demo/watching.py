"""Watching a replay being applied: how far it is, and when it is done."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from ebb.demo.deployment import DemoDeployment
from ebb.parity import lag
from offline.broker import end_offsets
from offline.replay import Replayed
from schemas.topics import INPUT_TOPICS
from stream.errors import ServiceError
from stream.redis_store.inspection import applied_positions, outbox_depths, shop_totals, stream_times

LOOK_EVERY_S = 0.25
STALLED_AFTER_S = 60.0
COMPILED_WITHIN_S = 1_200.0  # a minute of a core; beside much other work it took more than five


@dataclass(frozen=True)
class Look:
    """One look at a replay.

    `lag` counts records published and not applied, None while publishing goes on. Before `is_warm` the worker compiles.
    """

    elapsed_s: float
    events: int
    customers: int
    alerts: int
    stream_time_ms: int
    lag: int | None
    is_warm: bool

    @property
    def events_per_s(self) -> float:
        """Mean since the start."""
        return self.events / self.elapsed_s if self.elapsed_s else 0.0


@dataclass
class Patience:
    """How long a person waits for nothing: for a worker that compiles, and then for something to be applied.

    Attributes:
        since_s: when something has moved last, by a clock that only goes on.
    """

    since_s: float
    _last: tuple[bool, int, int] | None = None

    def see(self, look: Look, now_s: float) -> None:
        """Take note of a look.

        Raises:
            ServiceError: nothing has moved for too long.
        """
        reached = (look.is_warm, look.events, look.stream_time_ms)
        if reached != self._last:
            self._last, self.since_s = reached, now_s
        waited_s = now_s - self.since_s
        if not look.is_warm and waited_s > COMPILED_WITHIN_S:
            raise ServiceError(f"The worker still compiles after {COMPILED_WITHIN_S:.0f} s. See the logs in .ebb/demo.")
        if look.is_warm and waited_s > STALLED_AFTER_S:
            raise ServiceError(f"Nothing was applied for {STALLED_AFTER_S:.0f} s. See the logs in .ebb/demo.")


def looks(
    servers: list[str], redis_url: str, publishing: "Future[Replayed]", deployment: DemoDeployment
) -> Iterator[Look]:
    """Look again and again until everything published is applied and sent out.

    Raises:
        ServiceError: nothing has moved for a minute since the worker has warmed up, or it never does.
        EbbError: publishing failed, or a process ended.
    """
    began_s = time.monotonic()
    patience = Patience(began_s)
    ends: dict[tuple[str, int], int] | None = None
    while True:
        deployment.check_processes()
        if publishing.done() and ends is None:
            publishing.result()
            ends = end_offsets(servers, INPUT_TOPICS)
        now_s = time.monotonic()
        look = _look(redis_url, now_s - began_s, ends, is_warm=deployment.is_warm())
        yield look
        if look.lag == 0 and not sum(outbox_depths(redis_url).values()):
            return
        patience.see(look, now_s)
        time.sleep(LOOK_EVERY_S)


def _look(redis_url: str, elapsed_s: float, ends: dict[tuple[str, int], int] | None, *, is_warm: bool) -> Look:
    totals = shop_totals(redis_url)
    missing = None if ends is None else sum(lag(ends, applied_positions(redis_url)).values())
    return Look(
        elapsed_s=elapsed_s,
        events=totals.get("events", 0),
        customers=totals.get("customers", 0),
        alerts=totals.get("churn_alerts", 0),
        stream_time_ms=min(stream_times(redis_url).values(), default=0),
        lag=missing,
        is_warm=is_warm,
    )
