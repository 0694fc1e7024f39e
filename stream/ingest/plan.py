"""What an ingest process is made of, given to it by who composes it."""

from collections.abc import Callable
from dataclasses import dataclass

from stream.ingest.formats.registry import SchemaRegistry
from stream.ingest.mapping.declaration import Map
from stream.ingest.mapping.mapper import Mapper


@dataclass(frozen=True)
class IngestPlan:
    """Everything an ingest process needs.

    Attributes:
        map: what to make of which source.
        mapper: the map at work.
        registry: of schemas; None where no source is Avro.
        source_servers: host:port of the Kafka that has the sources.
        servers: host:port of Ebb's Kafka.
        partitions: of Ebb's topics.
        group: consumer group.
        session_timeout_ms: after which Kafka gives a silent process's partitions to another.
        chunk_records: most source records at a time.
        wall_ms: the wall clock.
    """

    map: Map
    mapper: Mapper
    registry: SchemaRegistry | None
    source_servers: tuple[str, ...]
    servers: tuple[str, ...]
    partitions: int
    group: str
    session_timeout_ms: int
    chunk_records: int
    wall_ms: Callable[[], int]
