"""What Kafka says of topics, and how their settings are changed."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from time import monotonic, sleep
from typing import Any, NamedTuple

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import UnknownTopicOrPartitionError
from kafka.protocol.api_key import ApiKey

from ebb.topic_admin import KNOWN_WITHIN_MS
from offline.archive.from_kafka import told_id
from offline.archive.standing import KnownTopic
from offline.broker import CONNECT_WITHIN_MS, BrokerError, broker_errors
from stream.errors import SettingError

LOOK_EVERY_S = 0.1


class FoundTopic(NamedTuple):
    """A topic as Kafka has it now; its id is empty where Kafka tells none."""

    topic_id: str
    partitions: int
    replicas: int


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
        found, settings = described(admin, topics), overrides(admin, topics)
    missing = [topic for topic in topics if topic not in found]
    if missing:
        raise BrokerError(f"Topic {missing[0]} does not exist. `ebb worker` creates all topics.")
    return {topic: KnownTopic(found[topic].topic_id, found[topic].replicas, settings[topic]) for topic in topics}


def admin_of(servers: Sequence[str]) -> KafkaAdminClient:
    """A client that administers topics, to be closed by the caller."""
    return KafkaAdminClient(bootstrap_servers=list(servers), bootstrap_timeout_ms=CONNECT_WITHIN_MS)


def partition_counts(servers: Sequence[str], topics: Sequence[str]) -> dict[str, int]:
    """Topic -> its number of partitions; those that do not exist are absent."""
    with broker_errors(servers), closing(admin_of(servers)) as admin:
        return {topic: found.partitions for topic, found in described(admin, topics).items()}


def described(admin: KafkaAdminClient, topics: Iterable[str]) -> dict[str, FoundTopic]:
    """The topics that exist."""
    return {
        each["name"]: FoundTopic(
            told_id(each),
            len(each["partitions"]),
            len(each["partitions"][0]["replica_nodes"]),
        )
        for each in admin.describe_topics(list(topics))
        if each["partitions"]
    }


def id_of(found: Mapping[str, FoundTopic], topic: str) -> str | None:
    """The id of one of them; None of a topic that does not exist."""
    return found[topic].topic_id if topic in found else None


def overrides(admin: KafkaAdminClient, topics: Iterable[str]) -> dict[str, dict[str, str]]:
    """The settings that topics have of their own."""
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    found = admin.describe_configs(asked).get("topic", {}) if asked else {}
    return {
        topic: {name: each["value"] for name, each in some.items() if each["config_source"] == "DYNAMIC_TOPIC_CONFIG"}
        for topic, some in found.items()
    }


_UNKNOWN_TOPIC = f"[Error {UnknownTopicOrPartitionError.errno}]"  # the client gives answers about settings as texts


class TopicGoneError(BrokerError):
    """A topic whose settings were to be changed does not exist any more; for a moment it may still be described."""


def change_settings(admin: KafkaAdminClient, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Change settings of topics, and wait until Kafka goes by them.

    Raises:
        TopicGoneError: one does not exist any more.
        BrokerError: Kafka refuses.
    """
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic, dict(changed)) for topic, changed in changes.items()]
    try:
        answers = admin.alter_configs(asked).get("topic", {}) if asked else {}
    except ValueError as error:  # the client asks first which settings there are; of a topic that is gone none
        raise TopicGoneError(f"Kafka knows no settings of {', '.join(changes)}: {error}.") from error
    refused = {topic: answer for topic, answer in answers.items() if answer != "OK"}
    if refused:
        topic, answer = next(iter(refused.items()))
        kind = TopicGoneError if answer.startswith(_UNKNOWN_TOPIC) else BrokerError
        raise kind(f"Kafka refuses {dict(changes[topic])} of topic {topic}: {answer}.")
    plain = {
        topic: {name: value for name, value in changed.items() if isinstance(value, str)}
        for topic, changed in changes.items()
    }
    wait_until(lambda: all(_goes_by(admin, *each) for each in plain.items()), "go by the settings of its topics")


def _goes_by(admin: KafkaAdminClient, topic: str, settings: Mapping[str, str]) -> bool:
    found = overrides(admin, [topic])
    if topic not in found:
        raise TopicGoneError(f"Topic {topic} does not exist any more.")
    return found[topic].items() >= settings.items()


def wait_until(is_done: Callable[[], bool], what: str) -> None:
    """Look until Kafka has done something.

    Raises:
        BrokerError: it has not, for long.
    """
    until_s = monotonic() + KNOWN_WITHIN_MS / 1000
    while not is_done():
        if monotonic() > until_s:
            raise BrokerError(
                f"Kafka did not {what} within {KNOWN_WITHIN_MS / 1000:.0f} s. Run the same command again."
            )
        sleep(LOOK_EVERY_S)
