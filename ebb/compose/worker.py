"""The worker process, put together from its settings."""

import os
import socket
import uuid
from collections.abc import Callable
from dataclasses import replace

import structlog

from ebb.compose.decoding import decoding_of
from ebb.compose.rules import rules_of
from ebb.compose.starting import agree, prepare, serve_metrics
from ebb.compose.warming import warm_worker
from stream.metrics.worker import REGISTRY
from stream.redis_store.deployment import check_instance, note_replaced_log, take_instance
from stream.redis_store.figures import RedisFigures
from stream.redis_store.partition import RedisPartitionStore
from stream.redis_store.registry import RedisModelStore
from stream.settings.worker import WorkerSettings
from stream.signing import Keyring
from stream.worker.chunk_app import Membership
from stream.worker.plan import WorkerPlan, wall_ms
from stream.worker.process import WorkerProcess
from stream.worker.running import run_until_stopped
from stream.worker.timing import LaneLimits

log = structlog.get_logger()


def run_worker(settings: WorkerSettings, wall_ms: Callable[[], int] = wall_ms) -> None:
    """Run a worker until it is stopped, by a wall clock.

    Raises:
        EbbError: Redis or Kafka is not what the settings say, or the worker refused to go on.
    """
    prepare(settings)
    serve_metrics(settings, settings.metrics_port, REGISTRY)
    log.info("checked Redis and Kafka")
    plan = replace(worker_plan(settings), wall_ms=wall_ms)
    warm_worker(plan.rules)  # before the consumer group counts on us
    log.info("warmed up")
    if settings.worker_instance_id:
        take_instance(settings.redis_url, settings.worker_instance_id, plan.owner)
    run_until_stopped(lambda loop: WorkerProcess(plan, loop))


def worker_plan(settings: WorkerSettings) -> WorkerPlan:
    """Everything the worker is made of."""
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    return WorkerPlan(
        membership=Membership(
            settings.worker_group, settings.kafka_servers, settings.session_timeout_ms, settings.worker_instance_id
        ),
        owner=owner,
        partitions=settings.partitions,
        live=settings.clock == "live",
        lockstep=settings.lockstep,
        due_at_once=settings.due_limit,
        limits=LaneLimits(
            chunk_records=settings.chunk_records,
            chunk_bytes=settings.chunk_bytes,
            chunk_customers=settings.chunk_customers,
            queue_bytes=settings.queue_bytes,
            tick_ms=settings.tick_ms,
            alignment_ms=settings.alignment_ms,
            background_ms=settings.background_ms,
            renewed_at_once=settings.sweep_customers if settings.clock == "live" else 0,
        ),
        gather_ms=settings.gather_ms if settings.clock == "live" else 0,
        resident_bytes=settings.resident_bytes,
        rules=rules_of(settings),
        decoding=decoding_of(settings),
        store_of=lambda partition: RedisPartitionStore(settings.redis_url, partition),
        models=RedisModelStore(settings.redis_url),
        figures=RedisFigures(settings.redis_url),
        keyring=Keyring.from_text(settings.model_keys),
        check_deployment=lambda: agree(settings),
        check_instance=lambda: _check_instance(settings, owner),
        note_replaced_log=lambda refusal: note_replaced_log(settings.redis_url, refusal),
        quarantines=settings.on_bug == "quarantine",
    )


def _check_instance(settings: WorkerSettings, owner: str) -> None:
    if settings.worker_instance_id:
        check_instance(settings.redis_url, settings.worker_instance_id, owner)
