"""What the worker overrides and calls inside Faust and mode: names, signatures, and the few lines it relies on."""

import inspect
from collections.abc import Callable
from typing import Any

import faust
import pytest
from faust.app.base import App
from faust.serializers import codecs
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, server_list
from faust.transport.drivers.aiokafka import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Transport as FaustTransport
from faust.types import ConsumerMessage
from mode import Service
from mode.threads import QueueServiceThread, ServiceThread, WorkerThread
from yarl import URL

from stream.worker.chunk_app import ChunkApp, NoTables, _Identity
from stream.worker.consumer_thread import ChunkConsumerThread, DaemonThread
from stream.worker.transport import ChunkConsumer, ChunkTransport

OURS_BY_NATURE = {"__module__", "__doc__", "__annotations__", "__init__", "__abstractmethods__", "_abc_impl", "logger"}


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def overridden(ours: type, base: type) -> set[str]:
    """Names of the base that our class redefines."""
    return {name for name in vars(ours) if name not in OURS_BY_NATURE and hasattr(base, name)}


@pytest.mark.parametrize(
    ("ours", "base", "names"),
    [
        (ChunkConsumer, FaustConsumer, {"_new_consumer_thread", "getmany", "_wait_next_records", "perform_seek"}),
        (
            ChunkConsumerThread,
            AIOKafkaConsumerThread,
            {"_create_worker_consumer", "_fetch_records", "Worker", "shutdown_timeout"},
        ),
        (ChunkTransport, FaustTransport, {"Consumer"}),
        (ChunkApp, faust.App, {"on_stop", "_create_directories"}),
        (NoTables, TableManager, {"on_start"}),
        (DaemonThread, WorkerThread, {"run"}),
        (_Identity, codecs.Codec, {"_loads", "_dumps"}),
    ],
)
def test_we_override_these_names_and_no_others(ours: type, base: type, names: set[str]) -> None:
    assert overridden(ours, base) - {"_is_abstract", "abstract", "__orig_bases__", "__parameters__"} == names


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (FaustConsumer.getmany, ["self", "timeout"]),
        (FaustConsumer._wait_next_records, ["self", "timeout"]),
        (FaustConsumer._getmany, ["self", "active_partitions", "timeout"]),
        (FaustConsumer._get_active_partitions, ["self"]),
        (FaustConsumer.perform_seek, ["self"]),
        (FaustConsumer._new_consumer_thread, ["self"]),
        (FaustConsumer.pause_partitions, ["self", "tps"]),
        (FaustConsumer.resume_partitions, ["self", "tps"]),
        (FaustConsumer.assignment, ["self"]),
        (AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
        (
            AIOKafkaConsumerThread._fetch_records,
            ["self", "consumer", "active_partitions", "timeout", "max_records"],
        ),
        (AIOKafkaConsumerThread._ensure_consumer, ["self"]),
        (AIOKafkaConsumerThread.earliest_offsets, ["self", "partitions"]),
        (AIOKafkaConsumerThread.highwaters, ["self", "partitions"]),
        (QueueServiceThread.call_thread, ["self", "fun", "args", "kwargs"]),
        (WorkerThread.__init__, ["self", "service", "kwargs"]),
        (server_list, ["urls", "default_port"]),
        (App.on_stop, ["self"]),
        (App.crash, ["self", "reason"]),
        (App._create_directories, ["self"]),
        (App.start, ["self"]),
        (App.stop, ["self"]),
        (App.wait_until_stopped, ["self"]),
        (codecs.register, ["name", "codec"]),
    ],
)
def test_what_we_override_or_call_has_this_signature(method: Callable[..., Any], expected: list[str]) -> None:
    assert parameters(method) == expected


def test_getmany_yields_and_the_waits_are_coroutines() -> None:
    assert inspect.isasyncgenfunction(FaustConsumer.getmany)
    for coroutine in (
        FaustConsumer._wait_next_records,
        FaustConsumer._getmany,
        FaustConsumer.perform_seek,
        AIOKafkaConsumerThread._fetch_records,
        AIOKafkaConsumerThread.earliest_offsets,
        AIOKafkaConsumerThread.highwaters,
        QueueServiceThread.call_thread,
        App.crash,
        App.on_stop,
    ):
        assert inspect.iscoroutinefunction(coroutine), coroutine


def test_a_message_takes_its_parts_in_this_order() -> None:
    assert parameters(ConsumerMessage)[:10] == [
        "topic",
        "partition",
        "offset",
        "timestamp",
        "timestamp_type",
        "headers",
        "key",
        "value",
        "checksum",
        "serialized_key_size",
    ]
    assert {"tp", "generation_id"} <= set(parameters(ConsumerMessage))


@pytest.mark.parametrize(
    ("function", "line"),
    [
        # Faust drops a message below the last offset it has delivered; `_NoReadOffsets` stands in for its memory.
        (BaseConsumer._drain_messages, "get_read_offset = self._read_offset.__getitem__"),
        (BaseConsumer._drain_messages, "set_read_offset = self._read_offset.__setitem__"),
        # One loop fetches, and takes what `getmany` yields before it fetches again.
        (BaseConsumer._drain_messages, "ait = cast(AsyncIterator, getmany(timeout=1.0))"),
        # A seek follows each assignment, and may take as long as a request.
        (Recovery._resume_streams, "consumer.perform_seek(), timeout=self.app.conf.broker_request_timeout"),
        # Of what starts the tables, `NoTables` leaves out the first of these lines.
        (TableManager.on_start, "await self.sleep(1.0)"),
        (TableManager.on_start, "await self._update_channels()"),
        (TableManager.on_start, "await self.recovery.start()"),
        # The consumer asks its own thread, and the thread's class is ours to choose.
        (ThreadDelegateConsumer.__init__, "self._thread = self._new_consumer_thread()"),
        (ServiceThread.start, "self._thread = self.Worker(self)"),
        (Service.stop, "self._shutdown.wait(), self.shutdown_timeout"),
        (AIOKafkaConsumerThread.getmany, "self._fetch_records,"),
        (App.on_start, "self.finalize()"),
        (App._on_partitions_revoked, "await T(self.on_partitions_revoked.send)(revoked)"),
    ],
)
def test_faust_still_does_what_we_build_on(function: Callable[..., Any], line: str) -> None:
    assert line in inspect.getsource(function)


def test_the_state_we_read_is_there() -> None:
    for name in ("rebalancing", "consumer_generation_id", "crash_reason", "on_partitions_revoked", "transport"):
        assert hasattr(App, name), name
    source = inspect.getsource(BaseConsumer)
    for name in ("flow_active", "can_resume_flow", "_read_offset"):
        assert f"self.{name}" in source, name
    assert ServiceThread.Worker is WorkerThread
    assert isinstance(Service.shutdown_timeout, float)


def test_servers_are_listed_as_aiokafka_takes_them() -> None:
    assert server_list([URL("kafka://one:9092"), URL("kafka://two:9093")], 9092) == ["one:9092", "two:9093"]
