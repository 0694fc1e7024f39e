import asyncio

import pytest
from kafka.admin import KafkaAdminClient

from ebb.services.ports import free_port
from ebb.topic_admin import create_topics
from offline.broker import BrokerError, end_offsets
from schemas.topics import CHURN_ALERTS, CLOCK, INPUT_TOPICS, INVALID, LABELS, TOPICS
from stream.errors import SettingError
from stream.worker.topic_look import topics_are_right


@pytest.fixture(params=["embedded_kafka", "empty_apache_kafka"])
def servers(request):
    return [request.getfixturevalue(request.param)]


def test_topics_are_created_once_and_with_their_partitions(servers):
    assert create_topics(servers, 3) == [topic.name for topic in TOPICS]
    assert create_topics(servers, 3) == []
    admin = KafkaAdminClient(bootstrap_servers=servers)
    found = {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics([t.name for t in TOPICS])}
    admin.close()
    assert found == {topic.name: topic.partitions or 3 for topic in TOPICS}
    assert found[LABELS] == 1
    assert set(end_offsets(servers, INPUT_TOPICS).values()) == {0}
    nobody = f"127.0.0.1:{free_port()}"
    assert [asyncio.run(topics_are_right([nobody, *servers], count)) for count in (3, 2)] == [True, False]
    assert not asyncio.run(topics_are_right([nobody], 3))


def test_a_missing_topic_is_seen_at_a_start(servers):
    create_topics(servers, 3, TOPICS[1:])
    assert not asyncio.run(topics_are_right(servers, 3))


def test_another_partition_count_is_an_error_that_names_both(servers):
    create_topics(servers, 2)
    with pytest.raises(SettingError, match=r"purchases has 2 partitions, but 5 are wanted. Set EBB_PARTITIONS=2"):
        create_topics(servers, 5)


def test_topics_of_messages_may_have_more_partitions_than_the_inputs(servers):
    create_topics(servers, 3, [topic for topic in TOPICS if topic.name in (CHURN_ALERTS, INVALID)])
    create_topics(servers, 2)
    assert create_topics(servers, 2) == []
    assert asyncio.run(topics_are_right(servers, 2))
    with pytest.raises(SettingError, match=r"has 2 partitions, but 3 are wanted"):
        create_topics(servers, 3)


def test_a_topic_that_does_not_exist_is_not_created_by_asking(servers):
    for _ in range(2):
        with pytest.raises(BrokerError, match=r"events.clock does not exist"):
            end_offsets(servers, [CLOCK])
