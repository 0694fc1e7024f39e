"""Topics get fewer partitions on Apache Kafka: made again, each goes on at its offsets, whatever happens meanwhile."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import (
    BrokerResponseError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    TopicAuthorizationFailedError,
    TopicDeletionDisabledError,
)

from ebb.history.kafka_topics import known_topics, require_capable
from ebb.history.topics_anew import NothingChangedError, TopicsAnew
from offline.archive.standing import Era, Move
from offline.broker import end_offsets
from schemas.topics import INVALID, PROFILES, PURCHASES
from stream.errors import SettingError
from stream.worker.advancing import FILLERS_AT_ONCE, WrittenMeanwhileError, advance

BEFORE, AFTER = 3, 2
RECORDS = {PURCHASES: [3, 0, 4], PROFILES: [0, 5, 1]}
CONFIG = {
    PURCHASES: {"cleanup.policy": "delete", "retention.ms": "777000000"},
    PROFILES: {"cleanup.policy": "compact", "max.message.bytes": "50000", "min.cleanable.dirty.ratio": "0.9"},
}

TO_FEWER = {topic: counts[:AFTER] for topic, counts in RECORDS.items()}
TO_MORE = {PURCHASES: [*RECORDS[PURCHASES], 0, 4], PROFILES: [*RECORDS[PROFILES], 2, 0]}
"""Where each partition is to begin: of numbers that were there before, where those had ended."""

CHANGES = ("alter_configs", "delete_topics", "create_topics", "create_partitions", "delete_records")


class Killed(BaseException):
    """The process has ended."""


@dataclass
class Dying:
    """An admin client whose process is killed when Kafka has done the nth change, before anybody knows of it."""

    admin: KafkaAdminClient
    lives: int

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.admin, name)
        return self._once(found) if name in CHANGES else found

    def _once(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any) -> Any:
            answer = change(*arguments)
            self.lives -= 1
            if not self.lives:
                raise Killed
            return answer

        return changed


@dataclass
class Refusing:
    """An admin client of a Kafka that refuses one kind of change."""

    admin: KafkaAdminClient
    refused: str
    error: BrokerResponseError

    def __getattr__(self, name: str) -> Any:
        return self._refuse if name == self.refused else getattr(self.admin, name)

    def _refuse(self, *_: Any) -> None:
        raise self.error


@dataclass
class Lagging:
    """An admin client of a Kafka that describes topics once more as they were."""

    admin: KafkaAdminClient
    before: list[list[Any]]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.admin, name)

    def describe_topics(self, topics: list[str]) -> Any:
        return self.before.pop() if self.before else self.admin.describe_topics(topics)


@dataclass
class Kafka:
    """Two input topics with records and settings of their own, and one of messages."""

    servers: str
    admin: KafkaAdminClient
    move: Move = field(init=False)

    def begin(self, starts: Mapping[str, list[int]] = TO_FEWER) -> None:
        """Make them, to be moved to as many partitions as `starts` has."""
        for topic, counts in RECORDS.items():
            self.admin.create_topics([NewTopic(topic, BEFORE, 1, topic_configs=CONFIG[topic])])
            self.admin.wait_for_topics([topic])
            for partition, count in enumerate(counts):
                self.send(topic, partition, count)
        ends = {topic: list(counts) for topic, counts in RECORDS.items()}
        after = len(starts[PURCHASES])
        self.move = Move(Era(BEFORE, ends=ends), after, starts, known_topics([self.servers], list(RECORDS)))

    def send(self, topic: str, partition: int, count: int = 1) -> None:
        with closing(KafkaProducer(bootstrap_servers=self.servers, acks="all")) as producer:
            for number in range(count):
                producer.send(topic, b"event", key=b"%d" % number, partition=partition).get(30)

    def go(self, admin: Any = None, told: Callable[[str], None] = lambda _: None) -> None:
        """Do what is left to be done."""
        asyncio.run(TopicsAnew(admin or self.admin, [self.servers], self.move, self.keep, told).run())

    def keep(self, move: Move) -> None:
        self.move = move

    def until(self, said: str) -> None:
        """Be killed once that was said."""

        def told(step: str) -> None:
            if step.startswith(said):
                raise Killed

        with pytest.raises(Killed):
            self.go(told=told)

    def delete(self, *topics: str) -> None:
        self.admin.delete_topics(list(topics))
        while set(topics) & set(self.admin.list_topics()):
            pass

    def config(self, topic: str) -> Mapping[str, str]:
        found = self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])["topic"][topic]
        return {name: each["value"] for name, each in found.items() if each["config_source"] == "DYNAMIC_TOPIC_CONFIG"}

    def logs(self, topic: str) -> list[tuple[int, int]]:
        """Where each partition begins and ends."""
        with closing(KafkaConsumer(bootstrap_servers=self.servers)) as consumer:
            places = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic) or ())]
            begins, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
        return [(begins[place], ends[place]) for place in places]

    def assert_made_again(self) -> None:
        for topic, starts in TO_FEWER.items():
            assert self.logs(topic) == [(start, start) for start in starts]
            assert self.config(topic) == CONFIG[topic]
        self.send(PURCHASES, 0)
        assert end_offsets([self.servers], [PURCHASES]) == {(PURCHASES, 0): 4, (PURCHASES, 1): 0}

    def assert_grown(self) -> None:
        for topic, starts in TO_MORE.items():
            before = [(0, count) for count in RECORDS[topic]]
            assert self.logs(topic) == before + [(start, start) for start in starts[BEFORE:]]
            assert self.config(topic) == CONFIG[topic]


@pytest.fixture
def kafka(empty_apache_kafka: str) -> Iterator[Kafka]:
    with closing(KafkaAdminClient(bootstrap_servers=empty_apache_kafka)) as admin:
        made = Kafka(empty_apache_kafka, admin)
        made.begin()
        yield made


@pytest.mark.parametrize(
    ("starts", "at_least"),
    [
        pytest.param(TO_FEWER, 9, id="fewer: closed, twice deleted, made, begun at its offsets, given its settings"),
        pytest.param(TO_MORE, 8, id="more: twice grown, opened for what passes over offsets, begun there, as it was"),
    ],
)
def test_killed_after_any_change_the_same_again_does_the_rest(
    kafka: Kafka, starts: Mapping[str, list[int]], at_least: int
) -> None:
    kills = 0
    for number in range(1, 100):
        kafka.delete(*RECORDS)
        kafka.begin(starts)
        dying = Dying(kafka.admin, number)
        try:
            kafka.go(dying)
        except Killed:
            kills += 1
            kafka.go()
        (kafka.assert_made_again if starts is TO_FEWER else kafka.assert_grown)()
        if dying.lives:
            break
    assert kills >= at_least


def test_a_topic_whose_deletion_was_interrupted_may_be_described_to_the_last(kafka: Kafka) -> None:
    before = kafka.admin.describe_topics(list(RECORDS))
    kafka.until("deleted")
    kafka.go(Lagging(kafka.admin, [before]))
    kafka.assert_made_again()


def test_what_was_written_since_the_archive_was_made_is_not_deleted(kafka: Kafka) -> None:
    known = dict(kafka.move.topics)
    kafka.send(PROFILES, 2)
    with pytest.raises(NothingChangedError, match="1 records were written meanwhile"):
        kafka.go()
    assert known_topics([kafka.servers], list(RECORDS)) == known, "open again, and as they were"
    kafka.send(PROFILES, 2)


@pytest.mark.parametrize(
    ("starts", "change", "error", "said"),
    [
        (TO_FEWER, "delete_topics", TopicDeletionDisabledError(), "Set delete.topic.enable=true"),
        (TO_FEWER, "delete_topics", TopicAuthorizationFailedError(), "Kafka refuses: .*TopicAuthorizationFailed"),
        (TO_MORE, "create_partitions", PolicyViolationError(), "Kafka refuses: .*PolicyViolation"),
    ],
)
def test_where_kafka_refuses_everything_is_as_it_was(
    kafka: Kafka, starts: Mapping[str, list[int]], change: str, error: BrokerResponseError, said: str
) -> None:
    kafka.delete(*RECORDS)
    kafka.begin(starts)
    known = dict(kafka.move.topics)
    with pytest.raises(NothingChangedError, match=f"{said}.* Nothing was changed"):
        kafka.go(Refusing(kafka.admin, change, error))
    assert known_topics([kafka.servers], list(RECORDS)) == known
    kafka.send(PURCHASES, 0)


def test_what_a_transaction_may_still_commit_is_not_deleted(kafka: Kafka) -> None:
    with closing(KafkaProducer(bootstrap_servers=kafka.servers, transactional_id="open")) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(PURCHASES, b"not yet", partition=1).get(30)
        with pytest.raises(NothingChangedError, match="A transaction is open"):
            kafka.go()
        producer.commit_transaction()
    assert end_offsets([kafka.servers], [PURCHASES])[PURCHASES, 1] == 2


def test_nobody_can_write_to_what_is_about_to_be_deleted(kafka: Kafka) -> None:
    kafka.until("closed")
    with pytest.raises(MessageSizeTooLargeError):
        kafka.send(PURCHASES, 0)
    kafka.go()
    kafka.assert_made_again()


def test_a_topic_that_a_producer_has_made_meanwhile_is_explained_and_its_records_kept(kafka: Kafka) -> None:
    def made_by_somebody(step: str) -> None:
        if step.startswith(f"deleted {PURCHASES}"):
            kafka.admin.create_topics([NewTopic(PURCHASES, 1, 1)])
            kafka.admin.wait_for_topics([PURCHASES])

    with pytest.raises(SettingError, match=r"was made by somebody else meanwhile, with 1 partitions: a producer"):
        kafka.go(told=made_by_somebody)
    kafka.send(PURCHASES, 0)
    with pytest.raises(SettingError, match="keep what that topic has got"):
        kafka.go()
    kafka.delete(PURCHASES)
    kafka.go()
    kafka.assert_made_again()


def test_a_record_among_the_offsets_that_are_passed_over_is_explained_and_kept(kafka: Kafka) -> None:
    kafka.until(f"made {PROFILES}")
    kafka.send(PROFILES, 1)
    with pytest.raises(WrittenMeanwhileError, match=r"profiles partition 1 at offset 0 .* a producer was not stopped"):
        kafka.go()
    assert kafka.logs(PROFILES)[1] == (0, 1)
    kafka.delete(PROFILES)
    kafka.go()
    kafka.assert_made_again()


def test_more_partitions_begin_where_those_of_their_numbers_had_ended(kafka: Kafka) -> None:
    kafka.admin.create_topics([NewTopic(INVALID, BEFORE, 1)])
    kafka.admin.wait_for_topics([INVALID])
    kafka.go()
    assert len(kafka.logs(INVALID)) == BEFORE, "who reads messages loses nothing"
    kafka.send(PURCHASES, 1, 2)
    ended = Era(AFTER, ends={PURCHASES: [3, 2], PROFILES: [0, 5]})
    starts = {PURCHASES: [3, 2, 4, 0], PROFILES: [0, 5, 1, 0]}
    kafka.move = Move(ended, 4, starts, known_topics([kafka.servers], list(RECORDS)))
    known = dict(kafka.move.topics)
    kafka.go()
    assert kafka.logs(PURCHASES) == [(3, 3), (0, 2), (4, 4), (0, 0)]
    assert kafka.logs(PROFILES) == [(0, 0), (5, 5), (1, 1), (0, 0)]
    assert len(kafka.logs(INVALID)) == 4
    assert kafka.config(PROFILES) == CONFIG[PROFILES]
    assert known_topics([kafka.servers], list(RECORDS)) == known, "nothing is deleted"


def test_a_broker_that_cannot_is_refused_before_anything_is_changed(embedded_kafka: str) -> None:
    with pytest.raises(SettingError, match="cannot change the partitions of a topic"):
        require_capable([embedded_kafka])


def test_a_partition_that_was_half_advanced_goes_on(empty_apache_kafka: str) -> None:
    servers, half, end = [empty_apache_kafka], FILLERS_AT_ONCE + 7, 2 * FILLERS_AT_ONCE + 1
    with closing(KafkaAdminClient(bootstrap_servers=servers)) as admin:
        admin.create_topics([NewTopic(PURCHASES, 2, 1)])
        admin.wait_for_topics([PURCHASES])
    for ends in ({0: half}, {0: end, 1: 1}, {0: half}):
        asyncio.run(advance(servers, PURCHASES, ends))
    assert end_offsets(servers, [PURCHASES]) == {(PURCHASES, 0): end, (PURCHASES, 1): 1}
