"""What aiokafka has fetched is handed out as it reads it, and says the same as the records it would have copied."""

import inspect
from collections import OrderedDict
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord

from stream.worker.consumer_thread import FetchedAsRead

HERE = TopicPartition("events.purchases", 3)
NO_COMPRESSION, GZIP = 0, 1
RECORDS = [
    (b"ada", b'{"a": 1}', [("origin", b"x"), ("path", b"")]),
    (None, None, []),
    (b"", b"", [("origin", b"y")]),
]


def batch(compression=NO_COMPRESSION):
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 1_000_000)
    for offset, (key, value, headers) in enumerate(RECORDS):
        builder.append(offset, 1_291_900_000_000 + offset, key, value, headers)
    return builder.build()


def legacy_batch():
    builder = LegacyRecordBatchBuilder(1, NO_COMPRESSION, 1_000_000)
    for offset, (key, value, _) in enumerate(RECORDS):
        builder.append(offset, timestamp=1_291_900_000_000 + offset, key=key, value=value)
    return builder.build()


def fetched(log, position=0):
    records = PartitionRecords(HERE, MemoryRecords(bytes(log)), [], position, None, None, True, READ_COMMITTED)
    state = SimpleNamespace(paused=False, position=position)
    state.consumed_to = lambda offset: setattr(state, "position", offset)
    assignment = SimpleNamespace(active=True, state_value=lambda tp: state)
    return FetchResult(HERE, assignment=assignment, partition_records=records, backoff=0), state


def told(record):
    """All that is asked of a record."""
    return (
        record.offset, record.timestamp, record.timestamp_type, record.key, record.value, list(record.headers),
    )  # fmt: skip


@pytest.mark.parametrize("log", [batch(), batch(GZIP), legacy_batch()], ids=["plain", "compressed", "legacy"])
@pytest.mark.parametrize("position", [0, 2])
def test_records_as_read_say_what_copies_of_them_say(log, position) -> None:
    (copied, stock), (read, ours) = fetched(log, position), fetched(log, position)
    FetchedAsRead()[HERE] = read
    copies, records = copied.getall(), read.getall()
    assert all(isinstance(copy, ConsumerRecord) for copy in copies)
    assert not any(isinstance(record, ConsumerRecord) for record in records)
    assert list(map(told, records)) == list(map(told, copies))
    assert ours.position == stock.position == len(RECORDS)


def test_no_more_records_come_at_once_than_were_asked_for() -> None:
    read, state = fetched(batch())
    FetchedAsRead()[HERE] = read
    assert [record.offset for record in read.getall(2)] == [0, 1]
    assert state.position == 2
    assert [record.offset for record in read.getall(2)] == [2]


def test_what_had_come_before_is_handed_out_as_read_too() -> None:
    read, _ = fetched(batch())
    known = FetchedAsRead.of(OrderedDict({HERE: read}))
    assert not any(isinstance(record, ConsumerRecord) for record in known[HERE].getall())
    assert FetchedAsRead.of(known) is known


def test_a_fetch_that_failed_is_kept_as_it_is() -> None:
    known, failed = FetchedAsRead(), FetchError(error=UnknownTopicOrPartitionError(), backoff=0)
    known[HERE] = failed
    assert known[HERE] is failed


def test_the_fetcher_keeps_what_it_fetched_and_copies_records_by_the_names_that_are_overridden() -> None:
    assert "self._records[tp] = FetchResult(" in inspect.getsource(Fetcher._proc_fetch_request)
    assert "consumer_record = self._consumer_record(tp, record)" in inspect.getsource(PartitionRecords._unpack_records)
    assert "self._partition_records = partition_records" in inspect.getsource(FetchResult.__init__)
    assert "self._records = collections.OrderedDict()" in inspect.getsource(Fetcher.__init__)
    assert inspect.getsource(Fetcher).count("self._records = ") == 1
