"""A worker that gets the records of one topic late: when another topic has been paused for leading too far."""

import os

import structlog

import stream.worker.chunk_app
import stream.worker.partition_lane
from ebb.compose.worker import run_worker
from schemas.topics import ENGAGEMENT, PURCHASES
from stream.settings.load import load_worker_settings
from stream.settings.logs import configure_logging
from stream.worker.fetched import Fetched
from stream.worker.lane import Lane

FETCHES_IN_BETWEEN = 3
"""So often something else is fetched before the topic is handed over: time enough for the paused one to come again."""

log = structlog.get_logger()


class HeldBack(Lane):
    """Keeps back what is fetched of engagement until purchases have been paused for a while."""

    def __init__(self, **arguments) -> None:
        super().__init__(**arguments)
        self._kept: list[Fetched] = []
        self._countdown = FETCHES_IN_BETWEEN
        self._paused_at: int | None = None

    async def deliver(self, fetched: Fetched) -> None:
        if self._countdown and fetched.tp.topic == ENGAGEMENT:
            self._kept.append(fetched)
            self._countdown -= PURCHASES in self._held
        else:
            await super().deliver(fetched)
            if self._countdown and self._paused_at is None and PURCHASES in self._held:
                self._paused_at = self._inbox.tail(PURCHASES)
        if self._kept and (not self._countdown or (self._paused_at is not None and self._nothing_more())):
            self._countdown = 0
            await self._hand_over()

    def _nothing_more(self) -> bool:
        """Whether the topic held back has been fetched to its end, so that no later fetch will count."""
        last = self._kept[-1]
        return self._fetching.is_read_to_end(last.tp, last.records[-1].offset + 1)

    async def _hand_over(self) -> None:
        tail, partition = self._inbox.tail(PURCHASES), self._kept[0].tp.partition
        applied = self._applying.applied.get(PURCHASES, 0)
        log.info("handed over", partition=partition, paused_at=self._paused_at, tail=tail, applied=applied)
        kept, self._kept = self._kept, []
        for fetched in kept:
            await super().deliver(fetched)


def main() -> None:
    stream.worker.chunk_app.FETCH_BYTES = int(os.environ["FETCH_BYTES"])
    stream.worker.partition_lane.Lane = HeldBack
    settings = load_worker_settings()
    configure_logging("worker", settings)
    run_worker(settings)


if __name__ == "__main__":
    main()
