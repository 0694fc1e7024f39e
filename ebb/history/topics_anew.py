"""Kafka's topics with another number of partitions: some are added, or the input topics are deleted and made again.

Whatever remembers a record knows it as (topic, partition, offset): the archive, the journal, positions, notes of
letters sent again. So that this stays the name of one record for ever, a new partition begins where the archive ends
for its number.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.admin import AlterConfigOp, ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import (
    TopicAlreadyExistsError,
    TopicDeletionDisabledError,
    UnknownTopicIdError,
    UnknownTopicOrPartitionError,
)
from kafka.protocol.api_key import ApiKey
from msgspec.structs import replace

from ebb.topic_admin import KNOWN_WITHIN_MS
from offline.archive.from_kafka import NO_TOPIC_ID
from offline.archive.standing import KnownTopic, Move
from offline.broker import CONNECT_WITHIN_MS, BrokerError, broker_errors, end_offsets, readable_ends, reader
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
LOOK_EVERY_S = 0.1

Told = Callable[[str], None]
"""Is told what has been done."""


class StillWrittenError(SettingError):
    """Something has been written since the archive was brought up to date; nothing was changed."""


class _Found(NamedTuple):
    topic_id: str
    partitions: int
    replicas: int


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
            StillWrittenError: nothing was changed, since somebody writes.
            EbbError: Kafka is away or refuses, or somebody else has made a topic or written to one.
        """
        if self.move.is_to_fewer:
            self._close()
        for topic in self.move.topics:
            await self._input(topic)
        self._add_partitions(OUTPUT_TOPICS)
        return self.move

    def _close(self) -> None:
        """Let nobody write to what is to be deleted, and see that the archive has all of it."""
        found = _described(self.admin, self.move.topics)
        old = [topic for topic, known in self.move.topics.items() if _id_of(found, topic) == known.topic_id]
        _set(self.admin, dict.fromkeys(old, CLOSED))
        if old:
            self.told(f"closed {', '.join(old)}: nobody can write there any more")
        left = self._not_archived(old)
        if not left:
            return
        if len(old) < len(self.move.topics):
            raise SettingError(f"{left} They are not deleted: stop producers, apply and archive them by hand.")
        for topic in old:
            self._settle(topic)
        raise StillWrittenError(f"{left} Stop producers, let `ebb worker` finish, then stop it. Nothing was changed.")

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
        found, made = _described(self.admin, [topic]).get(topic), self.move.made.get(topic, "")
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

    def _refuse_strange(self, topic: str, found: _Found) -> None:
        """Of what somebody else has made. Without a record it may be ours, made just before we were interrupted."""
        if any(end_offsets(self.servers, [topic]).values()):
            raise _made_by_somebody(topic, found)

    def _delete(self, topic: str, found: _Found) -> None:
        try:
            self.admin.delete_topics([uuid.UUID(found.topic_id)])
        except (UnknownTopicIdError, UnknownTopicOrPartitionError):
            pass  # it is on its way out
        except TopicDeletionDisabledError as error:
            raise SettingError(
                f"Kafka does not delete topic {topic}: set delete.topic.enable=true on its brokers, then run the same "
                "command again."
            ) from error
        _wait(lambda: _id_of(_described(self.admin, [topic]), topic) != found.topic_id, f"delete topic {topic}")
        self.told(f"deleted {topic} with its {found.partitions} partitions")

    def _make(self, topic: str) -> None:
        known = self.move.topics[topic]
        config = {**known.config, **WHILE_IT_IS_MADE}
        try:
            self.admin.create_topics([NewTopic(topic, self.move.partitions, known.replicas, topic_configs=config)])
        except TopicAlreadyExistsError as error:
            self.admin.wait_for_topics([topic], KNOWN_WITHIN_MS)
            raise _made_by_somebody(topic, _described(self.admin, [topic])[topic]) from error
        self.admin.wait_for_topics([topic], KNOWN_WITHIN_MS)
        made = {**self.move.made, topic: _described(self.admin, [topic])[topic].topic_id}
        self.move = replace(self.move, made=made)
        self.keep(self.move)
        self.told(f"made {topic} with {self.move.partitions} partitions")

    def _add_partitions(self, topics: Iterable[str]) -> None:
        fewer = [each for each, at in _described(self.admin, topics).items() if at.partitions < self.move.partitions]
        if fewer:
            self.admin.create_partitions(dict.fromkeys(fewer, self.move.partitions))
            self.admin.wait_for_topics(fewer, KNOWN_WITHIN_MS)
            _wait(lambda: self._all_have_them(fewer), f"add partitions to {', '.join(fewer)}")
            self.told(f"added partitions to {', '.join(fewer)}: {self.move.partitions}")

    def _all_have_them(self, topics: Sequence[str]) -> bool:
        return all(found.partitions >= self.move.partitions for found in _described(self.admin, topics).values())

    async def _advance(self, topic: str, partitions: Iterable[int]) -> None:
        """Let new partitions begin where the archive ends for their numbers."""
        starts = {p: start for p in partitions if (start := self.move.starts[topic][p])}
        with closing(reader(self.servers)) as consumer:
            places = {p: TopicPartition(topic, p) for p in starts}
            begins = consumer.beginning_offsets(list(places.values())) if places else {}
        starts = {p: start for p, start in starts.items() if begins[places[p]] < start}
        if starts:
            _set(self.admin, {topic: WHILE_IT_IS_MADE})
            await advance(self.servers, topic, starts)
            self.admin.delete_records({places[p]: start for p, start in starts.items()})
            listed = ", ".join(f"{p}: {start:,}" for p, start in starts.items())
            self.told(f"let {topic} begin where the archive ends: {listed}")

    def _settle(self, topic: str) -> None:
        """Give a topic the settings it had."""
        wanted, found = self.move.topics[topic].config, _overrides(self.admin, [topic])[topic]
        changed: dict[str, Any] = {name: value for name, value in wanted.items() if found.get(name) != value}
        changed |= dict.fromkeys(found.keys() - wanted.keys(), (AlterConfigOp.DELETE, None))
        if changed:
            _set(self.admin, {topic: changed})


