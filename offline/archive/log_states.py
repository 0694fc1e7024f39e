"""How an archive of topics stands, beside what Kafka still has of them."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from kafka import TopicPartition

from offline.archive.files import files, gaps, partitions
from offline.archive.from_kafka import ARCHIVED_TOPICS, archive_reader
from offline.broker import broker_errors, readable_ends


@dataclass(frozen=True)
class LogState:
    """A topic-partition of an archive beside Kafka's.

    Attributes:
        topic: its name.
        partition: of the topic.
        first: the first offset the archive answers for; equal to `end` where there is none.
        end: the offset after the last.
        files: how many.
        bytes: their size.
        gaps: offsets (from, until before) that were gone before they were archived.
        log_start: the first offset that Kafka still has; None where it was not asked.
        log_end: the offset after the last that can be read, or where a log without any begins; None likewise.
    """

    topic: str
    partition: int
    first: int
    end: int
    files: int
    bytes: int
    gaps: Sequence[tuple[int, int]]
    log_start: int | None = None
    log_end: int | None = None

    @property
    def is_torn(self) -> bool:
        """Whether Kafka has lost records that the archive does not have yet."""
        return self.log_start is not None and self.log_start > self.end

    @property
    def is_another(self) -> bool:
        """Whether Kafka's log ends before the archived one: it was deleted and made again."""
        return self.log_end is not None and self.log_end < self.end


def log_states(folder: Path, servers: Sequence[str] | None = None) -> list[LogState]:
    """How an archive stands, topic-partition by topic-partition, beside Kafka if `servers` are given.

    Raises:
        BrokerError: Kafka is away, or a topic does not exist.
    """
    states = [_state(folder, topic, number) for topic in ARCHIVED_TOPICS for number in partitions(folder, topic)]
    if servers is None:
        return states
    ends = readable_ends(servers, ARCHIVED_TOPICS)
    with broker_errors(servers), closing(archive_reader(servers)) as consumer:
        starts = consumer.beginning_offsets([TopicPartition(*place) for place in ends])
    known = {(state.topic, state.partition): state for state in states}
    return [
        replace(known.get(place) or _state(folder, *place), log_start=start, log_end=max(start, end))
        for place, end in ends.items()
        for start in [starts[TopicPartition(*place)]]
    ]


def _state(folder: Path, topic: str, partition: int) -> LogState:
    found = files(folder, topic, partition)
    first, end = (found[0].first, found[-1].end) if found else (0, 0)
    return LogState(topic, partition, first, end, len(found), sum(f.path.stat().st_size for f in found), gaps(found))
