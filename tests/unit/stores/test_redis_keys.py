"""Keys stay on their partition's node and give the customer back, whatever a customer is called."""

import inspect

import pytest
from redis.crc import key_slot

from stream.redis_store import keys

HOSTILE_IDS = ["17850", "{7}", "}{", "{}", "two words", "line\nbreak", "Zoë ☃", "a:b:c", "\x00\r\n$3", "*"]


@pytest.mark.parametrize("customer", HOSTILE_IDS)
def test_every_key_of_a_partition_is_in_one_hash_slot(customer):
    made = [
        keys.view(3, customer),
        keys.state(3, customer),
        keys.snapshot(3, customer, 14_610),
        keys.segment(3, "At Risk"),
        keys.seen(3, "events.purchases"),
        *(
            key(3)
            for key in (
                keys.partition_head,
                keys.shop,
                keys.due,
                keys.risk,
                keys.labels,
                keys.identity,
                keys.timelines,
                keys.outbox,
                keys.journal,
            )
        ),
    ]
    assert {key_slot(key) for key in made} == {key_slot(b"3")}
    assert len(set(made)) == len(made)


@pytest.mark.parametrize("customer", HOSTILE_IDS)
def test_a_state_key_gives_its_customer_back(customer):
    assert keys.customer_of_state(keys.state(12, customer)) == customer


def test_no_model_version_takes_a_key_of_the_registry():
    assert {keys.model("m", "v1"), keys.model_champion("m"), keys.model_versions("m")} == {
        b"model:m:v1",
        b"model:m:champion",
        b"model:m:versions",
    }


def test_whatever_is_kept_for_a_partition_is_known_as_its_own():
    made = {name: make for name, make in vars(keys).items() if inspect.isfunction(make)}
    arguments = {"partition": 3, "day": 14_610}
    of_partitions = {
        name: make(*(arguments.get(argument, "{3}") for argument in parameters))
        for name, make in made.items()
        if "partition" in (parameters := inspect.signature(make).parameters)
    }
    others = [keys.META, keys.model("churn", "{3}"), keys.learner("{3}"), keys.model_versions("{3}")]
    assert len(of_partitions) == 14
    assert all(map(keys.is_of_partition, of_partitions.values()))
    assert not any(map(keys.is_of_partition, others))
