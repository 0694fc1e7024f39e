"""Our partitioner is Kafka's: the one of aiokafka, of kafka-python, and the values Apache Kafka tests itself with."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_python_murmur2

from schemas.partition import murmur2, partition_of

BUSY = settings(deadline=None)  # a test machine may be busy with other tests


@pytest.mark.parametrize(
    ("key", "java_hash"),
    [  # org.apache.kafka.common.utils.UtilsTest.testMurmur2
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_has_the_values_of_apache_kafka(key, java_hash):
    assert murmur2(key) == java_hash % 2**32


@BUSY
@given(st.binary(max_size=140))
def test_murmur2_agrees_with_the_clients(key):
    assert murmur2(key) == aiokafka_murmur2(key) == kafka_python_murmur2(key)


@BUSY
@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=32), st.integers(1, 64))
def test_a_customer_is_where_the_default_partitioner_puts_the_key(customer_id, partitions):
    chosen = DefaultPartitioner()(customer_id.encode(), list(range(partitions)), list(range(partitions)))
    assert partition_of(customer_id, partitions) == chosen
