"""Settings handed to Faust, and what consumer, producer, log check and transport ask of aiokafka."""

import ast
import asyncio
import inspect
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, errors
from aiokafka.client import AIOKafkaClient, collect_hosts, create_conn
from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState, TopicPartitionState
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.producer.sender import Sender
from faust.types.settings import Settings

from stream.worker import chunk_app, consumer_thread, log_check, producer
from stream.worker.chunk_app import Membership
from stream.worker.consumer_thread import REBALANCE_TIMEOUT_MS, REQUEST_TIMEOUT_MS
from stream.worker.producer import NO_IDEMPOTENCE, is_fatal

NOT_SETTINGS = {"loop"}


def keywords_of_call(module: Any, name: str) -> set[str]:
    """The keyword arguments of every call of `name` in a module of ours."""
    calls = (node for node in ast.walk(ast.parse(Path(module.__file__).read_text())) if isinstance(node, ast.Call))
    named = (call for call in calls if ast.unparse(call.func).rpartition(".")[2] == name)
    return {keyword.arg for call in named for keyword in call.keywords if keyword.arg}


def parameters(function: Any) -> set[str]:
    return set(inspect.signature(function).parameters)


def test_faust_knows_every_setting_we_give_it() -> None:
    given = keywords_of_call(chunk_app, "ChunkApp") - NOT_SETTINGS
    assert {"broker_request_timeout", "agent_supervisor", "stream_wait_empty"} <= given
    assert given <= set(Settings.SETTINGS)


def test_faust_takes_our_settings_as_they_are() -> None:
    loop = asyncio.new_event_loop()
    try:
        app = chunk_app._app(Membership("group", ("one:9092", "two:9092"), 6_000), loop)
        assert (app.conf.id, app.conf.broker_session_timeout, app.conf.broker_request_timeout) == ("group", 6.0, 3600.0)
        assert [url.host for url in app.conf.broker_consumer] == ["one", "two"]
        assert (app.conf.stream_wait_empty, app.conf.broker_max_poll_records) == (False, None)
    finally:
        loop.close()


def test_a_consumer_thread_reads_settings_that_exist() -> None:
    tree = ast.parse(Path(consumer_thread.__file__).read_text())
    read = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "conf"
    }
    assert "broker_heartbeat_interval" in read
    assert read - {"id"} <= set(Settings.SETTINGS)


@pytest.mark.parametrize(
    ("module", "name", "of"),
    [
        (consumer_thread, "AIOKafkaConsumer", AIOKafkaConsumer),
        (log_check, "AIOKafkaConsumer", AIOKafkaConsumer),
        (producer, "AIOKafkaProducer", AIOKafkaProducer),
    ],
)
def test_aiokafka_knows_every_argument_we_give_it(module: Any, name: str, of: type) -> None:
    given = keywords_of_call(module, name)
    assert given
    assert given <= parameters(of.__init__)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (AIOKafkaConsumer.assign, {"partitions"}),
        (AIOKafkaConsumer.assignment, set()),
        (AIOKafkaConsumer.seek, {"partition", "offset"}),
        (AIOKafkaConsumer.pause, {"partitions"}),
        (AIOKafkaConsumer.resume, {"partitions"}),
        (AIOKafkaConsumer.commit, {"offsets"}),
        (AIOKafkaConsumer.highwater, {"partition"}),
        (AIOKafkaConsumer.partitions_for_topic, {"topic"}),
        (AIOKafkaConsumer.end_offsets, {"partitions"}),
        (AIOKafkaConsumer.beginning_offsets, {"partitions"}),
        (AIOKafkaConsumer.getmany, {"partitions", "timeout_ms", "max_records"}),
        (AIOKafkaConsumer.start, set()),
        (AIOKafkaConsumer.stop, set()),
        (AIOKafkaProducer.start, set()),
        (AIOKafkaProducer.stop, set()),
        (collect_hosts, {"hosts", "randomize"}),
        (ClusterMetadata.update_metadata, {"metadata"}),
        (ClusterMetadata.partitions_for_topic, {"topic"}),
        (AIOKafkaConnection.send, {"request", "expect_response"}),
    ],
)
def test_what_we_call_has_this_signature(method: Any, expected: set[str]) -> None:
    assert parameters(method) - {"self"} == expected
    if method in (AIOKafkaConsumer.commit, AIOKafkaConsumer.getmany, AIOKafkaConsumer.end_offsets):
        assert inspect.iscoroutinefunction(method)


