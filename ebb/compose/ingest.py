"""The ingest process, put together from its settings and a map."""

from pathlib import Path

from ebb.compose.decoding import decoding_of
from ebb.compose.starting import make_topics, serve_metrics
from ebb.topic_admin import missing_topics
from stream.errors import SettingError
from stream.ingest.formats.avro_values import parse_avro, require_avro
from stream.ingest.formats.registry import SchemaRegistry
from stream.ingest.mapping.declaration import Map, read_map
from stream.ingest.mapping.mapper import Mapper
from stream.ingest.mapping.toml import MapError
from stream.ingest.plan import IngestPlan
from stream.ingest.process import run_ingest
from stream.metrics.ingest import REGISTRY
from stream.settings.ingest import IngestSettings
from stream.worker.library_logs import quiet_libraries
from stream.worker.plan import wall_ms


def ingest(settings: IngestSettings, map_file: Path) -> None:
    """Run an ingest process until it is stopped.

    Raises:
        EbbError: the map cannot be followed, a source does not exist, or Kafka is not what the settings say.
    """
    plan = ingest_plan(settings, map_file)
    quiet_libraries()
    missing = missing_topics(plan.source_servers, list(plan.map.sources))
    if missing:
        raise MapError(
            f"{map_file}: the source topic {missing[0]!r} does not exist at {','.join(plan.source_servers)}. "
            "Create it, or name the Kafka that has it in EBB_SOURCE_KAFKA_SERVERS."
        )
    make_topics(settings)
    serve_metrics(settings, settings.metrics_port, REGISTRY)
    run_ingest(plan)


def ingest_plan(settings: IngestSettings, map_file: Path) -> IngestPlan:
    """Everything an ingest process is made of.

    Raises:
        EbbError: the map or a setting is wrong.
    """
    map_ = read_map(map_file, settings.currency)
    return IngestPlan(
        map=map_,
        mapper=Mapper(map_, decoding_of(settings), settings.partitions),
        registry=_registry(settings, map_),
        source_servers=settings.source_kafka_servers or settings.kafka_servers,
        servers=settings.kafka_servers,
        partitions=settings.partitions,
        group=settings.ingest_group,
        session_timeout_ms=settings.session_timeout_ms,
        chunk_records=settings.ingest_chunk_records,
        wall_ms=wall_ms,
    )


def _registry(settings: IngestSettings, map_: Map) -> SchemaRegistry | None:
    """The schema registry, where a source needs one."""
    avro = next((topic for topic, source in map_.sources.items() if source.format == "avro"), None)
    if avro is None:
        return None
    require_avro()
    if not settings.registry_url:
        raise SettingError(
            f"EBB_REGISTRY_URL is not set, and the source {avro!r} of the map is Avro. Write the address of its schema "
            "registry, such as http://127.0.0.1:8081 (docs/settings.md)."
        )
    return SchemaRegistry(settings.registry_url, settings.registry_auth, parse_avro)
