"""What processes do before they start."""

import asyncio
import time

import structlog
from prometheus_client import CollectorRegistry, disable_created_metrics

from ebb.compose.metrics_server import serve
from stream.errors import ServiceError
from stream.features.layout import LAYOUT
from stream.ports import Deployment
from stream.redis_store.deployment import check_deployment
from stream.settings.common import MemberSettings, ProcessSettings
from stream.worker.library_logs import quiet_libraries
from stream.worker.topic_look import topics_are_right

log = structlog.get_logger()


def prepare(settings: ProcessSettings) -> None:
    """Quiet the libraries, see that Redis is the one of this deployment, and that the topics exist.

    Raises:
        EbbError: Redis or Kafka is away, or is not what the settings say.
    """
    quiet_libraries()
    agree(settings)
    make_topics(settings)


def make_topics(settings: MemberSettings) -> None:
    """See that Ebb's topics exist and have the partitions of this deployment.

    Raises:
        EbbError: Kafka is away, or a topic has another number of partitions.
    """
    if asyncio.run(topics_are_right(settings.kafka_servers, settings.partitions)):
        return
    from ebb.topic_admin import create_topics  # noqa: PLC0415 - its client is a sixth of what a start imports

    created = create_topics(settings.kafka_servers, settings.partitions)
    if created:
        log.info("topics created", topics=created)


def agree(settings: ProcessSettings) -> None:
    """See that Redis is the one of this deployment.

    Raises:
        EbbError: Redis is away, or is not what the settings say.
    """
    wanted = Deployment(settings.partitions, settings.clock, LAYOUT, settings.vocabulary, settings.predicted.outcomes)
    check_deployment(settings.redis_url, wanted, wall_ms=_wall_ms if settings.clock == "live" else None)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def serve_metrics(settings: MemberSettings, port: int, registry: CollectorRegistry) -> None:
    """Serve metrics for Prometheus; port 0 serves none.

    Raises:
        ServiceError: the port is taken, or the address is not of this machine.
    """
    if not port:
        return
    disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside each counter that says when it was made
    try:
        serve(registry, settings.metrics_host, port)
    except OSError as error:
        raise ServiceError(
            f"Metrics cannot be served on {settings.metrics_host}:{port}: {error.strerror}. "
            "Set EBB_METRICS_HOST to an address of this machine and EBB_METRICS_PORT to a free port, or to 0 for none."
        ) from error
