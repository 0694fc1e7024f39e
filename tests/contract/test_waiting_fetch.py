"""A fetch that waits in aiokafka's fetcher hands over what a partition has had all the time when it rests no more."""

import asyncio
from types import SimpleNamespace

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from faust.types import TP

from stream.worker.consumer_thread import ChunkConsumerThread
from stream.worker.transport import ChunkConsumer

RESTING = TP("events.purchases", 0)
AN_HOUR_S, PATIENCE_S = 3_600.0, 30.0


class Kept:
    """Records that came before their partition was paused."""

    next_fetch_offset = 2

    def __iter__(self):
        return iter(["first", "second"])


class Subscriptions:
    """Of a consumer that has one partition, and fetches."""

    reassignment_in_progress = False

    def is_assigned(self, tp):
        return tp == RESTING


class ConsumerThread(ChunkConsumerThread):
    """Runs in the test's own loop, with a fetcher that talks to nobody."""

    def __init__(self, fetcher):
        self._consumer = SimpleNamespace(_fetcher=fetcher, assignment=set, resume=set)

    async def call_thread(self, function, *arguments):
        return await function(*arguments)

    def _ensure_consumer(self):
        return self._consumer


def fetcher_that_has(records):
    """A fetcher of the pinned aiokafka as it is between two answers of a broker."""
    state = SimpleNamespace(consumed_to=lambda offset: None, paused=False, has_valid_position=True, position=0)
    assignment = SimpleNamespace(active=True, state_value=lambda tp: state)
    fetcher = Fetcher.__new__(Fetcher)
    fetcher._subscriptions, fetcher._loop, fetcher._closed = Subscriptions(), asyncio.get_running_loop(), False
    fetcher._fetch_waiters, fetcher._wait_consume_future = set(), None
    kept = FetchResult(TopicPartition(*RESTING), assignment=assignment, partition_records=records, backoff=0)
    state.position = records.next_fetch_offset
    fetcher._records = {TopicPartition(*RESTING): kept}
    return fetcher


def consumer_on(thread):
    """A chunked consumer with one partition, which rests."""
    consumer = ChunkConsumer.__new__(ChunkConsumer)
    consumer._thread, consumer._active_partitions = thread, {TP("events.engagement", 0)}
    consumer._paused_partitions = {RESTING}
    return consumer


async def released():
    fetcher = fetcher_that_has(Kept())
    consumer = consumer_on(ConsumerThread(fetcher))
    waiting = asyncio.create_task(fetcher.fetched_records(consumer._active_partitions, timeout=AN_HOUR_S))
    async with asyncio.timeout(PATIENCE_S):
        while not fetcher._fetch_waiters:
            await asyncio.sleep(0)
        await consumer.release(RESTING)
        return await waiting


def test_what_was_kept_of_a_partition_that_rested_does_not_wait_for_records_of_others():
    assert asyncio.run(released()) == {TopicPartition(*RESTING): ["first", "second"]}
