"""Topics: created as `schemas.topics` says, and checked to be so."""

from collections.abc import Sequence
from contextlib import closing

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import TopicAlreadyExistsError

from offline.broker import CONNECT_WITHIN_MS, broker_errors
from schemas.topics import TOPICS, TopicSpec
from stream.errors import SettingError

KNOWN_WITHIN_MS = 30_000  # a broker answers that a topic is created before it knows its partitions; by seconds if busy
BROKER_DEFAULT = -1  # how often a topic is replicated is the broker's to say


def create_topics(servers: Sequence[str], partitions: int, topics: Sequence[TopicSpec] = TOPICS) -> list[str]:
    """Create the topics that do not exist yet, and check the partition counts of those that do.

    Args:
        servers: host:port of brokers.
        partitions: of every topic that shares the common count.
        topics: which ones, and how.

    Returns:
        The names of the topics that were created now.

    Raises:
        SettingError: a topic exists with another number of partitions.
        BrokerError: Kafka cannot be reached, or refuses.
    """
    with broker_errors(servers), closing(_admin(servers)) as admin:
        existing = set(admin.list_topics())
        missing = [topic for topic in topics if topic.name not in existing]
        created = [topic for topic in missing if _create(admin, topic, partitions)]
        admin.wait_for_topics([topic.name for topic in missing], KNOWN_WITHIN_MS)
        _check_partitions(admin, [topic for topic in topics if topic not in created], partitions)
    return [topic.name for topic in created]


def missing_topics(servers: Sequence[str], topics: Sequence[str]) -> list[str]:
    """Which of the topics do not exist.

    Raises:
        BrokerError: Kafka cannot be reached, or refuses.
    """
    with broker_errors(servers), closing(_admin(servers)) as admin:
        existing = set(admin.list_topics())
    return [topic for topic in topics if topic not in existing]


def _admin(servers: Sequence[str]) -> KafkaAdminClient:
    return KafkaAdminClient(bootstrap_servers=list(servers), bootstrap_timeout_ms=CONNECT_WITHIN_MS)


def _create(admin: KafkaAdminClient, topic: TopicSpec, partitions: int) -> bool:
    """Create one topic; False if another process was quicker."""
    new = NewTopic(topic.name, topic.partitions or partitions, BROKER_DEFAULT, topic_configs=dict(topic.config))
    try:
        admin.create_topics([new])
    except TopicAlreadyExistsError:
        return False
    return True


def _check_partitions(admin: KafkaAdminClient, topics: Sequence[TopicSpec], partitions: int) -> None:
    if not topics:
        return
    counts = {found["name"]: len(found["partitions"]) for found in admin.describe_topics([t.name for t in topics])}
    for topic in topics:
        wanted = topic.partitions or partitions
        if topic.allows(counts[topic.name], partitions):
            continue
        remedy = "Delete it" if topic.partitions else f"Set EBB_PARTITIONS={counts[topic.name]}, or delete the topics"
        raise SettingError(
            f"Topic {topic.name} has {counts[topic.name]} partitions, but {wanted} are wanted. {remedy}."
        )
