"""Are all topics as they must be? Asked at each start, with the client that a worker has loaded anyway."""

from collections.abc import Mapping, Sequence

from aiokafka.client import collect_hosts, create_conn
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from schemas.topics import TOPICS

ANSWER_WITHIN_MS = 5_000
ALL_TOPICS = None  # as the protocol asks for them


async def topics_are_right(servers: Sequence[str], partitions: int) -> bool:
    """Whether every topic of Ebb's exists and has its partitions; False also where no broker says so.

    Args:
        servers: host:port of brokers.
        partitions: of every topic that shares the common count.
    """
    for host, port, _ in collect_hosts(list(servers)):
        try:
            counts = await _partition_counts(host, port)
        except (KafkaError, OSError, TimeoutError):
            continue
        return all(topic.allows(counts.get(topic.name, 0), partitions) for topic in TOPICS)
    return False


async def _partition_counts(host: str, port: int) -> Mapping[str, int]:
    """Partitions of each topic as one broker knows them. A whole client would log what a connection only raises."""
    connection = await create_conn(host, port, request_timeout_ms=ANSWER_WITHIN_MS)
    try:
        cluster = ClusterMetadata()
        cluster.update_metadata(await connection.send(MetadataRequest(ALL_TOPICS)))
    finally:
        connection.close()
    return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in cluster.topics()}
