"""The consumer's seams without Kafka: chunks follow each other, a seek drops what was asked for before it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.types import TP

from schemas.topics import PURCHASES
from stream.errors import LogRecreatedError
from stream.worker.chunk_app import Membership, Subscription, chunk_app
from stream.worker.consumer_thread import ReadTo, now_ms
from stream.worker.transport import HEARD_WITHIN_MS, ChunkConsumer
from tests.world import Raw

HERE, THERE = TP(PURCHASES, 0), TP(PURCHASES, 1)


class Timestamped(Raw):
    """What Faust reads of a record besides."""

    timestamp_type = 0


def records(tp: TP, start: int, end: int) -> list[Any]:
    return [Timestamped(tp.topic, offset, b"") for offset in range(start, end)]


class Thread:
    """Stands where the consumer thread does: hands out what the test has put there."""

    def __init__(self) -> None:
        self.fetches: list[Callable[[], Any]] = []
        self.read_to: Mapping[TP, ReadTo] = {}
        self.seeks: list[tuple[TP, int]] = []

    def assignment(self) -> set[TP]:
        return {HERE, THERE}

    async def getmany(self, active_partitions: Any, timeout: float) -> Any:
        fetched = self.fetches.pop(0)()
        return await fetched if asyncio.iscoroutine(fetched) else fetched

    async def seek_in_thread(self, tp: TP, offset: int) -> None:
        self.seeks.append((tp, offset))


async def nothing(*_: Any) -> None:
    return


@pytest.fixture
async def consumer() -> ChunkConsumer:
    """A consumer of two partitions that go on at 10 and 20."""

    async def positions_of(assigned: set[TP]) -> Mapping[TP, int]:
        assert assigned == {HERE, THERE}
        return {HERE: 10, THERE: 20}

    membership = Membership("group", ("127.0.0.1:1",), 6_000)
    subscription = Subscription(membership, (PURCHASES,), positions_of, nothing, nothing, nothing)
    app = chunk_app(subscription, asyncio.get_running_loop())
    made = app.chunk_consumer
    made._thread = Thread()
    made._set_active_tps({HERE, THERE})
    await made.perform_seek()
    made._thread.seeks.clear()
    return made


async def chunks(consumer: ChunkConsumer, fetched: Any) -> list[tuple[int, int, int]]:
    """(partition, previous offset, next offset) of what one fetch yields."""
    consumer._thread.fetches.append(lambda: fetched)
    yielded = [message.value async for _, message in consumer.getmany(1.0)]
    assert len(yielded) <= 1, "Faust has its cost for each message"
    return [(chunk.tp.partition, chunk.previous_offset, chunk.next_offset) for message in yielded for chunk in message]


async def test_chunks_follow_the_positions_and_each_other(consumer: ChunkConsumer) -> None:
    assert await chunks(consumer, {HERE: records(HERE, 10, 13), THERE: records(THERE, 25, 26)}) == [
        (0, 10, 13),
        (1, 20, 26),
    ]
    assert await chunks(consumer, {HERE: records(HERE, 14, 15)}) == [(0, 13, 15)]
    assert await chunks(consumer, {}) == []


async def test_what_was_asked_for_before_a_seek_is_dropped_and_the_seek_repeated(consumer: ChunkConsumer) -> None:
    async def seek_meanwhile() -> Any:
        await consumer.seek_to(HERE, 5)
        return {HERE: records(HERE, 10, 13), THERE: records(THERE, 20, 21)}

    assert await chunks(consumer, seek_meanwhile()) == [(1, 20, 21)]
    assert consumer._thread.seeks == [(HERE, 5), (HERE, 5)]
    assert await chunks(consumer, {HERE: records(HERE, 5, 7)}) == [(0, 5, 7)]


async def test_what_a_seek_has_overtaken_on_its_way_to_the_lane_does_not_go_on_there(consumer: ChunkConsumer) -> None:
    consumer._thread.fetches.append(lambda: {HERE: records(HERE, 10, 11), THERE: records(THERE, 20, 21)})
    async for _, message in consumer.getmany(1.0):
        await consumer.seek_to(THERE, 15)
        assert [chunk.continuing(offset) != [] for chunk, offset in zip(message.value, (10, 15), strict=True)] == [
            True, False,
        ]  # fmt: skip
    assert await chunks(consumer, {THERE: records(THERE, 15, 16)}) == [(1, 15, 16)]


async def test_no_partition_of_a_fetch_is_read_to_its_end_while_it_is_handed_on(consumer: ChunkConsumer) -> None:
    heard_ms = now_ms()
    consumer._thread.read_to = {HERE: ReadTo(11, 11, heard_ms), THERE: ReadTo(21, 21, heard_ms)}
    consumer._thread.fetches.append(lambda: {HERE: records(HERE, 10, 11), THERE: records(THERE, 20, 21)})
    seen = [
        (tp, consumer.is_read_to_end(HERE, 11), consumer.is_read_to_end(THERE, 20), consumer.is_read_to_end(THERE, 21))
        async for tp, _ in consumer.getmany(1.0)
    ]
    assert seen == [(HERE, True, False, True)]


async def test_no_message_is_dropped_by_faust_for_coming_again(consumer: ChunkConsumer) -> None:
    consumer._read_offset[HERE] = 99
    assert consumer._read_offset[HERE] is None


async def test_a_partition_that_was_not_sought_yet_is_no_error(consumer: ChunkConsumer) -> None:
    def fail() -> Any:
        raise NoOffsetForPartitionError(HERE)

    consumer._thread.fetches.append(fail)
    assert [message async for message in consumer.getmany(1.0)] == []


async def test_nothing_at_the_offset_we_sought_is_refused_and_at_anothers_is_not(consumer: ChunkConsumer) -> None:
    def fail(offset: int) -> Any:
        raise OffsetOutOfRangeError({HERE: offset})

    consumer._thread.fetches += [lambda: fail(3), lambda: fail(10)]
    assert [message async for message in consumer.getmany(1.0)] == []
    with pytest.raises(LogRecreatedError, match=r"events.purchases partition 0 has nothing at offset 10"):
        [message async for message in consumer.getmany(1.0)]


class TestReadToTheEnd:
    async def fetch(self, consumer: ChunkConsumer, position: int, end: int, heard_ms: int, count: int = 0) -> None:
        consumer._thread.read_to = {HERE: ReadTo(position, end, heard_ms)}
        await chunks(consumer, {HERE: records(HERE, 10, 10 + count)} if count else {})

    async def test_nothing_is_known_before_the_first_fetch(self, consumer: ChunkConsumer) -> None:
        assert not consumer.is_read_to_end(HERE, 10)

    async def test_at_the_end_when_all_is_read_and_delivered(self, consumer: ChunkConsumer) -> None:
        await self.fetch(consumer, 13, 13, now_ms(), count=3)
        assert consumer.is_read_to_end(HERE, 13)
        assert not consumer.is_read_to_end(HERE, 12), "a record is on its way to the lane"

    async def test_the_marker_of_a_transaction_counts_as_read(self, consumer: ChunkConsumer) -> None:
        await self.fetch(consumer, 14, 14, now_ms(), count=3)
        assert consumer.is_read_to_end(HERE, 13)

    async def test_not_at_the_end_when_more_is_there(self, consumer: ChunkConsumer) -> None:
        await self.fetch(consumer, 13, 20, now_ms(), count=3)
        assert not consumer.is_read_to_end(HERE, 13)

    async def test_a_broker_that_is_silent_may_have_more(self, consumer: ChunkConsumer) -> None:
        await self.fetch(consumer, 10, 10, now_ms() - HEARD_WITHIN_MS - 1)
        assert not consumer.is_read_to_end(HERE, 10)

    async def test_a_broker_that_is_silent_since_the_wall_was_set_back_may_have_more(
        self, consumer: ChunkConsumer
    ) -> None:
        await self.fetch(consumer, 10, 10, now_ms() + 3_600_000)
        assert not consumer.is_read_to_end(HERE, 10)

    async def test_after_a_seek_nothing_is_known(self, consumer: ChunkConsumer) -> None:
        await self.fetch(consumer, 10, 10, now_ms())
        await consumer.seek_to(HERE, 5)
        assert not consumer.is_read_to_end(HERE, 5)

    async def test_a_partition_that_is_still_to_be_sought_is_not_read_to_its_end(self, consumer: ChunkConsumer) -> None:
        known: list[bool] = []

        async def seek_while_a_fetch_ends(*_: Any) -> None:
            consumer._read_to = {THERE: ReadTo(20, 20, now_ms())}
            known.append(consumer.is_read_to_end(THERE, 20))

        consumer._thread.seek_in_thread = seek_while_a_fetch_ends
        await consumer.perform_seek()
        assert not known[0]


class TestEndsOfLogs:
    async def ends(self, consumer: ChunkConsumer, asked: Mapping[TP, int], **seen: ReadTo) -> Mapping[TP, int]:
        thread = consumer._thread
        thread.read_to = {tp: seen[name] for name, tp in (("here", HERE), ("there", THERE)) if name in seen}
        await chunks(consumer, {})
        thread.asked_for = []

        async def highwaters(*partitions: TP) -> Mapping[Any, int]:
            thread.asked_for += [TP(*tp) for tp in partitions]
            return {tp: asked[TP(*tp)] for tp in partitions}

        thread.highwaters = highwaters
        return await consumer.log_ends([HERE, THERE])

    async def test_what_fetches_say_is_not_asked_for(self, consumer: ChunkConsumer) -> None:
        fresh = {"here": ReadTo(10, 30, now_ms()), "there": ReadTo(20, 20, now_ms())}
        assert await self.ends(consumer, {}, **fresh) == {HERE: 30, THERE: 20}
        assert consumer._thread.asked_for == []

    async def test_a_partition_that_is_held_is_asked_for(self, consumer: ChunkConsumer) -> None:
        held = ReadTo(10, 30, now_ms() - HEARD_WITHIN_MS - 1)
        assert await self.ends(consumer, {HERE: 90, THERE: 20}, here=held) == {HERE: 90, THERE: 20}
        assert consumer._thread.asked_for == [HERE, THERE]

    async def test_an_answer_below_what_was_seen_is_not_believed(self, consumer: ChunkConsumer) -> None:
        held = ReadTo(10, 30, now_ms() - HEARD_WITHIN_MS - 1)
        assert (await self.ends(consumer, {HERE: 12, THERE: 20}, here=held))[HERE] == 30


async def test_the_thread_that_fetches_asks_the_process_for_how_long_records_gather() -> None:
    membership = Membership("group", ("127.0.0.1:1",), 6_000)
    subscription = Subscription(membership, (PURCHASES,), nothing, nothing, nothing, nothing, gather_s=lambda: 0.025)
    app = chunk_app(subscription, asyncio.get_running_loop())
    assert app.chunk_consumer._new_consumer_thread().gather_s() == 0.025