def require_capable(servers: Sequence[str]) -> None:
    """See that partitions of topics can be changed.

    Raises:
        SettingError: not on this broker.
        BrokerError: Kafka is away.
    """
    with broker_errors(servers), closing(admin_of(servers)) as admin:
        if ApiKey.CreatePartitions not in admin.api_versions():
            raise SettingError(
                f"The broker at {','.join(servers)} cannot change the partitions of a topic; neither can the embedded "
                "one. Apache Kafka can. Nothing was changed."
            )


def known_topics(servers: Sequence[str], topics: Sequence[str]) -> dict[str, KnownTopic]:
    """How topics are, so that they can be made again.

    Raises:
        BrokerError: Kafka is away, or a topic does not exist.
    """
    with broker_errors(servers), closing(admin_of(servers)) as admin:
        found, overrides = _described(admin, topics), _overrides(admin, topics)
    missing = [topic for topic in topics if topic not in found]
    if missing:
        raise BrokerError(f"Topic {missing[0]} does not exist. `ebb worker` creates all topics.")
    return {topic: KnownTopic(found[topic].topic_id, found[topic].replicas, overrides[topic]) for topic in topics}


def admin_of(servers: Sequence[str]) -> KafkaAdminClient:
    """A client that administers topics, to be closed by the caller."""
    return KafkaAdminClient(bootstrap_servers=list(servers), bootstrap_timeout_ms=CONNECT_WITHIN_MS)


def partition_counts(servers: Sequence[str], topics: Sequence[str]) -> dict[str, int]:
    """Topic -> its number of partitions; those that do not exist are absent."""
    with broker_errors(servers), closing(admin_of(servers)) as admin:
        return {topic: found.partitions for topic, found in _described(admin, topics).items()}


def _described(admin: KafkaAdminClient, topics: Iterable[str]) -> dict[str, _Found]:
    return {
        each["name"]: _Found(
            "" if (topic_id := str(each.get("topic_id") or "").replace("-", "")) == NO_TOPIC_ID else topic_id,
            len(each["partitions"]),
            len(each["partitions"][0]["replica_nodes"]),
        )
        for each in admin.describe_topics(list(topics))
        if each["partitions"]
    }


def _id_of(found: Mapping[str, _Found], topic: str) -> str | None:
    return found[topic].topic_id if topic in found else None


def _overrides(admin: KafkaAdminClient, topics: Iterable[str]) -> dict[str, dict[str, str]]:
    """The settings that topics have of their own."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    found = admin.describe_configs(asked).get("topic", {}) if asked else {}
    return {
        topic: {name: each["value"] for name, each in some.items() if each["config_source"] == "DYNAMIC_TOPIC_CONFIG"}
        for topic, some in found.items()
    }


def _set(admin: KafkaAdminClient, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Change settings of topics, and wait until Kafka goes by them."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic, dict(changed)) for topic, changed in changes.items()]
    answers = admin.alter_configs(asked).get("topic", {}) if asked else {}
    refused = {topic: answer for topic, answer in answers.items() if answer != "OK"}
    if refused:
        topic, answer = next(iter(refused.items()))
        raise BrokerError(f"Kafka refuses {dict(changes[topic])} of topic {topic}: {answer}.")
    plain = {
        topic: {name: value for name, value in changed.items() if isinstance(value, str)}
        for topic, changed in changes.items()
    }
    _wait(lambda: all(_overrides(admin, [topic])[topic].items() >= some.items() for topic, some in plain.items()),
          "go by the settings of its topics")  # fmt: skip


def _wait(is_done: Callable[[], bool], what: str) -> None:
    until_s = monotonic() + KNOWN_WITHIN_MS / 1000
    while not is_done():
        if monotonic() > until_s:
            raise BrokerError(
                f"Kafka did not {what} within {KNOWN_WITHIN_MS / 1000:.0f} s. Run the same command again."
            )
        sleep(LOOK_EVERY_S)


def _made_by_somebody(topic: str, found: _Found) -> SettingError:
    return SettingError(
        f"Topic {topic} was made by somebody else meanwhile, with {found.partitions} partitions: a producer was not "
        "stopped, and Kafka creates topics on demand (auto.create.topics.enable). Stop it, keep what that topic has "
        f"got since if it matters, delete the topic (kafka-topics --delete --topic {topic}) and run the same command "
        "again."
    )
