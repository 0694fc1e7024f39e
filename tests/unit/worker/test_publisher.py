"""The outbox on its way: in order, at least once, and reported back only when the broker has it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError, OutOfOrderSequenceNumber

from stream.drafts import Outgoing, pack_outgoing
from stream.errors import MessageTooLargeError
from stream.worker import publisher as module
from stream.worker.publisher import SEND_AT_ONCE, WAITING_AT_MOST, WAITING_BYTES_AT_MOST, OutboxPublisher


class Broker:
    """Takes what it is given, or fails as it is told: `failing` maps a message to the error it brings, once."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.failing: dict[bytes, KafkaError] = {}
        self.refusing: KafkaError | None = None
        self.answers: list[asyncio.Future[None]] = []
        self.answering = True

    async def send(self, topic: str, value: bytes | None, *, key: bytes | None, headers: Sequence[Any]) -> Any:
        assert (topic, key, headers) == ("topic", b"key", [("a", b"b")])
        if self.refusing is not None:
            raise self.refusing
        self.sent.append(value or b"")
        answer = asyncio.get_running_loop().create_future()
        self.answers.append(answer)
        if (value or b"") in self.failing:
            answer.set_exception(self.failing.pop(value or b""))
        elif self.answering:
            answer.set_result(None)
        return answer


def messages(*numbers: int, size: int = 1) -> list[tuple[int, bytes]]:
    return [(n, pack_outgoing(Outgoing("topic", b"key", b"%0*d" % (size, n), [("a", b"b")]))) for n in numbers]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def publisher(broker: Broker, monkeypatch: pytest.MonkeyPatch):
    """It runs, and waits a moment only before it tries again."""
    monkeypatch.setattr(module, "RETRY_FIRST_S", 0.001)
    made = OutboxPublisher(0, broker)
    task = asyncio.ensure_future(made.run())
    yield made
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def acknowledged(publisher: OutboxPublisher, count: int) -> list[int]:
    """What has been acknowledged, when there is so much of it."""
    found: list[int] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            found += publisher.take_acknowledged()
            await asyncio.sleep(0)
    return found


async def test_messages_go_out_in_their_order_and_come_back_acknowledged(publisher, broker) -> None:
    publisher.add(messages(*range(2 * SEND_AT_ONCE + 3)))
    assert await acknowledged(publisher, 1_003) == list(range(1_003))
    assert broker.sent == [b"%d" % n for n in range(1_003)]


async def test_nothing_is_acknowledged_before_the_broker_has_it(publisher, broker) -> None:
    broker.answering = False
    publisher.add(messages(1, 2))
    async with asyncio.timeout(5):
        while len(broker.answers) < 2:
            await asyncio.sleep(0)
    broker.answers[1].set_result(None)
    await asyncio.sleep(0)
    assert publisher.take_acknowledged() == []
    broker.answers[0].set_result(None)
    assert await acknowledged(publisher, 2) == [1, 2]


async def test_a_failure_repeats_the_whole_chunk_in_order(publisher, broker) -> None:
    broker.failing = {b"2": KafkaTimeoutError()}
    publisher.add(messages(1, 2, 3))
    assert await acknowledged(publisher, 3) == [1, 2, 3]
    assert broker.sent == [b"1", b"2", b"3", b"1", b"2", b"3"]


async def test_a_broker_that_takes_nothing_is_asked_again_until_it_does(publisher, broker) -> None:
    broker.refusing = KafkaTimeoutError()
    publisher.add(messages(1))
    for _ in range(20):
        await asyncio.sleep(0)
    assert broker.sent == []
    broker.refusing = None
    assert await acknowledged(publisher, 1) == [1]


@pytest.mark.parametrize("fatal", [OutOfOrderSequenceNumber(), KafkaError("the sender has ended")])
async def test_a_producer_that_can_send_no_more_ends_the_publisher(broker: Broker, fatal: KafkaError) -> None:
    broker.failing = {b"1": fatal}
    publisher = OutboxPublisher(0, broker)
    publisher.add(messages(1))
    with pytest.raises(type(fatal)):
        await asyncio.wait_for(publisher.run(), 5)
    assert publisher.take_acknowledged() == []


async def test_what_the_outbox_repeats_is_sent_once(publisher, broker) -> None:
    publisher.add(messages(1, 2))
    publisher.add(messages(1, 2, 3))
    assert await acknowledged(publisher, 3) == [1, 2, 3]
    assert broker.sent == [b"1", b"2", b"3"]


async def test_a_store_that_came_back_older_may_give_a_number_to_another_message(publisher, broker) -> None:
    publisher.add(messages(7))
    assert await acknowledged(publisher, 1) == [7]
    publisher.add([(7, messages(8)[0][1])])
    assert await acknowledged(publisher, 1) == [7]
    assert broker.sent == [b"7", b"8"]


async def test_what_a_lost_commit_was_to_forget_is_handed_out_again_and_not_sent_again(publisher, broker) -> None:
    publisher.add(messages(1, 2))
    taken = await acknowledged(publisher, 2)
    publisher.give_back(taken)
    publisher.add(messages(1, 2))
    assert publisher.take_acknowledged() == [1, 2]
    assert broker.sent == [b"1", b"2"]


@pytest.mark.parametrize(
    ("count", "size"), [(WAITING_AT_MOST + 1, 1), (WAITING_BYTES_AT_MOST // 1_000_000 + 1, 1_000_000)]
)
async def test_a_lane_waits_while_too_many_messages_or_bytes_wait(broker: Broker, count: int, size: int) -> None:
    publisher = OutboxPublisher(0, broker)
    publisher.add(messages(*range(count), size=size))
    waiting = asyncio.ensure_future(publisher.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    running = asyncio.ensure_future(publisher.run())
    await asyncio.wait_for(waiting, 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_message_that_its_topic_does_not_take_ends_the_publisher_with_what_to_do(broker: Broker) -> None:
    broker.failing = {b"2": MessageSizeTooLargeError()}
    publisher = OutboxPublisher(3, broker)
    publisher.add(messages(1, 2))
    with pytest.raises(MessageTooLargeError, match=r"partition 3 .* topic topic, with \d+ bytes.*max.message.bytes"):
        await asyncio.wait_for(publisher.run(), 5)
    assert publisher.take_acknowledged() == []
