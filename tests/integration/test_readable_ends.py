"""Where a log ends for those who read what was committed, on Apache Kafka with every kind of ending."""

import asyncio
from contextlib import closing
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from ebb.topic_admin import create_topics
from offline.broker import NEAREST_OFFSETS, BrokerError, end_offsets, readable_ends
from schemas.topics import INPUT_TOPICS, PURCHASES

COMMIT, ABORT, OPEN = "commit", "abort", "open"


async def written(servers, topic, transactions):
    """Write transactions (partition, records, how it ends) in order; what is readable before an open one is closed."""
    async with AIOKafkaProducer(bootstrap_servers=servers, transactional_id=topic) as producer:
        for partition, records, end in transactions:
            await producer.begin_transaction()
            for number in range(records):
                await producer.send(topic, b"%d" % number, partition=partition)
            await producer.flush()
            if end == OPEN:
                before = await asyncio.to_thread(places, servers, topic)
                await producer.abort_transaction()
                return before
            await (producer.commit_transaction() if end == COMMIT else producer.abort_transaction())
    return await asyncio.to_thread(places, servers, topic)


def places(servers, topic):
    ends, readable = end_offsets([servers], [topic]), readable_ends([servers], [topic])
    return {partition: (end, readable[topic, partition]) for (_, partition), end in ends.items()}


@pytest.fixture
def topic(apache_kafka):
    name = f"readable-{uuid4().hex}"
    with closing(KafkaAdminClient(bootstrap_servers=apache_kafka)) as admin:
        admin.create_topics([NewTopic(name, 2, 1)])
    return name


@pytest.mark.parametrize(
    ("transactions", "end", "readable"),
    [
        ([], 0, 0),
        ([(0, 3, COMMIT)], 4, 3),
        ([(0, 3, ABORT)], 4, 0),
        ([(0, 2, COMMIT), (0, 3, ABORT)], 7, 2),
        ([(0, 1, COMMIT), *[(0, 1, ABORT)] * NEAREST_OFFSETS], 2 + 2 * NEAREST_OFFSETS, 1),
        ([(0, 2, COMMIT), (0, NEAREST_OFFSETS * 10, ABORT), (1, 1, COMMIT)], 3 + NEAREST_OFFSETS * 10 + 1, 2),
        ([(0, 1, COMMIT), (0, 2, OPEN)], 4, 1),
        ([(0, 1, ABORT), (0, 1, COMMIT)], 4, 3),
    ],
)
def test_a_log_ends_for_its_readers_behind_the_last_committed_record(apache_kafka, topic, transactions, end, readable):
    assert asyncio.run(written(apache_kafka, topic, transactions))[0] == (end, readable)


def test_without_transactions_every_record_can_be_read(embedded_kafka):
    create_topics([embedded_kafka], 2)
    assert set(readable_ends([embedded_kafka], INPUT_TOPICS).values()) == {0}

    async def three_batches():
        async with AIOKafkaProducer(bootstrap_servers=embedded_kafka) as producer:
            for records in (3, 1, 700):
                sent = [await producer.send(PURCHASES, b"{}", partition=1) for _ in range(records)]
                await asyncio.gather(*sent)

    asyncio.run(three_batches())
    assert readable_ends([embedded_kafka], [PURCHASES]) == {(PURCHASES, 0): 0, (PURCHASES, 1): 704}


def test_a_topic_that_does_not_exist_is_named(embedded_kafka):
    with pytest.raises(BrokerError, match="no-such-topic does not exist"):
        readable_ends([embedded_kafka], ["no-such-topic"])