def test_a_connection_alone_is_made_so() -> None:
    assert {"host", "port", "request_timeout_ms"} <= parameters(create_conn)


def test_send_takes_what_the_publisher_gives_it() -> None:
    assert {"topic", "value", "key", "headers"} <= parameters(AIOKafkaProducer.send)


def test_the_state_of_a_partition_is_where_we_read_it() -> None:
    """`consumer._fetcher._subscriptions.subscription.assignment` and what it says of a partition."""
    assert "self._fetcher = Fetcher(" in inspect.getsource(AIOKafkaConsumer)
    assert "self._subscriptions = subscriptions" in inspect.getsource(Fetcher.__init__)
    assert isinstance(SubscriptionState.subscription, property)
    assert {"state_value", "tps"} <= set(dir(Assignment))
    state = inspect.getsource(TopicPartitionState)
    for name in ("highwater", "lso", "timestamp"):
        assert f"self.{name} = None" in state, name
    assert isinstance(TopicPartitionState.position, property)
    assert isinstance(TopicPartitionState.has_valid_position, property)
    assert "now_ms = int(1000 * time.time())" in inspect.getsource(Fetcher._proc_fetch_request)


def test_an_offset_out_of_range_names_partition_and_offset() -> None:
    assert "err = Errors.OffsetOutOfRangeError({tp: fetch_offset})" in inspect.getsource(Fetcher._proc_fetch_request)
    assert "Errors.NoOffsetForPartitionError(tp)" in inspect.getsource(Fetcher._update_fetch_positions)


def test_a_join_is_answered_before_its_request_times_out() -> None:
    assert REBALANCE_TIMEOUT_MS < REQUEST_TIMEOUT_MS
    assert inspect.signature(AIOKafkaClient.__init__).parameters["request_timeout_ms"].default == REQUEST_TIMEOUT_MS


def test_range_assignment_gives_the_same_partitions_of_all_topics_to_a_member() -> None:
    assert RangePartitionAssignor.name == "range"


def test_a_refused_producer_id_has_one_of_these_errors() -> None:
    assert errors.for_code(-1) is errors.UnknownError
    assert errors.for_code(35) is errors.UnsupportedVersionError
    assert {errors.UnknownError, errors.UnsupportedVersionError} == set(NO_IDEMPOTENCE)
    assert Sender.__module__ == "aiokafka.producer.sender"


def test_a_sender_that_has_ended_says_so_by_these_errors() -> None:
    ended = inspect.getsource(Sender._sender_routine)
    assert 'raise KafkaError("Unexpected error during batch delivery") from exc' in ended
    assert "OutOfOrderSequenceNumber" in ended
    assert is_fatal(errors.KafkaError("Unexpected error during batch delivery"))
    assert is_fatal(errors.OutOfOrderSequenceNumber())
    assert not is_fatal(errors.KafkaTimeoutError())
    assert not is_fatal(errors.NotLeaderForPartitionError())


def test_the_pins_are_those_the_seams_were_written_for() -> None:
    assert aiokafka.__version__ == "0.14.0"


def test_each_fetch_asks_for_what_the_fetcher_has_been_told_to_wait_for_by_then() -> None:
    request = inspect.getsource(Fetcher._get_actions_per_node)
    assert "FetchRequest(\n                self._fetch_max_wait_ms,\n                self._fetch_min_bytes," in request
