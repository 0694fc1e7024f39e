"""Kafka's topics with another number of partitions: some are added, or the input topics are deleted and made again.

Whatever remembers a record knows it as (topic, partition, offset): the archive, the journal, positions, notes of
letters sent again. So that this stays the name of one record for ever, a new partition begins where the archive ends
for its number.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition
from kafka.admin import AlterConfigOp, KafkaAdminClient, NewTopic
from kafka.errors import (
    BrokerResponseError,
    TopicAlreadyExistsError,
    TopicDeletionDisabledError,
    UnknownTopicIdError,
    UnknownTopicOrPartitionError,
)
from msgspec.structs import replace

from ebb.history.kafka_topics import (
    FoundTopic,
    TopicGoneError,
    change_settings,
    described,
    id_of,
    overrides,
    wait_until,
)
from ebb.topic_admin import KNOWN_WITHIN_MS
from offline.archive.standing import Move
from offline.broker import BrokerError, end_offsets, readable_ends, reader
from schemas.topics import INPUT_BYTES_MAX, INPUT_TOPICS, TOPICS
from stream.errors import SettingError
from stream.worker.advancing import advance

OUTPUT_TOPICS = tuple(topic.name for topic in TOPICS if topic.partitions is None and topic.name not in INPUT_TOPICS)
CLOSED = {"max.message.bytes": "0"}
"""Settings of a topic to which nobody can write any more, transactions neither."""
WHILE_IT_IS_MADE = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": str(INPUT_BYTES_MAX),
}
"""Settings under which Kafka takes what is only to pass over offsets, and deletes it and nothing else when asked."""

Told = Callable[[str], None]
"""Is told what has been done."""


class NothingChangedError(SettingError):
    """Somebody writes, or Kafka refuses; topics are as they were."""


@dataclass
class TopicsAnew:
    """The topics of a deployment on their way to another number of partitions. Interrupted, `run` does the rest.

    Args:
        admin: of Kafka.
        servers: host:port of brokers.
        move: what is to be done, and which topics were made again.
        keep: saves it when it has changed.
        told: of each step.
    """

    admin: KafkaAdminClient
    servers: Sequence[str]
    move: Move
    keep: Callable[[Move], None]
    told: Told

    async def run(self) -> Move:
        """Do it; what was made again.

        Raises:
            NothingChangedError: everything is as it was, since somebody writes or Kafka refuses.
            EbbError: Kafka is away or refuses, or somebody else has made a topic or written to one.
        """
        try:
            if self.move.is_to_fewer:
                self._close()
            for topic in self.move.topics:
                await self._input(topic)
        except (SettingError, BrokerError, BrokerResponseError) as error:
            if self._is_as_before():
                self._undo(error)
            raise
        self._add_partitions(OUTPUT_TOPICS)
        return self.move

    def _is_as_before(self) -> bool:
        """Whether no topic was deleted, made or given a partition."""
        found = described(self.admin, self.move.topics)
        return all(
            topic in found
            and (found[topic].topic_id, found[topic].partitions) == (known.topic_id, self.move.ended.partitions)
            for topic, known in self.move.topics.items()
        )

    def _undo(self, error: Exception) -> None:
        for topic in self.move.topics:
            self._settle(topic)
        what = f"Kafka refuses: {error}." if isinstance(error, BrokerResponseError) else str(error)
        raise NothingChangedError(f"{what} Nothing was changed.") from error

    def _close(self) -> None:
        """Let nobody write to what is to be deleted, and see that the archive has all of it."""
        old: list[str] = []

        def are_closed() -> bool:
            found = described(self.admin, self.move.topics)
            old[:] = [topic for topic, known in self.move.topics.items() if id_of(found, topic) == known.topic_id]
            try:
                change_settings(self.admin, dict.fromkeys(old, CLOSED))
            except TopicGoneError:  # deleted when we were interrupted, and described to the last
                return False
            return True

        wait_until(are_closed, "delete a topic")
        if old:
            self.told(f"closed {', '.join(old)}: nobody can write there any more")
        if left := self._not_archived(old):
            raise SettingError(f"{left} Stop producers, let `ebb worker` finish, then stop it.")

    def _not_archived(self, topics: Sequence[str]) -> str:
        """What these topics hold beyond the archive, if they do."""
        if not topics:
            return ""
        ends = self.move.ended.ends
        known = {(topic, p): end for topic, of_topic in ends.items() for p, end in enumerate(of_topic)}
        more = sum(max(0, end - known.get(at, 0)) for at, end in readable_ends(self.servers, topics).items())
        if more:
            return f"{more:,} records were written meanwhile."
        places = [TopicPartition(topic, p) for topic in topics for p in range(self.move.ended.partitions)]
        with closing(reader(self.servers)) as stable, closing(reader(self.servers, "read_uncommitted")) as listed:
            is_open = stable.end_offsets(places) != listed.end_offsets(places)
        return "A transaction is open." if is_open else ""

    async def _input(self, topic: str) -> None:
        found, made = described(self.admin, [topic]).get(topic), self.move.made.get(topic, "")
        if found and found.topic_id not in (self.move.topics[topic].topic_id, made):
            self._refuse_strange(topic, found)
            self._delete(topic, found)
            found = None
        if found and found.topic_id != made and self.move.is_to_fewer:
            self._delete(topic, found)
            found = None
        if found is None:
            self._make(topic)
        else:
            self._add_partitions([topic])
        first = 0 if topic in self.move.made else self.move.ended.partitions
        await self._advance(topic, range(first, self.move.partitions))
        self._settle(topic)

    def _refuse_strange(self, topic: str, found: FoundTopic) -> None:
        """Of what somebody else has made. Without a record it may be ours, made just before we were interrupted."""
        if any(end_offsets(self.servers, [topic]).values()):
            raise _made_by_somebody(topic, found)

    def _delete(self, topic: str, found: FoundTopic) -> None:
        try:
            with suppress(UnknownTopicIdError, UnknownTopicOrPartitionError):  # it is on its way out, which we wait for
                self.admin.delete_topics([uuid.UUID(found.topic_id)])
        except TopicDeletionDisabledError as error:
            raise SettingError(
                f"Kafka does not delete topic {topic}. Set delete.topic.enable=true on its brokers."
            ) from error
        wait_until(lambda: id_of(described(self.admin, [topic]), topic) != found.topic_id, f"delete topic {topic}")
        self.told(f"deleted {topic} with its {found.partitions} partitions")

    def _make(self, topic: str) -> None:
        known = self.move.topics[topic]
        config = {**known.config, **WHILE_IT_IS_MADE}
        try:
            self.admin.create_topics([NewTopic(topic, self.move.partitions, known.replicas, topic_configs=config)])
        except TopicAlreadyExistsError as error:
            self.admin.wait_for_topics([topic], KNOWN_WITHIN_MS)
            raise _made_by_somebody(topic, described(self.admin, [topic])[topic]) from error
        self.admin.wait_for_topics([topic], KNOWN_WITHIN_MS)
        made = {**self.move.made, topic: described(self.admin, [topic])[topic].topic_id}
        self.move = replace(self.move, made=made)
        self.keep(self.move)
        self.told(f"made {topic} with {self.move.partitions} partitions")

    def _add_partitions(self, topics: Iterable[str]) -> None:
        fewer = [each for each, at in described(self.admin, topics).items() if at.partitions < self.move.partitions]
        if fewer:
            self.admin.create_partitions(dict.fromkeys(fewer, self.move.partitions))
            self.admin.wait_for_topics(fewer, KNOWN_WITHIN_MS)
            wait_until(lambda: self._all_have_them(fewer), f"add partitions to {', '.join(fewer)}")
            self.told(f"added partitions to {', '.join(fewer)}: {self.move.partitions}")

    def _all_have_them(self, topics: Sequence[str]) -> bool:
        return all(found.partitions >= self.move.partitions for found in described(self.admin, topics).values())

    async def _advance(self, topic: str, partitions: Iterable[int]) -> None:
        """Let new partitions begin where the archive ends for their numbers."""
        starts = {p: start for p in partitions if (start := self.move.starts[topic][p])}
        with closing(reader(self.servers)) as consumer:
            places = {p: TopicPartition(topic, p) for p in starts}
            begins = consumer.beginning_offsets(list(places.values())) if places else {}
        starts = {p: start for p, start in starts.items() if begins[places[p]] < start}
        if starts:
            change_settings(self.admin, {topic: WHILE_IT_IS_MADE})
            await advance(self.servers, topic, starts)
            self.admin.delete_records({places[p]: start for p, start in starts.items()})
            listed = ", ".join(f"{p}: {start:,}" for p, start in starts.items())
            self.told(f"let {topic} begin where the archive ends: {listed}")

    def _settle(self, topic: str) -> None:
        """Give a topic the settings it had."""
        wanted, found = self.move.topics[topic].config, overrides(self.admin, [topic])[topic]
        changed: dict[str, Any] = {name: value for name, value in wanted.items() if found.get(name) != value}
        changed |= dict.fromkeys(found.keys() - wanted.keys(), (AlterConfigOp.DELETE, None))
        if changed:
            change_settings(self.admin, {topic: changed})


def _made_by_somebody(topic: str, found: FoundTopic) -> SettingError:
    return SettingError(
        f"Topic {topic} was made by somebody else meanwhile, with {found.partitions} partitions: a producer was not "
        "stopped, and Kafka creates topics on demand (auto.create.topics.enable). Stop it, keep what that topic has "
        f"got since if it matters, delete the topic (kafka-topics --delete --topic {topic}) and run the same command "
        "again."
    )
