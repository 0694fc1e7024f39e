"""Processes put together: the one place that knows Redis, Kafka, models and settings at once."""

import os
import socket
import uuid

import structlog
from prometheus_client import CollectorRegistry, start_http_server

from ebb.topic_admin import create_topics
from schemas.decode import DecodeRules
from schemas.money import exponent_of
from stream.actions.alerts import ChurnRule
from stream.chunk import Rules
from stream.errors import ServiceError
from stream.features.layout import LAYOUT
from stream.learner.process import LearnerPlan, LearnerProcess
from stream.learner.teaching import Teacher
from stream.metrics import learner as learner_metrics
from stream.metrics import worker as worker_metrics
from stream.ports import Deployment
from stream.redis_store.deployment import check_deployment
from stream.redis_store.partition import RedisPartitionStore
from stream.redis_store.registry import RedisModelStore
from stream.settings.common import ProcessSettings
from stream.settings.learner import LearnerSettings
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring
from stream.worker.lane import LaneLimits
from stream.worker.process import WorkerPlan, WorkerProcess
from stream.worker.running import run_until_stopped

log = structlog.get_logger()


def run_worker(settings: WorkerSettings) -> None:
    """Run a worker until it is stopped.

    Raises:
        EbbError: Redis or Kafka is not what the settings say, or the worker refused to go on.
    """
    _prepare(settings)
    _serve_metrics(settings, settings.metrics_port, worker_metrics.REGISTRY)
    rules = Rules(
        currency=settings.currency,
        exponent=exponent_of(settings.currency),
        categories=settings.categories,
        churn=ChurnRule(settings.alert_probability, settings.alert_close_probability),
        decide_every_ms=settings.decide_every_ms,
    )
    plan = WorkerPlan(
        group=settings.worker_group,
        servers=settings.kafka_servers,
        session_timeout_ms=settings.session_timeout_ms,
        partitions=settings.partitions,
        live=settings.clock == "live",
        lockstep=settings.lockstep,
        idempotent=settings.kafka_idempotent,
        due_at_once=settings.due_limit,
        limits=LaneLimits(settings.chunk_records, settings.chunk_bytes, settings.queue_bytes, settings.tick_ms),
        rules=rules,
        decoding=DecodeRules(
            currency=settings.currency,
            earliest_event_time_ms=settings.earliest_event_ms,
            latest_lead_ms=settings.latest_lead_ms,
        ),
        owner=f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}",
        store_of=lambda partition: RedisPartitionStore(settings.redis_url, partition),
        models=RedisModelStore(settings.redis_url),
        keyring=Keyring.from_text(settings.model_keys),
    )
    run_until_stopped(lambda loop: WorkerProcess(plan, loop))


def run_learner(settings: LearnerSettings) -> None:
    """Run the learner until it is stopped.

    Raises:
        EbbError: Redis or Kafka is not what the settings say, or the learner refused to go on.
    """
    _prepare(settings)
    _serve_metrics(settings, settings.metrics_port, learner_metrics.REGISTRY)
    plan = LearnerPlan(
        group=settings.learner_group,
        servers=settings.kafka_servers,
        session_timeout_ms=settings.session_timeout_ms,
        partitions=settings.partitions,
        lockstep=settings.lockstep,
        publish_every_ms=settings.publish_every_ms,
        teacher=Teacher(RedisModelStore(settings.redis_url), Keyring.from_text(settings.model_keys)),
    )
    run_until_stopped(lambda loop: LearnerProcess(plan, loop))


def _prepare(settings: ProcessSettings) -> None:
    """Topics exist, and Redis is the one of this deployment."""
    check_deployment(settings.redis_url, Deployment(settings.partitions, settings.clock, LAYOUT))
    created = create_topics(settings.kafka_servers, settings.partitions)
    if created:
        log.info("topics created", topics=created)


def _serve_metrics(settings: ProcessSettings, port: int, registry: CollectorRegistry) -> None:
    if not port:
        return
    try:
        start_http_server(port, addr=settings.metrics_host, registry=registry)
    except OSError as error:
        raise ServiceError(
            f"Metrics cannot be served on {settings.metrics_host}:{port}: {error.strerror}. Set EBB_METRICS_PORT to a free port, or 0 for none."
        ) from error
