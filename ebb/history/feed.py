"""Archived logs put into a lane's queues, so that a clock of the worker times records which nobody has noted."""

from collections.abc import Mapping

from ebb.history.archived_log import ArchivedLog
from ebb.history.stretches import AT_ONCE, NO_LIMIT
from stream.bugs import Decode
from stream.worker.fetched import Fetched
from stream.worker.hearing import Heard
from stream.worker.inbox import Batch, Inbox
from stream.worker.timing import LaneLimits, LiveTiming, ReplayTiming, Timing

FED_AT_ONCE = 2_000  # records of each topic that wait to be timed


class Feed:
    """Queues of one partition, filled from its archived logs as a consumer would."""

    def __init__(
        self, partition: int, logs: Mapping[str, ArchivedLog], ends: Mapping[str, int], decode: Decode
    ) -> None:
        self._partition, self._logs, self._ends = partition, logs, ends
        self.inbox = Inbox({topic: logs[topic].position for topic in ends}, decode)
        self._last_ms = 0

    def timing(self, clock: str, stream_time_ms: int, heard: Heard) -> Timing:
        """The clock of the deployment, from there. The wall stands where the records were written: nothing ticks."""
        limits = LaneLimits(AT_ONCE, NO_LIMIT, NO_LIMIT, tick_ms=NO_LIMIT)
        if clock == "replay":
            return ReplayTiming(stream_time_ms, limits)
        return LiveTiming(stream_time_ms, heard, limits, self._partition, self, lambda: self._last_ms)

    def is_read_to_end(self, tp: tuple[str, int], next_offset: int) -> bool:
        """Whether everything of a topic is queued."""
        return not self._logs[tp[0]].has_before(self._ends[tp[0]])

    def more(self) -> bool:
        """Queue more of each topic that runs low; False when there is nothing more."""
        queued = [self._queue(topic) for topic in self._ends]
        return any(queued)

    def left(self) -> Batch | None:
        """Everything that is queued, whatever the clock waits for."""
        return self.inbox.take_live(NO_LIMIT, NO_LIMIT)

    def _queue(self, topic: str) -> bool:
        log = self._logs[topic]
        before = self.inbox.tail(topic)
        records = log.until(self._ends[topic], FED_AT_ONCE)
        if records:
            self.inbox.put(Fetched.of(topic, self._partition, before, records))
            self._last_ms = max(self._last_ms, records[-1].timestamp)
        return bool(records)
