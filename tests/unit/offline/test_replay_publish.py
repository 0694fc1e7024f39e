import time
from contextlib import closing

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from ebb.topic_admin import create_topics
from offline.broker import BrokerError, broker_errors, end_offsets
from offline.history import History
from offline.replay import publish
from schemas.clock import ClockRecord
from schemas.events import Event, OrderLine, PageView, Purchase
from schemas.partition import partition_of
from schemas.topics import CLOCK, ENGAGEMENT, INPUT_TOPICS, PROFILES, PURCHASES
from schemas.units import DAY_MS

PARTITIONS = 2
HOUR_MS = 3_600_000
START_MS = 1_262_304_000_000  # 2010-01-01 00:00


@pytest.fixture(params=["embedded_kafka", "empty_apache_kafka"])
def servers(request):
    servers = [request.getfixturevalue(request.param)]
    create_topics(servers, PARTITIONS)
    return servers


def bought(number, customer, hour):
    lines = [OrderLine(product_id="tea", quantity=1, unit_price="4.5")]
    time_ms = START_MS + hour * HOUR_MS
    return Purchase(event_id=str(number), customer_id=customer, event_time_ms=time_ms, currency="GBP", lines=lines)


def log_of(servers, topic):
    """partition -> its records, once all are read."""
    ends = {partition: end for (_, partition), end in end_offsets(servers, [topic]).items()}
    read = {partition: [] for partition in ends}
    with closing(KafkaConsumer(bootstrap_servers=servers)) as consumer:
        consumer.assign([TopicPartition(topic, partition) for partition in ends])
        consumer.seek_to_beginning()
        while any(len(read[partition]) < end for partition, end in ends.items()):
            for place, records in consumer.poll(timeout_ms=500).items():
                read[place.partition] += records
    return read


def test_events_are_keyed_and_placed_by_customer_and_keep_their_order(servers):
    before_ms = time.time_ns() // 1_000_000
    events = [bought(number, ["ada", "bob", None][number % 3], number) for number in range(60)]
    events.append(PageView(event_id="v", customer_id="ada", event_time_ms=START_MS + 61 * HOUR_MS))
    replayed = publish(History(events), servers, PARTITIONS)
    assert (replayed.events, replayed.days, replayed.clock_records) == (61, 3, 4 * PARTITIONS)
    for topic, kind in ((PURCHASES, Purchase), (ENGAGEMENT, PageView)):
        for partition, records in log_of(servers, topic).items():
            expected = [
                event
                for event in events
                if isinstance(event, kind)
                and partition_of(event.customer_id or event.event_id, PARTITIONS) == partition
            ]
            assert [msgspec.json.decode(record.value, type=Event) for record in records] == expected
            assert [record.key.decode() for record in records] == [e.customer_id or e.event_id for e in expected]
            assert all(record.timestamp >= before_ms for record in records)


def test_clock_records_say_how_far_each_topic_goes(servers):
    publish(History([bought(0, "ada", -24)]), servers, PARTITIONS)
    first = end_offsets(servers, INPUT_TOPICS)
    events = [bought(number, "ada", number) for number in range(1, 50)]
    publish(History(events), servers, PARTITIONS)
    ada = partition_of("ada", PARTITIONS)
    for partition, records in log_of(servers, CLOCK).items():
        clocks = [msgspec.json.decode(record.value, type=ClockRecord) for record in records]
        clocks = clocks[first[CLOCK, partition] :]
        assert [clock.time_ms - START_MS for clock in clocks] == [0, DAY_MS, 2 * DAY_MS, 49 * HOUR_MS]
        written = [0, 23, 47, 49] if partition == ada else [0] * 4
        start = first[PURCHASES, partition]
        assert [clock.ends for clock in clocks] == [
            {PURCHASES: start + count, ENGAGEMENT: 0, PROFILES: 0} for count in written
        ]


def test_what_does_not_fit_in_flight_is_waited_for(servers, monkeypatch):
    monkeypatch.setattr("offline.replay.IN_FLIGHT_MAX", 3)
    seen = []
    events = [bought(number, f"customer {number % 9}", number) for number in range(500)]
    replayed = publish(History(events), servers, PARTITIONS, on_progress=seen.append)
    assert replayed.events == sum(len(records) for records in log_of(servers, PURCHASES).values()) == 500
    assert (seen[-1].events, seen[-1].total, seen[-1].time_ms) == (500, 500, events[-1].event_time_ms)


def test_a_rate_is_kept(servers):
    began_s = time.monotonic()
    publish(History([bought(number, "ada", 0) for number in range(21)]), servers, PARTITIONS, rate=100)
    assert time.monotonic() - began_s >= 0.2


def test_no_events_write_nothing(servers):
    assert publish(History([]), servers, PARTITIONS).clock_records == 0
    assert set(end_offsets(servers, INPUT_TOPICS).values()) == {0}


def test_another_partition_count_is_refused_before_anything_is_written(servers):
    with pytest.raises(BrokerError, match=r"events.purchases has 2 partitions, not 4. Set EBB_PARTITIONS=2"):
        publish(History([bought(1, "ada", 0)]), servers, 4)
    assert set(end_offsets(servers, INPUT_TOPICS).values()) == {0}


def test_an_end_is_the_high_watermark_whatever_the_size_of_the_last_batch(servers):
    with closing(KafkaProducer(bootstrap_servers=servers, linger_ms=50, enable_idempotence=False)) as producer:
        for _ in range(7):
            producer.send(PURCHASES, value=b"x", partition=1)
    assert end_offsets(servers, [PURCHASES]) == {(PURCHASES, 0): 0, (PURCHASES, 1): 7}


def test_kafka_that_is_away_is_named(monkeypatch):
    monkeypatch.setattr("offline.broker.CONNECT_WITHIN_MS", 200)
    monkeypatch.setattr("offline.replay.CONNECT_WITHIN_MS", 200)
    with pytest.raises(BrokerError, match=r"Kafka at 127.0.0.1:1: .*Check EBB_KAFKA_SERVERS"):
        publish(History([]), ["127.0.0.1:1"], PARTITIONS)


def test_an_error_that_tells_all_topics_of_a_broker_is_said_in_a_line():
    told = "MetadataEmptyBrokerList: brokers=[], " + "topics=[events.purchases], " * 300
    in_a_line = pytest.raises(BrokerError, match=r"MetadataEmptyBrokerList.* …\. Check EBB_KAFKA_SERVERS")
    with in_a_line as said, broker_errors(["127.0.0.1:1"]):
        raise KafkaError(told)
    assert len(str(said.value)) < 300
